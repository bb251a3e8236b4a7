The reports of runs made by hand (cases.ml), at 100 columns. `dune promote` accepts what has changed.

All kinds of verdicts; the worst mistakes first:

  $ ./show.exe mixed
  pictures.mlw: 2 goals, 8 queries
    network    net.onnx      3x32x32 -> 5, 678 neurons, sha256 0123456789ab
    hierarchy  animals.hier  5 classes, depth 3, cut "coarse"
    dataset    pictures.npz  8 of 100 samples, 3x32x32
  
  Goals
    goal         region                verdict  proven          refuted  at centre  open
    robust       ball 2/255 in [0, 1]  Invalid       1  12.5 %        4          1     3
        #5  truck -> bird  severity 4, never allowed  at distance 1.81/255  search
        #2  dog -> car     severity 3, animals        at the centre
        #1  dog -> cat     severity 1, pet            at distance 1.81/255  search
        #6  truck -> car   severity 1, vehicle        at distance 1.81/255  search
        open: 1 out of time; 1 hidden by rounding; 1 bound too loose
    same_family  ball 2/255 in [0, 1]  Invalid       5  62.5 %        2          1     1
        #5  truck -> bird  severity 4, never allowed  at distance 1.81/255  search
        #2  dog -> car     severity 3, animals        at the centre
        open: 1 bound too loose
    at centre: wrong on the sample itself; severity: height of the smallest group of the tree that
      holds both classes
  
  net.onnx: ball 2/255 in [0, 1] around 8 samples, groups of animals.hier
  
    Levels
      all answers stay within    proven          refuted  open
      up 0, the class itself          1  12.5 %        4     3
      up 1                            3  37.5 %        2     3
      up 2                            6  75.0 %        2     0
      up 3, all but never pairs       7  87.5 %        1     0
      cut "coarse"                    5  62.5 %        2     1
  
    Samples by interval: what is proven, what is refuted, open in between
      finest level proven  coarsest level refuted  samples
      up 0                 none                          1
      up 1                 none                          1
      up 1                 up 0                          1
      up 2                 none                          2
      up 2                 up 0                          1
      up 3                 up 2                          1
      none                 up 2                          1
  
    Groups: do answers stay inside?
      group            samples  proven  refuted  open
      animal                 5       4        1     0
        pet                  4       1        1     2  not asked
      vehicle                3       1        1     1
      wings (overlay)        3       0        2     1  not asked
  
    Answers by group: cut "coarse"
               animal  vehicle
      animal      own   1 seen
      vehicle  1 seen      own
      Rows: the sample's group; columns: the answer's. never: proven for every sample; 1 seen:
        samples with a replayed witness; ?: open; own: the same group; -: no sample.
  
  2 goals: 2 Invalid
  Proofs hold up to float64 rounding.
  Each witness lies in its region by exact rationals and was replayed in ONNX Runtime.
  8 queries in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to start, at most 400 MiB each
  Witnesses are not kept: --witnesses DIR keeps them, with a picture of each image.
  Next: more time for each query, --time-limit 240 (now 60 s)
  Next: where the bound is too loose, a smaller region, a coarser level, or certified training

