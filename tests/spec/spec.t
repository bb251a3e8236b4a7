What a user sees of specifications. `plan` prints what would be asked of a prover, over networks and datasets that are
described in plan.ml; `Q.P` is property P of query Q.

  $ ln -s ../../caisar_ext/bin/main.exe caisar-ext && PATH=$PWD:$PATH
  $ touch net.onnx wide.onnx one.onnx
  $ for folder in good bad/planning; do cp *.onnx pets.hier $folder; done

Specifications that are right:

  $ for file in levels stable filter connectives outputs names numbers normalised domain theories regions; do
  >   echo "== $file"
  >   ./plan.exe good/$file.mlw
  > done
  == levels
  T.robust = (and 0.0 1.0 2.0 3.0)
  T.at_home = (and 0.1 1.1 2.0 3.1)
  T.wider = 4.0
  0: net.onnx on ball test.csv:0 1/10, range 0..1
    0.0 within {0}
    0.1 within {0 1}
  1: net.onnx on ball test.csv:1 1/10, range 0..1
    1.0 within {1}
    1.1 within {0 1}
  2: net.onnx on ball test.csv:2 1/10, range 0..1
    2.0 within {2}
  3: net.onnx on ball test.csv:3 1/10, range 0..1
    3.0 within {1}
    3.1 within {0 1}
  4: net.onnx on ball test.csv:0 1/5, range 0..1
    4.0 within {0 1}
  == stable
  T.stable = (and 0.0 1.0 2.0 undecided: tie at sample 3 of test.csv between classes 0, 2)
  T.where_right = (and 0.1 1.1 2.0 (or (not undecided: tie at sample 3 of test.csv between classes 0, 2) 3.0))
  0: net.onnx on ball test.csv:0 1/10, range 0..1
    0.0 within {0 1}
    0.1 within {0}
  1: net.onnx on ball test.csv:1 1/10, range 0..1
    1.0 within {0 1}
    1.1 within {1}
  2: net.onnx on ball test.csv:2 1/10, range 0..1
    2.0 within {2}
  3: net.onnx on ball test.csv:3 1/10, range 0..1
    3.0 within {1}
  == filter
  T.dogs = (and 0.0 1.0)
  T.some_dog = (or 2.0 3.0)
  0: net.onnx on ball test.csv:1 1/10, range 0..1
    0.0 within {1}
  1: net.onnx on ball test.csv:3 1/10, range 0..1
    1.0 within {1}
  2: net.onnx on ball test.csv:1 1/10
    2.0 within {1}
  3: net.onnx on ball test.csv:3 1/10
    3.0 within {1}
  == connectives
  T.either = (or 0.0 0.1)
  T.only_if = (or (not 0.0) (not 0.1))
  T.equivalent = (and (or (not 0.0) 0.2) (or (not 0.2) 0.0))
  T.chosen = 0.0
  0: net.onnx on ball test.csv:0 1/10
    0.0 within {0}
    0.1 within {1}
    0.2 within {2}
  == outputs
  T.bounded = 0.0
  T.ordered = 0.1
  T.premise = 0.2
  T.split = (and 1.0 2.0)
  T.mixed = (and 3.0 4.0)
  0: net.onnx on ball test.csv:0 1/10
    0.0 avoid [-1*y0 + -1 > 0] or [1*y0 + -1 >= 0]
    0.1 avoid [-1*y0 + 1*y1 + 0 >= 0, -1*y0 + 2*y2 + 1/2 >= 0]
    0.2 avoid [1*y2 + 0 >= 0, 1*y0 + -1*y1 + 0 >= 0, 1*y0 + -1*y2 + 0 >= 0]
  1: net.onnx on ball test.csv:0 1/10, x0 < 1/2
    1.0 avoid [-1*y0 + 0 > 0] or [1*y0 + 0 > 0]
  2: net.onnx on ball test.csv:0 1/10, x0 > 1/2
    2.0 avoid [-1*y0 + 0 > 0] or [1*y0 + 0 > 0]
  3: net.onnx on ball test.csv:0 1/10, x1 < 1/2
    3.0 within {0}
  4: net.onnx on ball test.csv:0 1/10, x1 >= 1/2
    4.0 avoid [1*y0 + -1 > 0]
  == names
  T.nested = (and 0.0 1.0)
  0: net.onnx on ball test.csv:0 1/10
    0.0 avoid [-1*y2 + 1 > 0] or [-1*y0 + 1/2 > 0]
  1: net.onnx on ball test.csv:1 1/10
    1.0 avoid [-1*y2 + 1 > 0] or [-1*y1 + 1/2 > 0]
  == numbers
  T.exact = 0.0
  0: net.onnx on range 0..1, x0 >= 2/255, x1 >= 3/16, x2 >= 1/1000, x3 >= -1/10
    0.0 avoid [-1*y0 + 12345678901234567890123456789012345678901234567890123456789/100000000000000000000000000000000000000000000000000000000000 > 0]
  == normalised
  T.gray_levels = 0.0
  T.outputs = 1.0
  0: net.onnx after (x - (1307/10000)) / (3081/10000) on range 0..1
    0.0 within {0 1}
  1: net.onnx after (x - (1/2)) / (1/4) on range 0..1
    1.0 avoid [1*y0 + -1 > 0]
  == domain
  T.cascade = 0.0
  T.intervals = 1.0
  0: net.onnx on ball test.csv:0 1/10, range 0..1
    0.0 within {0}
  1: net.onnx, domain interval on ball test.csv:0 1/10, range 0..1
    1.0 within {0}
  == theories
  First.g = 0.0
  Second.g = 0.1
  0: net.onnx on x0 <= 1, x0 >= 0, x1 <= 1, x1 >= 0, x2 < 1, x2 >= 0, x3 <= 1, x3 > 0
    0.0 within {1 2}
    0.1 within {0 2}
  == regions
  T.between = (and 0.0 1.0)
  T.two_files = 2.0
  T.each_radius = (and 3.0 4.0)
  T.radii_of_a_file = 5.0
  T.relative = 6.0
  T.images_by_name = 7.0
  0: net.onnx on box boxes.npz:0(lower)..boxes.npz:0(upper)
    0.0 within {0}
  1: net.onnx on box boxes.npz:1(lower)..boxes.npz:1(upper)
    1.0 within {1}
  2: net.onnx on box boxes.npz:0(images)..test.csv:3(images)
    2.0 within {0 1}
  3: net.onnx on radii boxes.npz:0 boxes.npz:0(radii), range 0..1
    3.0 within {0 1}
  4: net.onnx on radii boxes.npz:1 boxes.npz:1(radii), range 0..1
    4.0 within {0 1}
  5: net.onnx on radii boxes.npz:1 test.csv:1(images)
    5.0 within {0 1}
  6: net.onnx on relative ball boxes.npz:0 1/10
    6.0 within {0}
  7: net.onnx on ball boxes.npz:0 1/10
    7.0 within {0}

