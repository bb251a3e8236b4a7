What `caisar-ext explain` says of specifications, over networks and datasets that are described in described.ml.

  $ touch net.onnx wide.onnx one.onnx
  $ for folder in good bad/planning; do cp *.onnx pets.hier $folder; done

  $ for file in levels stable filter connectives outputs names numbers normalised domain theories regions indices; do
  >   echo "== $file"
  >   ./explain.exe good/$file.mlw
  > done
  == levels
  robust
      For each of the 4 samples of test.csv, for every input x of net.onnx such that every feature of
      x is between 0 and 1 and x differs from the sample by at most 0.1 in every feature: the answer
      is the true class of the sample, and no never pair forbids the answer for the true class of the
      sample.
      4 queries about 4 samples; shared: all with at_home.
  
  at_home
      For each of the 4 samples of test.csv, for every input x of net.onnx such that every feature of
      x is between 0 and 1 and x differs from the sample by at most 0.1 in every feature: the answer
      is in the block of cut "home" that holds the true class of the sample, and no never pair forbids
      the answer for the true class of the sample.
      4 queries about 4 samples; shared: all with robust.
  
  wider
      For sample 0 of test.csv, for every input x of net.onnx such that every feature of x is between
      0 and 1 and x differs from the sample by at most 0.2 in every feature: the answer is in the
      block of cut "home" that holds the true class of the sample, and no never pair forbids the
      answer for the true class of the sample.
      1 query about 1 sample.
  
  3 goals, 5 queries in all
  == stable
  stable
      For each of the 4 samples of test.csv, for every input x of net.onnx such that every feature of
      x is between 0 and 1 and x differs from the sample by at most 0.1 in every feature: the answer
      is in the block of cut "home" that holds the answer of net.onnx at the sample, and no never pair
      forbids the answer for the answer of net.onnx at the sample.
      3 queries about 4 samples; shared: all with where_right.
      Cannot be asked: tie at sample 3 of test.csv between classes 0, 2.
  
  where_right
      For each of the 4 samples of test.csv such that the answer of net.onnx at the sample is the true
      class of the sample: for every input x of net.onnx such that every feature of x is between 0 and
      1 and x differs from the sample by at most 0.1 in every feature: the answer is the true class of
      the sample.
      4 queries about 4 samples; shared: 3 with stable.
      Cannot be asked: tie at sample 3 of test.csv between classes 0, 2.
  
  2 goals, 4 queries in all
  == filter
  dogs
      For each of the 4 samples of test.csv such that the true class of the sample is "dog": for every
      input x of net.onnx such that every feature of x is between 0 and 1 and x differs from the
      sample by at most 0.1 in every feature: the answer is not in the group "wild".
      2 queries about 2 samples.
  
  some_dog
      For at least one of the 4 samples of test.csv: the true class of the sample is "dog", and (for
      every input x of net.onnx such that x differs from the sample by at most 0.1 in every feature:
      the answer is "dog").
      2 queries about 2 samples.
  
  2 goals, 4 queries in all
  == connectives
  either
      (for every input x of net.onnx such that x differs from sample 0 of test.csv by at most 0.1 in
      every feature: the answer is class 0), or (for every input x of net.onnx such that x differs
      from sample 0 of test.csv by at most 0.1 in every feature: the answer is class 1).
      1 query about 1 sample; shared: all with only_if, all with equivalent, all with chosen.
  
  only_if
      If (for every input x of net.onnx such that x differs from sample 0 of test.csv by at most 0.1
      in every feature: the answer is class 0), then it is not so that (for every input x of net.onnx
      such that x differs from sample 0 of test.csv by at most 0.1 in every feature: the answer is
      class 1).
      1 query about 1 sample; shared: all with either, all with equivalent, all with chosen.
  
  equivalent
      (for every input x of net.onnx such that x differs from sample 0 of test.csv by at most 0.1 in
      every feature: the answer is class 0) exactly when (for every input x of net.onnx such that x
      differs from sample 0 of test.csv by at most 0.1 in every feature: the answer is class 2).
      1 query about 1 sample; shared: all with either, all with only_if, all with chosen.
  
  chosen
      For every input x of net.onnx such that x differs from sample 0 of test.csv by at most 0.1 in
      every feature: the answer is class 0.
      1 query about 1 sample; shared: all with either, all with only_if, all with equivalent.
  
  4 goals, 1 query in all
  == outputs
  bounded
      For every input x of net.onnx such that x differs from sample 0 of test.csv by at most 0.1 in
      every feature: output 0 is at least -1, and output 0 is less than 1.
      1 query about 1 sample; shared: all with ordered, all with premise.
  
  ordered
      For every input x of net.onnx such that x differs from sample 0 of test.csv by at most 0.1 in
      every feature: output 0 is more than output 1, or output 0 is more than 2 * output 2 + 0.5.
      1 query about 1 sample; shared: all with bounded, all with premise.
  
  premise
      For every input x of net.onnx such that x differs from sample 0 of test.csv by at most 0.1 in
      every feature and output 2 is at least 0: the answer is not "cat".
      1 query about 1 sample; shared: all with bounded, all with ordered.
  
  split
      For every input x of net.onnx such that x differs from sample 0 of test.csv by at most 0.1 in
      every feature and feature 0 of x is not 0.5: output 0 is 0.
      2 queries about 1 sample.
  
  mixed
      For every input x of net.onnx such that x differs from sample 0 of test.csv by at most 0.1 in
      every feature: (if feature 1 of x is less than 0.5, then the answer is class 0), and (if feature
      1 of x is at least 0.5, then output 0 is at most 1).
      2 queries about 1 sample.
  
  5 goals, 5 queries in all
  == names
  nested
      For each of the integers i from 0 to 1, for every input x of net.onnx such that x differs from
      sample i of test.csv by at most 0.1 in every feature: output 2 is at least 1, and output i is at
      least 0.5.
      2 queries about 2 samples.
  
  1 goal, 2 queries in all
  == numbers
  exact
      For every input x of net.onnx such that every feature of x is between 0 and 1 and feature 0 of x
      is at least 2/255 and feature 1 of x is at least 0.1875 and feature 2 of x is at least 0.001 and
      feature 3 of x is at least -0.1: output 0 is at least
      12345678901234567890123456789012345678901234567890123456789/100000000000000000000000000000000000000000000000000000000000.
      1 query.
  
  1 goal, 1 query in all
  == normalised
  gray_levels
      For every input x of net.onnx (normalised by mean 0.1307 and deviation 0.3081) such that every
      feature of x is between 0 and 1: the answer is not class 2.
      1 query.
  
  outputs
      For every input x of net.onnx (normalised by mean 0.5 and deviation 0.25) such that every
      feature of x is between 0 and 1: output 0 is at most 1.
      1 query.
  
  2 goals, 2 queries in all
  == domain
  cascade
      For sample 0 of test.csv, for every input x of net.onnx such that every feature of x is between
      0 and 1 and x differs from the sample by at most 0.1 in every feature: the answer is the true
      class of the sample, and no never pair forbids the answer for the true class of the sample.
      1 query about 1 sample.
  
  intervals
      For sample 0 of test.csv, for every input x of net.onnx such that every feature of x is between
      0 and 1 and x differs from the sample by at most 0.1 in every feature: the answer is the true
      class of the sample, and no never pair forbids the answer for the true class of the sample.
      Only the abstract domain interval is used.
      1 query about 1 sample.
  
  2 goals, 2 queries in all
  == theories
  First.g
      For every input x of net.onnx such that feature 0 of x is at least 0 and feature 0 of x is at
      most 1 and feature 1 of x is at least 0 and feature 1 of x is at most 1 and feature 2 of x is at
      least 0 and feature 2 of x is less than 1 and feature 3 of x is more than 0 and feature 3 of x
      is at most 1: the answer is not class 0.
      1 query; shared: all with Second.g.
  
  Second.g
      For every input x of net.onnx such that feature 0 of x is at least 0 and feature 0 of x is at
      most 1 and feature 1 of x is at least 0 and feature 1 of x is at most 1 and feature 2 of x is at
      least 0 and feature 2 of x is less than 1 and feature 3 of x is more than 0 and feature 3 of x
      is at most 1: the answer is not class 1.
      1 query; shared: all with First.g.
  
  2 goals, 1 query in all
  == regions
  between
      For each of the 2 samples of boxes.npz, for every input x of net.onnx such that every feature of
      x is between "lower" of the sample and "upper" of the sample: the answer is the true class of
      the sample.
      2 queries about 2 samples.
  
  two_files
      For every input x of net.onnx such that every feature of x is between sample 0 of boxes.npz and
      sample 3 of test.csv: the answer is not class 2.
      1 query about 1 sample.
  
  each_radius
      For each of the 2 samples of boxes.npz, for every input x of net.onnx such that every feature of
      x is between 0 and 1 and x differs from the sample in every feature by at most "radii" of the
      sample: the answer is in the block of cut "home" that holds the true class of the sample.
      2 queries about 2 samples.
  
  radii_of_a_file
      For every input x of net.onnx such that x differs from sample 1 of boxes.npz in every feature by
      at most sample 1 of test.csv: the answer is not class 2.
      1 query about 1 sample.
  
  relative
      For every input x of net.onnx such that x differs from sample 0 of boxes.npz in every feature by
      at most 0.1 of its magnitude there: the answer is class 0.
      1 query about 1 sample.
  
  images_by_name
      For every input x of net.onnx such that x differs from sample 0 of boxes.npz by at most 0.1 in
      every feature: the answer is class 0.
      1 query about 1 sample.
  
  6 goals, 8 queries in all
  == indices
  good/indices.mlw:22:8-13: warning: goal closed holds without a question to the prover
     22 |   goal closed : 1 = 2 -> around 0 0.1
        |        ^^^^^^
        = check its conditions
  bounds_in_a_predicate
      For each of the samples 1 to 2 of test.csv, for every input x of net.onnx such that every
      feature of x is between 0 and 1 and x differs from the sample by at most 0.1 in every feature:
      the answer is the true class of the sample.
      2 queries about 2 samples; shared: 1 with but_one, all with of_another, all with pairs, all with
      nested, all with odd_one_out.
  
  but_one
      For each of the integers i from 0 to 3 such that i is not 2: for every input x of net.onnx such
      that every feature of x is between 0 and 1 and x differs from sample i of test.csv by at most
      0.1 in every feature: the answer is the true class of sample i of test.csv.
      3 queries about 3 samples; shared: 1 with bounds_in_a_predicate, 2 with of_another, 1 with
      growing, 1 with pairs, all with nested, all with odd_one_out.
  
  of_another
      For each of the integers i from 0 to 2, for every input x of net.onnx such that every feature of
      x is between 0 and 1 and x differs from sample (i + 1) of test.csv by at most 0.1 in every
      feature: the answer is the true class of sample (i + 1) of test.csv.
      3 queries about 3 samples; shared: 2 with bounds_in_a_predicate, 2 with but_one, 2 with pairs,
      all with nested, all with odd_one_out.
  
  growing
      For each of the integers i from 0 to 1, for every input x of net.onnx such that every feature of
      x is between 0 and 1 and x differs from sample i of test.csv by at most (0.1 if i is 0,
      otherwise 0.2) in every feature: the answer is the true class of sample i of test.csv.
      2 queries about 2 samples; shared: 1 with but_one, 1 with nested, 1 with odd_one_out.
  
  pairs
      For each of the integers i from 0 to 1 and j such that i is less than j and j is at most (i + 1)
      and the true class of sample i of test.csv is not the true class of sample j of test.csv: for
      every input x of net.onnx such that every feature of x is between 0 and 1 and x differs from
      sample j of test.csv by at most 0.1 in every feature: the answer is the true class of sample j
      of test.csv.
      2 queries about 2 samples; shared: all with bounds_in_a_predicate, 1 with but_one, all with
      of_another, all with nested, all with odd_one_out.
  
  nested
      For each of the first 2 samples of test.csv: for at least one of the integers j from 0 to 3: the
      true class of sample j of test.csv is not the true class of the sample, and (for every input x
      of net.onnx such that every feature of x is between 0 and 1 and x differs from sample j of
      test.csv by at most 0.1 in every feature: the answer is the true class of sample j of test.csv).
      4 queries about 4 samples; shared: 2 with bounds_in_a_predicate, 3 with but_one, 3 with
      of_another, 1 with growing, 2 with pairs, all with odd_one_out.
  
  odd_one_out
      It is not so that (for each of the 4 samples of test.csv, for every input x of net.onnx such
      that every feature of x is between 0 and 1 and x differs from the sample by at most 0.1 in every
      feature: the answer is the true class of the sample).
      4 queries about 4 samples; shared: 2 with bounds_in_a_predicate, 3 with but_one, 3 with
      of_another, 1 with growing, 2 with pairs, all with nested.
  
  closed
      True, whatever the network.
      0 queries.
  
  8 goals, 5 queries in all

Definitions are those of the run:

  $ ./explain.exe good/constants.mlw eps:2.0
  g
      For sample 0 of test.csv, for every input x of net.onnx such that every feature of x is between
      0 and 1 and x differs from the sample by at most 2/255 in every feature: the answer is the true
      class of the sample, and no never pair forbids the answer for the true class of the sample.
      1 query about 1 sample.
  
  1 goal, 1 query in all

A mistake:

  $ ./explain.exe bad/planning/unknown_cut.mlw
  bad/planning/unknown_cut.mlw:12:12-57: error: unknown cut "course" in bad/planning/pets.hier
     12 |   goal g : abstract_safe net tree (cut "course") test 0.1
        |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = did you mean "coarse"?
  [3]