Every sample, and witnesses that are kept:

  $ ./show.exe mixed full out/
  pictures.mlw: 2 goals, 8 queries
    network    net.onnx      3x32x32 -> 5, 678 neurons, sha256 0123456789ab
    hierarchy  animals.hier  5 classes, depth 3, cut "coarse"
    dataset    pictures.npz  8 of 100 samples, 3x32x32
  
  Goals
    goal         region                verdict  proven          refuted  at centre  open
    robust       ball 2/255 in [0, 1]  Invalid       1  12.5 %        4          1     3
        #5  truck -> bird  severity 4, never allowed  at distance 1.81/255  search  query5-class2.npy
        #2  dog -> car     severity 3, animals        at the centre                 query2-class3.npy
        #1  dog -> cat     severity 1, pet            at distance 1.81/255  search  query1-class0.npy
        #6  truck -> car   severity 1, vehicle        at distance 1.81/255  search  query6-class3.npy
        open: 1 out of time; 1 hidden by rounding; 1 bound too loose
    same_family  ball 2/255 in [0, 1]  Invalid       5  62.5 %        2          1     1
        #5  truck -> bird  severity 4, never allowed  at distance 1.81/255  search  query5-class2.npy
        #2  dog -> car     severity 3, animals        at the centre                 query2-class3.npy
        open: 1 bound too loose
    at centre: wrong on the sample itself; severity: height of the smallest group of the tree that
      holds both classes
  
  net.onnx: ball 2/255 in [0, 1] around 8 samples, groups of animals.hier
  
    Levels
      all answers stay within    proven          refuted  open
      up 0, the class itself          1  12.5 %        4     3
      up 1                            3  37.5 %        2     3
      up 2                            6  75.0 %        2     0
      up 3, all but never pairs       7  87.5 %        1     0
      cut "coarse"                    5  62.5 %        2     1
  
    Samples by interval: what is proven, what is refuted, open in between
      finest level proven  coarsest level refuted  samples
      up 0                 none                          1
      up 1                 none                          1
      up 1                 up 0                          1
      up 2                 none                          2
      up 2                 up 0                          1
      up 3                 up 2                          1
      none                 up 2                          1
  
    Each sample
      sample  class  finest proven  coarsest refuted  CPU s
          #0  cat    cat            -                  0.50
          #1  dog    animal         dog                0.50
          #2  dog    animals        animal             0.50
          #3  bird   animal         -                  0.50
          #4  car    animals        -                  0.50
          #5  truck  -              animals            0.50
          #6  truck  vehicle        truck              0.50
          #7  cat    animal         -                  0.50
  
    Groups: do answers stay inside?
      group            samples  proven  refuted  open
      animal                 5       4        1     0
        pet                  4       1        1     2  not asked
      vehicle                3       1        1     1
      wings (overlay)        3       0        2     1  not asked
  
    Answers by group: cut "coarse"
               animal  vehicle
      animal      own   1 seen
      vehicle  1 seen      own
      Rows: the sample's group; columns: the answer's. never: proven for every sample; 1 seen:
        samples with a replayed witness; ?: open; own: the same group; -: no sample.
  
  2 goals: 2 Invalid
  Proofs hold up to float64 rounding.
  Each witness lies in its region by exact rationals and was replayed in ONNX Runtime.
  8 queries in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to start, at most 400 MiB each
  4 witness files in out/
  Next: more time for each query, --time-limit 240 (now 60 s)
  Next: where the bound is too loose, a smaller region, a coarser level, or certified training

Undecided: the nearest to a proof first.

  $ ./show.exe undecided
  pictures.mlw: 1 goal, 9 queries
    network    net.onnx      3x32x32 -> 5, 678 neurons, sha256 0123456789ab
    hierarchy  animals.hier  5 classes, depth 3, cut "coarse"
    dataset    pictures.npz  9 of 100 samples, 3x32x32
  
  Goals
    goal         region                verdict  proven         refuted  at centre  open
    same_family  ball 2/255 in [0, 1]  Timeout       0  0.0 %        0          0     9
        #10  dog  bound too loose  best margin -0.1  linear
        #17  dog  out of time      best margin -0.2  linear
        #15  dog  bound too loose  best margin -0.3  linear
        #13  dog  bound too loose  best margin -0.4  linear
        #11  dog  bound too loose  best margin -0.5  linear
        and 4 more (--verbose lists all)
  
  net.onnx: ball 2/255 in [0, 1] around 9 samples, groups of animals.hier
  
    Levels
      all answers stay within    proven           refuted  open
      up 0, the class itself          0    0.0 %        0     9  not asked
      up 1                            0    0.0 %        0     9  not asked
      up 2                            0    0.0 %        0     9
      up 3, all but never pairs       9  100.0 %        0     0
      cut "coarse"                    0    0.0 %        0     9
  
    Samples by interval: what is proven, what is refuted, open in between
      finest level proven  coarsest level refuted  samples
      up 3                 none                          9
  
    Groups: do answers stay inside?
      group            samples  proven  refuted  open
      animal                 9       0        0     9
        pet                  9       0        0     9  not asked
      wings (overlay)        9       0        0     9  not asked
  
    Answers by group: cut "coarse"
               animal  vehicle
      animal      own        ?
      vehicle       -        -
      Rows: the sample's group; columns: the answer's. never: proven for every sample; 1 seen:
        samples with a replayed witness; ?: open; own: the same group; -: no sample.
  
  1 goal: 1 Timeout
  9 queries in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to start, at most 400 MiB each
  Next: more time for each query, --time-limit 240 (now 60 s)
  Next: where the bound is too loose, a smaller region, a coarser level, or certified training
  Next: --full-matrix asks about the open cells of the matrices