The examples of the page of the language:

  $ awk '/^```whyml/ { n++ } /^theory/ { inside = 1 } inside { print > ("page" n ".mlw") } /^end/ { inside = 0 }' ../../grammar/whyml.md
  $ for file in page*.mlw; do ./plan.exe $file; done
  Pets.robust = (and 0.0 1.0 2.0 3.0)
  Pets.at_home = (and 0.1 1.1 2.0 3.1)
  Pets.dogs = (and 1.0 3.0)
  0: net.onnx on ball test.csv:0 2/255, range 0..1
    0.0 within {0}
    0.1 within {0 1}
  1: net.onnx on ball test.csv:1 2/255, range 0..1
    1.0 within {1}
    1.1 within {0 1}
  2: net.onnx on ball test.csv:2 2/255, range 0..1
    2.0 within {2}
  3: net.onnx on ball test.csv:3 2/255, range 0..1
    3.0 within {1}
    3.1 within {0 1}
  Boxes.between = (and 0.0 1.0)
  Boxes.sensors = (and 2.0 3.0)
  Boxes.contrast = (and 4.0 5.0)
  0: net.onnx on box boxes.npz:0(lower)..boxes.npz:0(upper)
    0.0 within {0}
  1: net.onnx on box boxes.npz:1(lower)..boxes.npz:1(upper)
    1.0 within {1}
  2: net.onnx on radii boxes.npz:0 test.csv:0(images)
    2.0 within {0}
  3: net.onnx on radii boxes.npz:1 test.csv:1(images)
    3.0 within {1}
  4: net.onnx on relative ball boxes.npz:0 1/20, range 0..1
    4.0 within {0}
  5: net.onnx on relative ball boxes.npz:1 1/20, range 0..1
    5.0 within {1}
  Radius.bright = 0.0
  0: net.onnx on x0 <= 1, x0 >= 253/255, x1 <= 1, x1 >= 0, x2 <= 1, x2 >= 0, x3 <= 1, x3 >= 0
    0.0 avoid [1*y0 + -3/2 > 0, -2*y1 + 1*y2 + 0 >= 0]
  Compare.cascade = 0.0
  Compare.intervals = 1.0
  0: net.onnx on range 0..1
    0.0 within {0 1}
  1: net.onnx, domain interval on range 0..1
    1.0 within {0 1}