After Ctrl-C:

  $ ./show.exe interrupted
  interrupted: 2 of 4 queries answered; the rest counts as open
  
  pictures.mlw: 2 goals, 4 queries
    network    net.onnx      3x32x32 -> 5, 678 neurons, sha256 0123456789ab
    hierarchy  animals.hier  5 classes, depth 3, cut "coarse"
    dataset    pictures.npz  4 of 100 samples, 3x32x32
  
  Goals
    goal         region                verdict  proven          refuted  at centre  open
    robust       ball 2/255 in [0, 1]  Invalid       1  25.0 %        1          0     2
        #1  dog -> cat  severity 1, pet  at distance 1.81/255  search
        open: 2 no answer: interrupted
    same_family  ball 2/255 in [0, 1]  Unknown       2  50.0 %        0          0     2
        #2  car    no answer: interrupted
        #3  truck  no answer: interrupted
    at centre: wrong on the sample itself; severity: height of the smallest group of the tree that
      holds both classes
  
  net.onnx: ball 2/255 in [0, 1] around 4 samples, groups of animals.hier
  
    Levels
      all answers stay within    proven          refuted  open
      up 0, the class itself          1  25.0 %        1     2
      up 1                            1  25.0 %        0     3
      up 2                            3  75.0 %        0     1
      up 3, all but never pairs       3  75.0 %        0     1  not asked
      cut "coarse"                    2  50.0 %        0     2
  
    Samples by interval: what is proven, what is refuted, open in between
      finest level proven  coarsest level refuted  samples
      up 0                 none                          1
      up 2                 none                          1
      up 2                 up 0                          1
      none                 none                          1
  
    Groups: do answers stay inside?
      group            samples  proven  refuted  open
      animal                 2       2        0     0
        pet                  2       1        0     1  not asked
      vehicle                2       0        0     2
      wings (overlay)        1       0        1     0
  
    Answers by group: cut "coarse"
               animal  vehicle
      animal      own    never
      vehicle       ?      own
      Rows: the sample's group; columns: the answer's. never: proven for every sample; 1 seen:
        samples with a replayed witness; ?: open; own: the same group; -: no sample.
  
  2 goals: 1 Invalid, 1 Unknown
  Proofs hold up to float64 rounding.
  Each witness lies in its region by exact rationals and was replayed in ONNX Runtime.
  2 queries in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to start, at most 400 MiB each
  Witnesses are not kept: --witnesses DIR keeps them, with a picture of each image.

Provers that die:

  $ ./show.exe failures
  pictures.mlw: 1 goal, 3 queries
    network    net.onnx      3x32x32 -> 5, 678 neurons, sha256 0123456789ab
    hierarchy  animals.hier  5 classes, depth 3, cut "coarse"
    dataset    pictures.npz  3 of 100 samples, 3x32x32
  
  Goals
    goal    region                verdict  proven          refuted  at centre  open
    robust  ball 2/255 in [0, 1]  Failure       1  33.3 %        0          0     2
        #1  dog  the prover was lost twice with this query: killed by signal SIGKILL  prover
        #2  car  the prover was lost twice with this query: killed by signal SIGKILL  prover
  
  net.onnx: ball 2/255 in [0, 1] around 3 samples, groups of animals.hier
  
    Levels
      all answers stay within    proven           refuted  open
      up 0, the class itself          1   33.3 %        0     2
      up 1                            1   33.3 %        0     2  not asked
      up 2                            2   66.6 %        0     1  not asked
      up 3, all but never pairs       3  100.0 %        0     0
      cut "coarse"                    1   33.3 %        0     2  not asked
  
    Samples by interval: what is proven, what is refuted, open in between
      finest level proven  coarsest level refuted  samples
      up 0                 none                          1
      up 2                 none                          1
      up 3                 none                          1
  
    Groups: do answers stay inside?
      group            samples  proven  refuted  open
      animal                 2       1        0     1  not asked
        pet                  2       1        0     1  not asked
      vehicle                1       0        0     1  not asked
      wings (overlay)        1       0        0     1  not asked
  
    Answers by group: cut "coarse"
               animal  vehicle
      animal      own        ?
      vehicle       ?      own
      Rows: the sample's group; columns: the answer's. never: proven for every sample; 1 seen:
        samples with a replayed witness; ?: open; own: the same group; -: no sample.
  
  1 goal: 1 Failure
  Proofs hold up to float64 rounding.
  3 queries in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to start, at most 400 MiB each
  2 provers lost; what they left unanswered was asked once more
  failure, 2 times: the prover was lost twice with this query: killed by signal SIGKILL
  Next: --full-matrix asks about the open cells of the matrices

A witness with two answers, and regions that touch a tie:

  $ ./show.exe ties
  pictures.mlw: 2 goals, 2 queries
    network    net.onnx      3x32x32 -> 5, 678 neurons, sha256 0123456789ab
    hierarchy  animals.hier  5 classes, depth 3, cut "coarse"
    dataset    pictures.npz  2 of 100 samples, 3x32x32
  
  Goals
    goal         region                verdict  proven         refuted  at centre  open
    robust       ball 2/255 in [0, 1]  Invalid       0  0.0 %        2          0     0
        #1  car -> dog or truck  severity 3, animals  at distance 1.81/255  search
        #0  dog -> cat or bird   severity 2, animal   at distance 1.81/255  search
    same_family  ball 2/255 in [0, 1]  Unknown       0  0.0 %        0          0     2
        #0  dog  touches a tie  best margin 0  linear
        #1  car  touches a tie                 linear
    at centre: wrong on the sample itself; severity: height of the smallest group of the tree that
      holds both classes
  
  net.onnx: ball 2/255 in [0, 1] around 2 samples, groups of animals.hier
  
    Levels
      all answers stay within    proven           refuted  open
      up 0, the class itself          0    0.0 %        2     0
      up 1                            0    0.0 %        0     2
      up 2                            1   50.0 %        0     1
      up 3, all but never pairs       2  100.0 %        0     0
      cut "coarse"                    0    0.0 %        0     2
  
    Samples by interval: what is proven, what is refuted, open in between
      finest level proven  coarsest level refuted  samples
      up 2                 up 0                          1
      up 3                 up 0                          1
  
    Groups: do answers stay inside?
      group            samples  proven  refuted  open
      animal                 1       0        0     1
        pet                  1       0        0     1  not asked
      vehicle                1       0        0     1
      wings (overlay)        1       0        0     1  not asked
  
    Answers by group: cut "coarse"
               animal  vehicle
      animal      own        ?
      vehicle  1 seen      own
      Rows: the sample's group; columns: the answer's. never: proven for every sample; 1 seen:
        samples with a replayed witness; ?: open; own: the same group; -: no sample.
  
  2 goals: 1 Invalid, 1 Unknown
  Each witness lies in its region by exact rationals and was replayed in ONNX Runtime.
  2 queries in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to start, at most 400 MiB each
  Witnesses are not kept: --witnesses DIR keeps them, with a picture of each image.
  Next: --full-matrix asks about the open cells of the matrices