Warnings:

  $ ./plan.exe good/warnings.mlw
  good/warnings.mlw:12:20-79: warning: the range of i is empty
     12 |   goal no_sample : abstract_safe net tree (up 0) (read_dataset "empty.csv") 0.1
        |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  good/warnings.mlw:12:8-16: warning: goal no_sample holds without a question to the prover
     12 |   goal no_sample : abstract_safe net tree (up 0) (read_dataset "empty.csv") 0.1
        |        ^^^^^^^^^
        = check its conditions
  good/warnings.mlw:13:8-15: warning: goal filtered holds without a question to the prover
     13 |   goal filtered : forall i: int. 0 <= i < 1 -> truth test[i] = class_of tree "wolf" ->
        |        ^^^^^^^^
        = check its conditions
  good/warnings.mlw:15:42-73: warning: in_ball holds nowhere: the radius is negative
     15 |   goal negative : forall x: vector real. in_ball x (image test[0]) (-0.1) -> predict net x = 0
        |                                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  good/warnings.mlw:15:8-15: warning: goal negative holds without a question to the prover
     15 |   goal negative : forall x: vector real. in_ball x (image test[0]) (-0.1) -> predict net x = 0
        |        ^^^^^^^^
        = check its conditions
  good/warnings.mlw:16:17-54: warning: up 2 is the root of good/pets.hier for every class: only never pairs are left to check
     16 |   goal coarse : abstract_safe net tree (up 2) test 0.1
        |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = up 1 is the coarsest level below the root
  good/warnings.mlw:17:8-13: warning: goal false_ is false without a question to the prover
     17 |   goal false_ : 1.0 >. 2.0
        |        ^^^^^^
        = check its conditions
  T.no_sample = true
  T.filtered = true
  T.negative = true
  T.coarse = 0.0
  T.false_ = false
  0: net.onnx on ball test.csv:2 1/10, range 0..1
    0.0 within {0 2}

Constants from the command line are typed in their place, and exact:

  $ ./plan.exe good/constants.mlw eps:2.0 | tail -n 2
  0: net.onnx on ball test.csv:0 2/255, range 0..1
    0.0 within {0}
  $ ./plan.exe good/constants.mlw 'eps:(0x1p3 +. 0.1) /. 3.0' 'level:cut "home"' | tail -n 2
  0: net.onnx on ball test.csv:0 9/850, range 0..1
    0.0 within {0 1}
  $ ./plan.exe good/constants.mlw eps:2
  --define eps:1:1: error: Cannot cast an integer literal to type real
      1 | 2
        | ^
  [3]
  $ ./plan.exe good/constants.mlw 'eps:2.0 +'
  --define eps:1:6: error: syntax error
      1 | 2.0 +
        |      ^
        = the text makes no sense from here on: what is missing or wrong stands just before
  [3]
  $ ./plan.exe good/constants.mlw 'eps:2.0 end'
  --define eps:1:5-7: error: syntax error
      1 | 2.0 end
        |     ^^^
        = the text makes no sense from here on: what is missing or wrong stands just before
  [3]
  $ ./plan.exe good/constants.mlw 'eps:é'
  --define eps:1:1: error: illegal character é
      1 | é
        | ^
  [3]
  $ ./plan.exe good/constants.mlw eps:
  --define eps:1:1: error: syntax error
      1 | 
        | ^
        = the text makes no sense from here on: what is missing or wrong stands just before
  [3]
  $ ./plan.exe good/constants.mlw 'eps:eps +. 1.0'
  good/constants.mlw:12:12-14: error: eps calls itself: recursion is outside the profile
     12 |   constant eps : real
        |            ^^^
  [3]
  $ ./plan.exe good/constants.mlw 'eps:levle'
  --define eps:1:1-5: error: unbound function or predicate symbol 'levle'
      1 | levle
        | ^^^^^
        = did you mean "level"?
  [3]
  $ ./plan.exe good/constants.mlw ep:1.0 levels:1
  error: --define ep: the specification has no such constant
        = did you mean "eps"?
  error: --define levels: the specification has no such constant
        = did you mean "level"?
  [3]
  $ ./plan.exe good/constants.mlw eps:1.0 eps:2.0
  error: --define eps is given twice
  [3]
  $ caisar-ext verify good/constants.mlw -D eps
  caisar-ext: option '-D': invalid value 'eps', missing a ':' separator
  Usage: caisar-ext verify [OPTION]… SPEC
  Try 'caisar-ext verify --help' or 'caisar-ext --help' for more information.
  [3]
  $ caisar-ext verify good/constants.mlw
  good/constants.mlw:14:57-59: error: eps is declared but not defined
     14 |   goal g : abstract_safe net tree level (first 1 test) (eps /. 255.0)
        |                                                         ^^^
        = give it a value with --define eps:VALUE, or in the specification
  [3]