A sample without any safe level:

  $ ./show.exe never
  pictures.mlw: 2 goals, 2 queries
    network    net.onnx      3x32x32 -> 5, 678 neurons, sha256 0123456789ab
    hierarchy  animals.hier  5 classes, depth 3, cut "coarse"
    dataset    pictures.npz  2 of 100 samples, 3x32x32
  
  Goals
    goal         region                verdict  proven          refuted  at centre  open
    robust       ball 2/255 in [0, 1]  Invalid       1  50.0 %        1          0     0
        #0  truck -> bird  severity 4, never allowed  at distance 1.81/255  search
    same_family  ball 2/255 in [0, 1]  Invalid       1  50.0 %        1          0     0
        #0  truck -> bird  severity 4, never allowed  at distance 1.81/255  search
    at centre: wrong on the sample itself; severity: height of the smallest group of the tree that
      holds both classes
  
  net.onnx: ball 2/255 in [0, 1] around 2 samples, groups of animals.hier
  
    Levels
      all answers stay within    proven          refuted  open
      up 0, the class itself          1  50.0 %        1     0
      up 1                            1  50.0 %        1     0
      up 2                            1  50.0 %        1     0
      up 3, all but never pairs       1  50.0 %        1     0
      cut "coarse"                    1  50.0 %        1     0
  
    Samples by interval: what is proven, what is refuted, open in between
      finest level proven  coarsest level refuted  samples
      up 0                 none                          1
      none                 up 2                          1
  
    Groups: do answers stay inside?
      group            samples  proven  refuted  open
      animal                 1       1        0     0
      vehicle                1       0        1     0
      wings (overlay)        1       1        0     0
  
    Answers by group: cut "coarse"
               animal  vehicle
      animal      own    never
      vehicle  1 seen      own
      Rows: the sample's group; columns: the answer's. never: proven for every sample; 1 seen:
        samples with a replayed witness; ?: open; own: the same group; -: no sample.
  
  2 goals: 2 Invalid
  Proofs hold up to float64 rounding.
  Each witness lies in its region by exact rationals and was replayed in ONNX Runtime.
  2 queries in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to start, at most 400 MiB each
  Witnesses are not kept: --witnesses DIR keeps them, with a picture of each image.

No hierarchy, with and without names for the classes:

  $ ./show.exe no-hierarchy
  pictures.mlw: 1 goal, 3 queries
    network  net.onnx      3x32x32 -> 5, 678 neurons, sha256 0123456789ab
    dataset  pictures.npz  3 of 100 samples, 3x32x32
  
  Goals
    goal    region                 verdict  proven          refuted  at centre  open
    robust  ball 85/255 in [0, 1]  Invalid       1  33.3 %        1          0     1
        #1  dog -> truck  at distance 76.50/255  search
        open: 1 bound too loose
  
  1 goal: 1 Invalid
  Proofs hold up to float64 rounding.
  Each witness lies in its region by exact rationals and was replayed in ONNX Runtime.
  3 queries in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to start, at most 400 MiB each
  Witnesses are not kept: --witnesses DIR keeps them, with a picture of each image.
  Next: where the bound is too loose, a smaller region, a coarser level, or certified training
  $ ./show.exe no-names
  pictures.mlw: 1 goal, 3 queries
    network  net.onnx      3x32x32 -> 5, 678 neurons, sha256 0123456789ab
    dataset  pictures.npz  3 of 100 samples, 3x32x32
  
  Goals
    goal    region                 verdict  proven          refuted  at centre  open
    robust  ball 85/255 in [0, 1]  Invalid       1  33.3 %        1          0     1
        #1  class 1 -> class 4  at distance 76.50/255  search
        open: 1 bound too loose
  
  1 goal: 1 Invalid
  Proofs hold up to float64 rounding.
  Each witness lies in its region by exact rationals and was replayed in ONNX Runtime.
  3 queries in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to start, at most 400 MiB each
  Witnesses are not kept: --witnesses DIR keeps them, with a picture of each image.
  Next: where the bound is too loose, a smaller region, a coarser level, or certified training

Goals about outputs: a negation, and one that asks nothing.

  $ ./show.exe outputs
  pictures.mlw: 5 goals, 3 queries
    network  net.onnx  3x32x32 -> 5, 678 neurons, sha256 0123456789ab
  
  Goals
    goal       region                        verdict
    phi_1      box of 5 features             Valid
        proven (step linear, margin 0.5)
    phi_2      box of 5 features             Invalid
        witness: violated by 0.25, output 0 largest, at distance 0.0071 (step search)
    phi_3      box of 3 features and 1 more  Unknown
        question 1: bound too loose (step linear, best margin -1.5)
        question 2: proven (step linear, margin 0.5)
    not_phi_1  box of 5 features             Invalid
        a proof of the contrary
        question 1: proven (step linear, margin 0.5)
    nothing    -                             Valid
        nothing to prove: its conditions leave no case
  
  5 goals: 2 Valid, 2 Invalid, 1 Unknown
  Proofs hold up to float64 rounding.
  Each witness lies in its region by exact rationals and was replayed in ONNX Runtime.
  3 queries in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to start, at most 400 MiB each
  Witnesses are not kept: --witnesses DIR keeps them, with a picture of each image.
  Next: where the bound is too loose, a smaller region, a coarser level, or certified training
  $ ./show.exe outputs out/ | grep witness
        witness query0-class0.npy: violated by 0.25, output 0 largest, at distance 0.0071 (step
  Each witness lies in its region by exact rationals and was replayed in ONNX Runtime.
  1 witness file in out/

A statement that cannot be asked:

  $ ./show.exe not-asked
  pictures.mlw: 1 goal, 1 query
    network    net.onnx      3x32x32 -> 5, 678 neurons, sha256 0123456789ab
    hierarchy  animals.hier  5 classes, depth 3, cut "coarse"
    dataset    pictures.npz  1 of 100 samples, 3x32x32
  
  Goals
    goal    region                verdict  proven          refuted  at centre  open
    stable  ball 2/255 in [0, 1]  Unknown       1  50.0 %        0          0     1
        #1  cat  tie at sample 1 of pictures.npz between classes 0, 1
  
  net.onnx: ball 2/255 in [0, 1] around 1 sample, groups of animals.hier
  
    Levels
      all answers stay within    proven           refuted  open
      up 0, the class itself          1  100.0 %        0     0
      up 1                            1  100.0 %        0     0
      up 2                            1  100.0 %        0     0
      up 3, all but never pairs       1  100.0 %        0     0
      cut "coarse"                    1  100.0 %        0     0
  
    Samples by interval: what is proven, what is refuted, open in between
      finest level proven  coarsest level refuted  samples
      up 0                 none                          1
  
    Groups: do answers stay inside?
      group   samples  proven  refuted  open
      animal        1       1        0     0
        pet         1       1        0     0
  
    Answers by group: cut "coarse"
               animal  vehicle
      animal      own    never
      vehicle       -        -
      Rows: the sample's group; columns: the answer's. never: proven for every sample; 1 seen:
        samples with a replayed witness; ?: open; own: the same group; -: no sample.
  
  1 goal: 1 Unknown
  Proofs hold up to float64 rounding.
  1 query in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to start, at most 400 MiB each

An empty region:

  $ ./show.exe empty
  warning: goal anything: 1 empty region, where anything holds
        = do the bounds exclude each other?
  pictures.mlw: 1 goal, 1 query
    network  net.onnx  3x32x32 -> 5, 678 neurons, sha256 0123456789ab
  
  Goals
    goal      region     verdict
    anything  in [1, 0]  Valid
        proven (step empty)
  
  1 goal: 1 Valid
  Proofs hold up to float64 rounding.
  1 query in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to start, at most 400 MiB each
  warning: goal anything: 1 empty region, where anything holds

Regions whose bounds or radii are rows of a dataset:

  $ ./show.exe rows | grep -E "^  goal|^  (between|sensors|contrast)|^net.onnx"
    goal      region                        verdict  proven           refuted  at centre  open
    between   box [lower, upper] in [0, 1]  Invalid       1   50.0 %        1          0     0
    sensors   ball with noise in [0, 1]     Valid         2  100.0 %        0          0     0
    contrast  relative ball 0.05            Unknown       0    0.0 %        0          0     1
  net.onnx: box [lower, upper] in [0, 1] around 2 samples, groups of animals.hier
  net.onnx: ball with noise in [0, 1] around 2 samples, groups of animals.hier
  net.onnx: relative ball 0.05 around 1 sample, groups of animals.hier

Names that would steer a terminal, two theories and datasets, more groups than columns, and a narrow terminal:

  $ ./show.exe wide
  pictures.mlw: 2 goals, 3 queries
    network    net.onnx        3x32x32 -> 5, 678 neurons, sha256 0123456789ab
    hierarchy  kinds.hier      22 classes, depth 2, cut "kind"
    dataset    cl?[31mé?s.csv  1 of 100 samples, 3x32x32
    dataset    pictures.npz    2 of 100 samples, 3x32x32
  
  Goals
    goal                        region               verdict  proven          refuted  at centre  open
    Pictures.robust             ball 0.01 in [0, 1]  Invalid       1  33.3 %        2          0     0
          pictures.npz #0  first_0 -> second_1  severity 2, kinds           at distance 0.0071  search
        cl?[31mé?s.csv #7  first_1 -> second_1  severity 1, family_of_kin~  at distance 0.0071  search
    Again.ggggggggggggggggggg~  ball 0.01 in [0, 1]  Invalid       1  33.3 %        2          0     0
          pictures.npz #0  first_0 -> second_1  severity 2, kinds           at distance 0.0071  search
        cl?[31mé?s.csv #7  first_1 -> second_1  severity 1, family_of_kin~  at distance 0.0071  search
    at centre: wrong on the sample itself; severity: height of the smallest group of the tree that
      holds both classes
  
  net.onnx: ball 0.01 in [0, 1] around 3 samples, groups of kinds.hier
  
    Levels
      all answers stay within  proven          refuted  open
      up 0, the class itself        1  33.3 %        2     0
      up 1                          1  33.3 %        1     1  not asked
      cut "kind"                    1  33.3 %        1     1  not asked
  
    Samples by interval: what is proven, what is refuted, open in between
      finest level proven  coarsest level refuted  samples
      up 0                 none                          1
      up 2                 up 0                          1
      up 2                 up 1                          1
  
    Groups: do answers stay inside?
      group             samples  proven  refuted  open
      family_of_kind_0        1       0        1     0
      family_of_kind_1        2       1        0     1  not asked
  
    Answers by group: cut "kind"
      group             answered as                                           never  open
      family_of_kind_0  family_of_kind_1 (1 seen), family_of_kind_2 (1 seen)      0     8
      family_of_kind_1                                                            1     9
      Rows: the sample's group; columns: the answer's. never: proven for every sample; 1 seen:
        samples with a replayed witness; ?: open; own: the same group; -: no sample.
  
  2 goals: 2 Invalid
  Proofs hold up to float64 rounding.
  Each witness lies in its region by exact rationals and was replayed in ONNX Runtime.
  3 queries in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to start, at most 400 MiB each
  Witnesses are not kept: --witnesses DIR keeps them, with a picture of each image.
  Next: --full-matrix asks about the open cells of the matrices
  $ ./show.exe wide 64
  pictures.mlw: 2 goals, 3 queries
    network    net.onnx        3x32x32 -> 5, 678 neurons
                               sha256 0123456789ab
    hierarchy  kinds.hier      22 classes, depth 2, cut "kind"
    dataset    cl?[31mé?s.csv  1 of 100 samples, 3x32x32
    dataset    pictures.npz    2 of 100 samples, 3x32x32
  
  Goals
    goal      region    verdict  proven          refuted  at centre  open
    Picture~  ball 0.~  Invalid       1  33.3 %        2          0     0
          pictures.npz #0  first_0~  severit~  at distance 0.0071  search
        cl?[31mé?s.csv #7  first_1~  severit~  at distance 0.0071  search
    Again.g~  ball 0.~  Invalid       1  33.3 %        2          0     0
          pictures.npz #0  first_0~  severit~  at distance 0.0071  search
        cl?[31mé?s.csv #7  first_1~  severit~  at distance 0.0071  search
    at centre: wrong on the sample itself; severity: height of
      the smallest group of the tree that holds both classes
  
  net.onnx: ball 0.01 in [0, 1] around 3 samples, groups of kinds.hier
  
    Levels
      all answers stay ~  proven          refuted  open
      up 0, the class i~       1  33.3 %        2     0
      up 1                     1  33.3 %        1     1  not asked
      cut "kind"               1  33.3 %        1     1  not asked
  
    Samples by interval: what is proven, what is refuted, open in between
      finest level proven  coarsest level refuted  samples
      up 0                 none                          1
      up 2                 up 0                          1
      up 2                 up 1                          1
  
    Groups: do answers stay inside?
      group             samples  proven  refuted  open
      family_of_kind_0        1       0        1     0
      family_of_kind_1        2       1        0     1  not asked
  
    Answers by group: cut "kind"
      group             answered as                    never  open
      family_of_kind_0  family_of_kind_1 (1 seen), f~      0     8
      family_of_kind_1                                     1     9
      Rows: the sample's group; columns: the answer's. never:
        proven for every sample; 1 seen: samples with a replayed
        witness; ?: open; own: the same group; -: no sample.
  
  2 goals: 2 Invalid
  Proofs hold up to float64 rounding.
  Each witness lies in its region by exact rationals and was
    replayed in ONNX Runtime.
  3 queries in 1 min 15 s: 2 provers, 12.2 s of CPU, 5.5 s to
    start, at most 400 MiB each
  Witnesses are not kept: --witnesses DIR keeps them, with a
    picture of each image.
  Next: --full-matrix asks about the open cells of the matrices

How zonotopes kept their noise; what cost precision is told unasked:

  $ ./show.exe noise | grep -A 2 zonotope
  zonotope, 2 queries: noise dense, the largest symbols only, 64 MiB predicted, 70 MiB taken at
    most; nothing that keeps all symbols fits into 80 MiB; coarser bounds for 2 queries, up to 50 % of
    an output's width without symbols
  $ ./show.exe noise full | grep -A 2 zonotope
  zonotope, 1 query: noise patch in blocks on disk, 64 MiB predicted, 60 MiB taken at most; the
    fastest of what fits into 80 MiB
  zonotope, 2 queries: noise dense, the largest symbols only, 64 MiB predicted, 70 MiB taken at
    most; nothing that keeps all symbols fits into 80 MiB; coarser bounds for 2 queries, up to 50 % of
    an output's width without symbols
  $ ./show.exe noise json | grep -A 14 '"noise": \[ *$'
      "noise": [
        {
          "step": "zonotope",
          "queries": 1,
          "coarser": 0,
          "most": {
            "storage": "patch in blocks on disk",
            "reason": "the fastest of what fits into 80 MiB",
            "symbols": 3000,
            "predicted": 67108864,
            "peak": 62914560,
            "boxed": 0.0
          }
        },
        {
  $ ./show.exe noise json | grep -A 10 '"noise": {'
                "noise": {
                  "storage": "patch in blocks on disk",
                  "reason": "the fastest of what fits into 80 MiB",
                  "symbols": 3000,
                  "predicted": 67108864,
                  "peak": 62914560,
                  "boxed": 0.0
                }
              }
            ]
          },
  --
                "noise": {
                  "storage": "dense, the largest symbols only",
                  "reason": "nothing that keeps all symbols fits into 80 MiB",
                  "symbols": 200,
                  "predicted": 67108864,
                  "peak": 57671680,
                  "boxed": 0.125
                }
              }
            ]
          },
  --
                "noise": {
                  "storage": "dense, the largest symbols only",
                  "reason": "nothing that keeps all symbols fits into 80 MiB",
                  "symbols": 200,
                  "predicted": 67108864,
                  "peak": 73400320,
                  "boxed": 0.5
                }
              }
            ]
          }

No line of any report is wider than its terminal, nor ends in a space:

  $ for case in mixed undecided interrupted failures ties never noise no-names outputs not-asked rows wide wider; do
  >   ./show.exe $case 90 | LC_ALL=C.UTF-8 sed -E -n "s/^(.{91,}|.* )$/$case: &/p"
  > done

Colours are for terminals:

  $ ./show.exe undecided | grep -c "$(printf '\033')"
  0
  [1]
  $ ./show.exe undecided colour | sed -n 's/\x1b/ESC/gp' | head -4
  ESC[1mpictures.mlwESC[0m: 1 goal, 9 queries
    ESC[2mnetworkESC[0m    ESC[1mnet.onnxESC[0m      3x32x32 -> 5, 678 neurons, sha256 0123456789ab
    ESC[2mhierarchyESC[0m  ESC[1manimals.hierESC[0m  5 classes, depth 3, cut "coarse"
    ESC[2mdatasetESC[0m    ESC[1mpictures.npzESC[0m  9 of 100 samples, 3x32x32