Goals and theories are chosen by name:

  $ caisar-ext verify good/theories.mlw -g h -g Frist.g -T Third
  error: --theory Third: the specification has none
        = known here: First, Second
  error: --goal h: the specification has none
        = did you mean "g"?
  error: --goal Frist.g: the specification has none
        = did you mean "First.g"?
  [3]
  $ caisar-ext verify good/theories.mlw -g First.g -T Second
  error: no goal is both in --theory and in --goal
  [3]

No specification:

  $ caisar-ext verify nothing.mlw
  error: no specification nothing.mlw
  [3]
  $ caisar-ext verify good
  error: good is a folder, not a specification
  [3]

Mistakes that no prover is needed to find:

  $ for file in bad/reading/*.mlw; do
  >   echo "== $(basename $file .mlw)"
  >   caisar-ext verify $file
  >   test $? = 3 || echo "WRONG EXIT CODE"
  > done
  == accents
  bad/reading/accents.mlw:4:30: error: This term has type int, but is expected to have type real
      4 |   goal g : (* où est-il ? *) 1 >. 0.0
        |                              ^
  == after_end
  bad/reading/after_end.mlw:4:1-13: error: declarations both inside and outside of a theory
      4 | goal h : true
        | ^^^^^^^^^^^^^
  == attribute
  bad/reading/attribute.mlw:2:8: error: unknown attribute [@caisar_ext:domian linear]
      2 |   goal g [@caisar_ext:domian linear] : true
        |        ^
        = known here: [@caisar_ext:domain NAME]
  == boolean
  bad/reading/boolean.mlw:3:21-24: error: values of type bool and tuples are outside the profile
      3 |   goal g : strict = true
        |                     ^^^^
        = write a predicate instead of a bool, separate arguments instead of a tuple
  == crlf
  bad/reading/crlf.mlw:3:12: error: This term has type int, but is expected to have type real
      3 |   goal g : 1 >. 0.0 
        |            ^
  == defined_twice
  bad/reading/defined_twice.mlw:3:12-14: error: Symbol eps is already defined in the current scope
      3 |   constant eps : real = 0.2
        |            ^^^
  == empty
  error: bad/reading/empty.mlw has no goal
        = add: goal NAME: FORMULA
  == exponent
  bad/reading/exponent.mlw:3:12-23: error: the exponent of this number is beyond 10000
      3 |   goal g : 1e1000000000 >. 0.0
        |            ^^^^^^^^^^^^
  == forgotten_use
  bad/reading/forgotten_use.mlw:3:35-45: error: unbound function or predicate symbol 'valid_image'
      3 |   goal g : forall x: vector real. valid_image x
        |                                   ^^^^^^^^^^^
        = it is in caisar_ext.safety.AbstractSafety: use caisar_ext.safety.AbstractSafety
  == integer_for_real
  bad/reading/integer_for_real.mlw:3:12: error: This term has type int, but is expected to have type real
      3 |   goal g : 2 /. 255.0 >. 0.0
        |            ^
  == keyword
  bad/reading/keyword.mlw:3:13-17: error: syntax error
      3 |   predicate label (i: int) = i = 0
        |             ^^^^^
        = label is a keyword of WhyML, it cannot be a name
  == lambda
  bad/reading/lambda.mlw:3:12-27: error: this term is outside the profile
      3 |   goal g : (fun i -> i + 1) 2 = 3
        |            ^^^^^^^^^^^^^^^^
        = only first-order terms: no match, no function literal
  == match
  bad/reading/match.mlw:3:12-38: error: this term is outside the profile
      3 |   goal g : match 1 with i -> i = 1 end
        |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = only first-order terms: no match, no function literal
  == missing_argument
  bad/reading/missing_argument.mlw:5:35-45: error: This term has type caisar_ext.types.Vector.vector real -> int, but is expected to have type int
      5 |   goal g : forall x: vector real. predict net = 0
        |                                   ^^^^^^^^^^^
  == missing_end
  bad/reading/missing_end.mlw:3:1: error: syntax error
      3 | 
        | ^
        = the text makes no sense from here on: what is missing or wrong stands just before
  == no_goal
  error: bad/reading/no_goal.mlw has no goal
        = add: goal NAME: FORMULA
  == no_theory
  bad/reading/no_theory.mlw:1:1-18: error: declarations stand in a theory
      1 | use real.RealInfix
        | ^^^^^^^^^^^^^^^^^^
        = write: theory NAME ... end
  == outside
  bad/reading/outside.mlw:4:8-27: error: a type other than an abstract one or an alias is outside the profile
      4 |   type colour = Red | Green
        |        ^^^^^^^^^^^^^^^^^^^^
        = a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md
  bad/reading/outside.mlw:5:8-35: error: a type other than an abstract one or an alias is outside the profile
      5 |   type point = { x : int; y : int }
        |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md
  bad/reading/outside.mlw:6:9: error: an axiom is outside the profile
      6 |   axiom a : 0 = 1
        |         ^
        = a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md
  bad/reading/outside.mlw:7:9: error: a lemma is outside the profile
      7 |   lemma l : 0 = 0
        |         ^
        = a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md
  bad/reading/outside.mlw:8:13-36: error: an inductive predicate is outside the profile
      8 |   inductive even int = zero : even 0
        |             ^^^^^^^^^^^^^^^^^^^^^^^^
        = a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md
  bad/reading/outside.mlw:9:7-12: error: a program is outside the profile
      9 |   let double (i: int) = i + i
        |       ^^^^^^
        = a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md
  bad/reading/outside.mlw:10:13-18: error: an exception is outside the profile
     10 |   exception Failed
        |             ^^^^^^
        = a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md
  bad/reading/outside.mlw:11:8-16: error: a meta is outside the profile
     11 |   meta "rewrite" predicate even
        |        ^^^^^^^^^
        = a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md
  bad/reading/outside.mlw:12:3-15: error: clone is outside the profile
     12 |   clone int.Int
        |   ^^^^^^^^^^^^^
        = a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md
  bad/reading/outside.mlw:13:3-9: error: a scope is outside the profile
     13 |   scope S
        |   ^^^^^^^
        = a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md
  == recursion
  bad/reading/recursion.mlw:3:13-17: error: below calls itself: recursion is outside the profile
      3 |   predicate below (i: int) = i = 0 \/ below (i - 1)
        |             ^^^^^
  == several_lines
  bad/reading/several_lines.mlw:4:5-5:12: error: this term is outside the profile
      4 |     (fun i ->
        |     ^^^^^^^^^
        = only first-order terms: no match, no function literal
  == syntax
  bad/reading/syntax.mlw:3:26: error: syntax error
      3 |   goal g : forall i: int 0 <= i < 3 -> i < 5
        |                          ^
        = the text makes no sense from here on: what is missing or wrong stands just before
  == tabs
  bad/reading/tabs.mlw:3:11: error: This term has type int, but is expected to have type real
      3 |  goal g : 1 >. 0.0
        |           ^
  == tuple
  bad/reading/tuple.mlw:2:12-39: error: this term is outside the profile
      2 |   goal g : let (a, b) = (1, 2) in a = b
        |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = only first-order terms: no match, no function literal
  == two_domains
  bad/reading/two_domains.mlw:2:8: error: a goal has one domain at most
      2 |   goal g [@caisar_ext:domain linear] [@caisar_ext:domain interval] : true
        |        ^
  == type_error
  bad/reading/type_error.mlw:5:35-47: error: This term has type int, but is expected to have type real
      5 |   goal g : forall x: vector real. predict net x = 0.5
        |                                   ^^^^^^^^^^^^^
  == unclosed_comment
  bad/reading/unclosed_comment.mlw:2:12-13: error: unterminated comment
      2 |   goal g : (* is it true?
        |            ^^
  == unclosed_string
  bad/reading/unclosed_string.mlw:2:37-3:1: error: illegal character in string
      2 |   constant file : string = "net.onnx
        |                                     ^
  == undefined_constant
  bad/reading/undefined_constant.mlw:4:12-14: error: eps is declared but not defined
      4 |   goal g : eps >. 0.0
        |            ^^^
        = give it a value with --define eps:VALUE, or in the specification
  == undefined_predicate
  bad/reading/undefined_predicate.mlw:3:12-17: error: safe is declared but not defined
      3 |   goal g : safe 3
        |            ^^^^^^
        = define it in the specification; only symbols of our theories may stay without a definition
  == unknown_operator
  bad/reading/unknown_operator.mlw:4:16-18: error: unbound function or predicate symbol '(<=.)'
      4 |   goal g : 1.0 <=. 2.0
        |                ^^^
        = it is in real.RealInfix: use real.RealInfix
  == unknown_own_symbol
  bad/reading/unknown_own_symbol.mlw:4:12-16: error: unbound function or predicate symbol 'radus'
      4 |   goal g : radus >. 0.0
        |            ^^^^^
        = did you mean "radius"?
  == unknown_own_theory
  bad/reading/unknown_own_theory.mlw:5:7-11: error: no theory Comon
      5 |   use Comon
        |       ^^^^^
        = did you mean "Common"?
  == unknown_symbol
  bad/reading/unknown_symbol.mlw:6:35-44: error: unbound function or predicate symbol 'valid_imag'
      6 |   goal g : forall x: vector real. valid_imag x -> predict net x = 0
        |                                   ^^^^^^^^^^
        = did you mean "valid_image"?
  == unknown_theory
  bad/reading/unknown_theory.mlw:2:7-28: error: no theory caisar_ext.modle.Model
      2 |   use caisar_ext.modle.Model
        |       ^^^^^^^^^^^^^^^^^^^^^^
        = did you mean "caisar_ext.model.Model"?
  == unknown_theory_of_library
  bad/reading/unknown_theory_of_library.mlw:2:7-28: error: no theory caisar_ext.model.Modle
      2 |   use caisar_ext.model.Modle
        |       ^^^^^^^^^^^^^^^^^^^^^^
        = did you mean "caisar_ext.model.Model"?
  == unknown_type
  bad/reading/unknown_type.mlw:3:22-27: error: unbound type symbol 'vektor'
      3 |   goal g : forall x: vektor real. true
        |                      ^^^^^^
        = did you mean "vector"?
  == why3_library
  bad/reading/why3_library.mlw:3:7-15: error: no theory list.List
      3 |   use list.List
        |       ^^^^^^^^^
        = known here: int.Int, real.Real, real.RealInfix, caisar_ext.types.Vector, caisar_ext.model.Model, caisar_ext.dataset.Dataset, caisar_ext.hierarchy.Hierarchy, caisar_ext.safety.AbstractSafety

Text that is not UTF-8:

  $ caisar-ext verify bad/latin1.mlw 2>&1 | head -n 1
  bad/latin1.mlw:2:12: error: illegal character ÿ

Mistakes about networks, datasets and hierarchies:

  $ for file in bad/planning/*.mlw; do
  >   echo "== $(basename $file .mlw)"
  >   ./plan.exe $file
  >   test $? = 3 || echo "WRONG EXIT CODE"
  > done
  == box_of_an_input
  bad/planning/box_of_an_input.mlw:13:35-60: error: in_box: the input, and bounds from a dataset are expected
     13 |   goal g : forall x: vector real. in_box x x (upper test[0]) -> predict net x = 0
        |                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^
        = write: in_box x (lower d[i]) (upper d[i])
  == class_names
  bad/planning/pets.hier:2:36-38: error: class "dog" has index 1, but class 1 of the dataset is "wolf"
      2 |   group pet { class cat = 0  class dog = 1 }
        |                                    ^^^
        = classes of the hierarchy and of the dataset agree in name and index
  bad/planning/pets.hier:3:9-12: error: class "wolf" has index 2, but class 2 of the dataset is "dog"
      3 |   class wolf = 2
        |         ^^^^
        = classes of the hierarchy and of the dataset agree in name and index
  == class_of_another_network
  bad/planning/pets.hier:1:11-14: error: the network has 4 outputs, but "pets" has 3 classes
      1 | hierarchy pets {
        |           ^^^^
        = declare a class for each output from 3 to 3
  == class_out_of_range
  bad/planning/class_out_of_range.mlw:12:52-69: error: class 3 is out of range 0..2
     12 |   goal g : forall x: vector real. valid_image x -> predict net x <> 3
        |                                                    ^^^^^^^^^^^^^^^^^^
  == division_by_zero
  bad/planning/division_by_zero.mlw:13:61-73: error: division by zero
     13 |   goal g : forall x: vector real. in_ball x (image test[0]) (0.1 /. zero) -> predict net x = 0
        |                                                             ^^^^^^^^^^^^^
  == exists_input
  bad/planning/exists_input.mlw:12:12-68: error: exists over inputs is outside the language
     12 |   goal g : exists x: vector real. valid_image x /\ predict net x = 0
        |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = a prover proves or refutes for all inputs: write not (forall x: vector real. ...)
  == feature_out_of_range
  bad/planning/feature_out_of_range.mlw:12:52-63: error: index 4 is out of range 0..3: the network's input has 4 features
     12 |   goal g : forall x: vector real. valid_image x -> x[4] <=. 0.5 -> predict net x = 0
        |                                                    ^^^^^^^^^^^^
  == group_for_class
  bad/planning/group_for_class.mlw:12:69-87: error: "pet" is a group in bad/planning/pets.hier, not a class
     12 |   goal g : forall x: vector real. valid_image x -> predict net x <> class_of tree "pet"
        |                                                                     ^^^^^^^^^^^^^^^^^^^
        = write group instead of class_of
  == group_of_labels
  bad/planning/pets.hier:2:36-38: error: class "dog" has index 1, but class 1 of the dataset is "wolf"
      2 |   group pet { class cat = 0  class dog = 1 }
        |                                    ^^^
        = classes of the hierarchy and of the dataset agree in name and index
  bad/planning/pets.hier:3:9-12: error: class "wolf" has index 2, but class 2 of the dataset is "dog"
      3 |   class wolf = 2
        |         ^^^^
        = classes of the hierarchy and of the dataset agree in name and index
  == hierarchy_of_another_network
  bad/planning/pets.hier:1:11-14: error: the network has 4 outputs, but "pets" has 3 classes
      1 | hierarchy pets {
        |           ^^^^
        = declare a class for each output from 3 to 3
  == index_of_another_type
  bad/planning/index_of_another_type.mlw:12:12-36: error: r ranges over real
     12 |   goal g : forall r: real. r <=. 1.0
        |            ^^^^^^^^^^^^^^^^^^^^^^^^^
        = indices are int, inputs are vector real
  == inside_a_definition
  bad/planning/inside_a_definition.mlw:12:76-92: error: unknown group "wlid" in bad/planning/pets.hier
     12 |   predicate stays (x: vector real) (name: string) = member (predict net x) (group tree name)
        |                                                                            ^^^^^^^^^^^^^^^^^
        = did you mean "wild"?
  == many_cases
  bad/planning/many_cases.mlw:15:12-100: error: the negation of this goal has more than 10000 cases
     15 |   goal g : forall x: vector real. valid_image x -> not (nine (net @@ x) 0.0 /\ nine (net @@ x) 10.0)
        |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = split the goal
  == missing_dataset
  bad/planning/missing_dataset.mlw:12:42-67: error: no dataset tests.csv
     12 |   goal g : abstract_safe net tree (up 0) (read_dataset "tests.csv") 0.1
        |                                          ^^^^^^^^^^^^^^^^^^^^^^^^^^
  == missing_hierarchy
  bad/planning/missing_hierarchy.mlw:12:32-69: error: no hierarchy bad/planning/hierarchies/pets.hier
     12 |   constant other : hierarchy = read_hierarchy "hierarchies/pets.hier"
        |                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  == missing_network
  bad/planning/missing_network.mlw:12:60-83: error: no network bad/planning/nett.onnx
     12 |   goal g : forall x: vector real. valid_image x -> predict (read_model "nett.onnx") x = 0
        |                                                            ^^^^^^^^^^^^^^^^^^^^^^^^
  == negative_index
  bad/planning/negative_index.mlw:12:52-56: error: index -1 is negative
     12 |   goal g : forall x: vector real. valid_image x -> x[-1] <=. 0.5 -> predict net x = 0
        |                                                    ^^^^^
  == negative_level
  bad/planning/negative_level.mlw:12:12-52: error: up -1: the level is negative
     12 |   goal g : abstract_safe net tree (up (-1)) test 0.1
        |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = up 0 is the class itself
  == network_at_bounds
  bad/planning/network_at_bounds.mlw:13:52-78: error: a network applies to an input, not to other vectors
     13 |   goal g : forall x: vector real. valid_image x -> predict net (lower test[0]) = predict net x
        |                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^
  == no_bounds
  bad/planning/no_bounds.mlw:13:60-95: error: test.csv has no array "upper" of the shape of its images, uint8 or floating
     13 |   goal g : forall x: vector real. in_box x (lower test[0]) (upper (read_dataset "test.csv")[0]) -> predict net x = 0
        |                                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = known here: images
  == no_network
  bad/planning/no_network.mlw:12:12-96: error: this says nothing about a network
     12 |   goal g : forall x: vector real. valid_image x -> in_ball x (image test[0]) 0.1 -> x[0] <=. 1.0
        |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = use predict net x, or net @@ x
  == normalised_twice
  bad/planning/normalised_twice.mlw:12:52-85: error: an input that is normalised twice
     12 |   function scaled (x: vector real) : vector real = normalize x (gray 0.5) (gray 0.25)
        |                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  == not_linear
  bad/planning/not_linear.mlw:12:52-81: error: this is not linear in the unknowns
     12 |   goal g : forall x: vector real. valid_image x -> (net @@ x)[0] *. (net @@ x)[1] <=. 1.0
        |                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  == output_out_of_range
  bad/planning/output_out_of_range.mlw:12:52-64: error: index 3 is out of range 0..2
     12 |   goal g : forall x: vector real. valid_image x -> (net @@ x)[3] <=. 1.0
        |                                                    ^^^^^^^^^^^^^
  == outputs_at_a_sample
  bad/planning/outputs_at_a_sample.mlw:12:68-89: error: outputs at a sample are not in the language; its answer is: predict net (image d[i])
     12 |   goal g : forall x: vector real. in_ball x (image test[0]) 0.1 -> (net @@ image test[0])[0] <=. (net @@ x)[0]
        |                                                                    ^^^^^^^^^^^^^^^^^^^^^^
  == outside_of_a_ball
  bad/planning/outside_of_a_ball.mlw:12:52-80: error: the outside of a ball, of a box or of a range of images is not a region
     12 |   goal g : forall x: vector real. valid_image x -> in_ball x (image test[0]) 0.1 \/ predict net x = 0
        |                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = use in_ball, in_box, valid_image and the like as premises only
  == outside_of_a_box
  bad/planning/outside_of_a_box.mlw:13:52-91: error: the outside of a ball, of a box or of a range of images is not a region
     13 |   goal g : forall x: vector real. valid_image x -> in_box x (lower test[0]) (upper test[0]) \/ predict net x = 0
        |                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = use in_ball, in_box, valid_image and the like as premises only
  == radii_of_constants
  bad/planning/radii_of_constants.mlw:13:35-83: error: in_ball_radii: the input, the image of a sample, and radii from a dataset are expected
     13 |   goal g : forall x: vector real. in_ball_radii x (image test[0]) (rgb 0.1 0.2 0.3) -> predict net x = 0
        |                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = write: in_ball_radii x (image d[i]) (radii d[i])
  == relation_of_features
  bad/planning/relation_of_features.mlw:12:52-64: error: a constraint on the input may bound one feature only
     12 |   goal g : forall x: vector real. valid_image x -> x[0] <=. x[1] -> predict net x = 0
        |                                                    ^^^^^^^^^^^^^
        = regions are boxes and balls
  == relative_to_bounds
  bad/planning/relative_to_bounds.mlw:13:35-72: error: in_ball_relative: the input and the image of a sample are expected
     13 |   goal g : forall x: vector real. in_ball_relative x (lower test[0]) 0.1 -> predict net x = 0
        |                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = write: in_ball_relative x (image d[i]) ratio
  == sample_out_of_range
  bad/planning/sample_out_of_range.mlw:12:18-24: error: index 4 is out of range 0..3
     12 |   goal g : truth test[4] = 0
        |                  ^^^^^^^
  == shape
  bad/planning/shape.mlw:12:12-70: error: samples of wide.csv have shape 3x2x2, the network's input 1x2x2
     12 |   goal g : abstract_safe net tree (up 0) (read_dataset "wide.csv") 0.1
        |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  == shape_of_bounds
  bad/planning/shape_of_bounds.mlw:13:35-95: error: samples of wide.csv have shape 3x2x2, the network's input 1x2x2
     13 |   goal g : forall x: vector real. in_box x (lower test[0]) (image (read_dataset "wide.csv")[0]) -> predict net x = 0
        |                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  == single_output
  bad/planning/single_output.mlw:12:52-84: error: predict: the network has a single output
     12 |   goal g : forall x: vector real. valid_image x -> predict (read_model "one.onnx") x = 0
        |                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = compare its output: (net @@ x)[0]
  == two_inputs
  bad/planning/two_inputs.mlw:12:12-99: error: a second quantifier over inputs: a goal speaks of one input at a time
     12 |   goal g : forall x y: vector real. valid_image x -> valid_image y -> predict net x = predict net y
        |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  == two_networks
  bad/planning/two_networks.mlw:12:68-101: error: a second network (or normalisation) under the same input
     12 |   goal g : forall x: vector real. valid_image x -> predict net x = predict (read_model "wide.onnx") x
        |                                                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = write one goal for each
  == unbounded_index
  bad/planning/unbounded_index.mlw:12:12-53: error: the range of i is not bounded on both sides
     12 |   goal g : forall i: int. 0 <= i -> truth test[i] = 0
        |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = write: forall i: int. 0 <= i < length d -> ...
  == unbounded_input
  bad/planning/unbounded_input.mlw:12:12-75: error: feature 1 of the input has no lower bound
     12 |   goal g : forall x: vector real. 0.0 <=. x[0] <=. 1.0 -> predict net x = 0
        |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = add a premise: valid_image x, in_ball x (image d[i]) eps, or comparisons such as 0.0 <=. x[0] <=. 1.0
  == unknown_array
  bad/planning/unknown_array.mlw:13:60-81: error: boxes.npz has no array "uper" of the shape of its images, uint8 or floating
     13 |   goal g : forall x: vector real. in_box x (lower test[0]) (array "uper" test[0]) -> predict net x = 0
        |                                                            ^^^^^^^^^^^^^^^^^^^^^^
        = did you mean "upper"?
  == unknown_class
  bad/planning/unknown_class.mlw:12:69-87: error: unknown class "Cta" in bad/planning/pets.hier
     12 |   goal g : forall x: vector real. valid_image x -> predict net x <> class_of tree "Cta"
        |                                                                     ^^^^^^^^^^^^^^^^^^^
        = did you mean "cat"?
  == unknown_cut
  bad/planning/unknown_cut.mlw:12:12-57: error: unknown cut "course" in bad/planning/pets.hier
     12 |   goal g : abstract_safe net tree (cut "course") test 0.1
        |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = did you mean "coarse"?
  == unknown_group
  bad/planning/unknown_group.mlw:12:75-93: error: unknown group "wlid" in bad/planning/pets.hier
     12 |   goal g : forall x: vector real. valid_image x -> member (predict net x) (group tree "wlid")
        |                                                                           ^^^^^^^^^^^^^^^^^^^
        = did you mean "wild"?
