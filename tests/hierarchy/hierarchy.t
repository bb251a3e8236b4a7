What a user sees of class hierarchies. The Python twin reads the same folders in tests/python/test_hierarchy.py.

Files that are right:

  $ caisar-ext hierarchy check good/*.hier
  good/cifar10.hier: 10 classes, 3 groups, 1 overlay, 1 cut, 1 never pair, depth 3
  good/flat.hier: 3 classes, 0 groups, 0 overlays, 0 cuts, 0 never pairs, depth 1
  good/names.hier: 6 classes, 2 groups, 0 overlays, 1 cut, 0 never pairs, depth 2
  good/overlays.hier: 6 classes, 3 groups, 3 overlays, 1 cut, 2 never pairs, depth 3
  good/unbalanced.hier: 7 classes, 4 groups, 0 overlays, 3 cuts, 0 never pairs, depth 4

  $ for file in good/*.hier; do caisar-ext hierarchy show $file; echo; done
  cifar10
  ├── animal
  │   ├── mammal
  │   │   ├── cat = 3
  │   │   ├── deer = 4
  │   │   ├── dog = 5
  │   │   └── horse = 7
  │   ├── bird = 2
  │   └── frog = 6
  └── vehicle
      ├── airplane = 0
      ├── automobile = 1
      ├── ship = 8
      └── truck = 9
  overlay pet = { cat, dog }
  cut coarse = { animal, vehicle }
  never truck -> bird
  10 classes, 3 groups, 1 overlay, 1 cut, 1 never pair, depth 3
  
  flat
  ├── a = 1
  ├── b = 0
  └── c = 2
  3 classes, 0 groups, 0 overlays, 0 cuts, 0 never pairs, depth 1
  
  "ours et félins"
  ├── "group"
  │   ├── "polar bear" = 0
  │   └── "panthère" = 1
  ├── groups
  │   ├── cat' = 2
  │   └── _cat = 3
  ├── "say \"miaow\" \\" = 4
  └── "(* not a comment *)" = 5
  cut "two words" = { "group", groups, "say \"miaow\" \\", "(* not a comment *)" }
  6 classes, 2 groups, 0 overlays, 1 cut, 0 never pairs, depth 2
  
  zoo
  ├── animal
  │   ├── pets_of_the_house
  │   │   ├── cat = 0
  │   │   └── hamster = 2
  │   ├── dog = 1
  │   └── wolf = 3
  └── vehicle
      ├── car = 4
      └── truck = 5
  overlay pet = { cat, dog, hamster }
  overlay hunter = { cat, dog, wolf }
  overlay indoors = { cat, hamster, car }
  cut kind = { vehicle, animal }
  never vehicle -> pet
  never cat -> car
  6 classes, 3 groups, 3 overlays, 1 cut, 2 never pairs, depth 3
  
  deep
  ├── a = 0
  ├── ab
  │   ├── b = 1
  │   └── bc
  │       ├── c = 2
  │       └── cd
  │           ├── d = 3
  │           └── e = 4
  └── fg
      ├── f = 5
      └── g = 6
  cut fine = { a, b, c, cd, fg }
  cut coarse = { a, ab, fg }
  cut all = { deep }
  7 classes, 4 groups, 0 overlays, 3 cuts, 0 never pairs, depth 4
  

The canonical form does not depend on the order of the file:

  $ caisar-ext hierarchy show --sexp good/overlays.hier
  ((hierarchy(zoo((animal((pets_of_the_house((cat 0)(hamster 2)))(dog 1)(wolf 3)))(vehicle((car 4)(truck 5))))))(overlays((hunter(0 1 3))(indoors(0 2 4))(pet(0 1 2))))(cuts((kind(animal vehicle))))(never((0 4)(4 0)(4 1)(4 2)(5 0)(5 1)(5 2))))

For programs:

  $ caisar-ext hierarchy show --json good/names.hier
  {
    "file": "good/names.hier",
    "ok": true,
    "mistakes": [],
    "depth": 2,
    "tree": {
      "group": "ours et félins",
      "members": [
        {
          "group": "group",
          "members": [
            { "class": "polar bear", "index": 0 },
            { "class": "panthère", "index": 1 }
          ]
        },
        {
          "group": "groups",
          "members": [
            { "class": "cat'", "index": 2 }, { "class": "_cat", "index": 3 }
          ]
        },
        { "class": "say \"miaow\" \\", "index": 4 },
        { "class": "(* not a comment *)", "index": 5 }
      ]
    },
    "overlays": [],
    "cuts": [
      {
        "cut": "two words",
        "blocks": [
          "group", "groups", "say \"miaow\" \\", "(* not a comment *)"
        ]
      }
    ],
    "never": []
  }

  $ caisar-ext hierarchy check --json good/flat.hier bad/keyword_as_name.hier bad/indexes.hier; echo "exit code $?"
  [
    {
      "file": "good/flat.hier",
      "ok": true,
      "mistakes": [],
      "classes": 3,
      "groups": 0,
      "overlays": 0,
      "cuts": 0,
      "never_pairs": 0,
      "depth": 1
    },
    {
      "file": "bad/keyword_as_name.hier",
      "ok": false,
      "mistakes": [
        {
          "line": 1,
          "column": 33,
          "end_line": 1,
          "end_column": 35,
          "message": "syntax error: expected a name, found \"cut\"",
          "hint": "to use a keyword as a name, put it between double quotes"
        }
      ]
    },
    {
      "file": "bad/indexes.hier",
      "ok": false,
      "mistakes": [
        {
          "line": 2,
          "column": 44,
          "end_line": 2,
          "end_column": 44,
          "message": "index 0 is already that of \"cat\" (line 2)",
          "hint": "not used: 1, 2"
        },
        {
          "line": 3,
          "column": 31,
          "end_line": 3,
          "end_column": 31,
          "message": "index 7 is out of range: the indexes of 4 classes are 0 to 3",
          "hint": "not used: 1, 2"
        },
        {
          "line": 4,
          "column": 22,
          "end_line": 4,
          "end_column": 25,
          "message": "unknown name \"trck\"",
          "hint": "did you mean \"truck\"?"
        }
      ]
    }
  ]
  exit code 3

Every mistake has its place and, where there is one, its way out:

  $ for file in $(ls bad/*.hier | grep -v latin1); do caisar-ext hierarchy check $file; echo "exit code $?"; echo; done
  bad/accent.hier:1:36: error: unexpected character
      1 | hierarchy h { class "é" = 0 class bé = 1 }
        |                                    ^
        = a name with other characters than letters, digits, _ and ' goes between double quotes
  exit code 3
  
  bad/arrow.hier:1:59: error: unexpected character '-'
      1 | hierarchy h { class a = 0 class b = 1 class c = 2 never a - b }
        |                                                           ^
        = a name with other characters than letters, digits, _ and ' goes between double quotes
  exit code 3
  
  bad/bad_escape.hier:1:23: error: a backslash in a name is followed by " or \
      1 | hierarchy h { class "é\n" = 0 class b = 1 }
        |                       ^
  exit code 3
  
  bad/control_character.hier:1:23: error: a name has no control characters
      1 | hierarchy h { class "a b" = 0 class b = 1 }
        |                       ^
  exit code 3
  
  bad/cuts.hier:4:27-29: error: "animal" and "cat" overlap in cut "overlap"
      4 |   cut overlap = { animal, cat, mammal, vehicle }
        |                           ^^^
        = the blocks of a cut are disjoint
  bad/cuts.hier:4:32-37: error: "animal" and "mammal" overlap in cut "overlap"
      4 |   cut overlap = { animal, cat, mammal, vehicle }
        |                                ^^^^^^
        = the blocks of a cut are disjoint
  bad/cuts.hier:4:32-37: error: "cat" and "mammal" overlap in cut "overlap"
      4 |   cut overlap = { animal, cat, mammal, vehicle }
        |                                ^^^^^^
        = the blocks of a cut are disjoint
  bad/cuts.hier:5:7-10: error: cut "hole" leaves out "bird", "truck"
      5 |   cut hole = { mammal, car }
        |       ^^^^
        = the blocks of a cut cover the classes
  bad/cuts.hier:6:7-10: error: cut "both" leaves out "bird", "vehicle"
      6 |   cut both = { mammal, dog }
        |       ^^^^
        = the blocks of a cut cover the classes
  bad/cuts.hier:6:24-26: error: "mammal" and "dog" overlap in cut "both"
      6 |   cut both = { mammal, dog }
        |                        ^^^
        = the blocks of a cut are disjoint
  exit code 3
  
  bad/empty_file.hier:1:1: error: syntax error: expected "hierarchy", found the end of the file
      1 | 
        | ^
  exit code 3
  
  bad/empty_name.hier:1:21-22: error: a name has at least one character
      1 | hierarchy h { class "" = 0 class b = 1 }
        |                     ^^
  exit code 3
  
  bad/huge_index.hier:1:25-44: error: this index is too large
      1 | hierarchy h { class a = 99999999999999999999 class b = 1 }
        |                         ^^^^^^^^^^^^^^^^^^^^
  exit code 3
  
  bad/indexes.hier:2:44: error: index 0 is already that of "cat" (line 2)
      2 |   group animal { class cat = 0 class dog = 0 }
        |                                            ^
        = not used: 1, 2
  bad/indexes.hier:3:31: error: index 7 is out of range: the indexes of 4 classes are 0 to 3
      3 |   group vehicle { class car = 7 class truck = 3 }
        |                               ^
        = not used: 1, 2
  bad/indexes.hier:4:22-25: error: unknown name "trck"
      4 |   overlay o = { cat, trck }
        |                      ^^^^
        = did you mean "truck"?
  exit code 3
  
  bad/keyword_as_name.hier:1:33-35: error: syntax error: expected a name, found "cut"
      1 | hierarchy h { class a = 0 class cut = 1 }
        |                                 ^^^
        = to use a keyword as a name, put it between double quotes
  exit code 3
  
  bad/missing_index.hier:3:3-7: error: syntax error: expected "=", found "class"
      3 |   class b = 1
        |   ^^^^^
  exit code 3
  
  bad/names.hier:2:52-54: error: "cat" is already the name of a class (line 2)
      2 |   group animal { class cat = 0 class dog = 1 class cat = 2 }
        |                                                    ^^^
        = the hierarchy, its groups, classes and overlays all have different names
  bad/names.hier:3:9: error: "h" is already the name of the hierarchy (line 1)
      3 |   group h { class car = 3 class truck = 4 }
        |         ^
        = the hierarchy, its groups, classes and overlays all have different names
  bad/names.hier:4:9-15: error: group "nothing" is empty
      4 |   group nothing { }
        |         ^^^^^^^
        = add a class to it, or remove it
  bad/names.hier:6:11-13: error: "dog" is already the name of a class (line 2)
      6 |   overlay dog = { cat, bus }
        |           ^^^
        = the hierarchy, its groups, classes and overlays all have different names
  bad/names.hier:7:24-26: error: unknown name "dgo"
      7 |   overlay pet = { cat, dgo }
        |                        ^^^
        = did you mean "dog"?
  bad/names.hier:8:31-33: error: "cat" is listed twice
      8 |   overlay twice = { cat, bus, cat }
        |                               ^^^
        = remove one
  bad/names.hier:9:11-14: error: overlay "none" is empty
      9 |   overlay none = { }
        |           ^^^^
        = list its members between the braces
  bad/names.hier:10:21-23: error: "pet" is an overlay
     10 |   cut c = { animal, pet, bus }
        |                     ^^^
        = the members of cuts are groups and classes of the tree
  bad/names.hier:11:7: error: cut "c" is already declared (line 10)
     11 |   cut c = { animals, bus }
        |       ^
        = rename one
  bad/names.hier:11:13-19: error: unknown name "animals"
     11 |   cut c = { animals, bus }
        |             ^^^^^^^
        = did you mean "animal"?
  bad/names.hier:12:7: error: cut "d" is empty
     12 |   cut d = { }
        |       ^
        = list its members between the braces
  bad/names.hier:13:9-14: error: unknown name "trucks"
     13 |   never trucks -> cat
        |         ^^^^^^
        = did you mean "truck"?
  bad/names.hier:14:16-20: error: unknown name "mouse"
     14 |   never cat -> mouse
        |                ^^^^^
        = known here: h, animal, cat, dog, car, truck, nothing, bus, pet, twice, none
  exit code 3
  
  bad/negative_index.hier:1:25: error: unexpected character '-'
      1 | hierarchy h { class a = -1 class b = 1 }
        |                         ^
        = a name with other characters than letters, digits, _ and ' goes between double quotes
  exit code 3
  
  bad/never.hier:5:9-18: error: never: "cat" is on both sides
      5 |   never cat -> cat
        |         ^^^^^^^^^^
        = a class is always a right answer to itself
  bad/never.hier:6:9-21: error: never: "dog" is on both sides
      6 |   never animal -> dog
        |         ^^^^^^^^^^^^^
        = a class is always a right answer to itself
  bad/never.hier:7:9-8:15: error: never: "car" is on both sides
      7 |   never red
        |         ^^^
        = a class is always a right answer to itself
  exit code 3
  
  bad/no_class.hier:1:11: error: hierarchy "h" has no class
      1 | hierarchy h { }
        |           ^
        = declare one class for each output: class NAME = INDEX
  exit code 3
  
  bad/overlay_in_group.hier:2:25-31: error: syntax error: expected "group", "class" or "}", found "overlay"
      2 |   group g { class a = 0 overlay o = { a } }
        |                         ^^^^^^^
  exit code 3
  
  bad/same_extension.hier:2:9-14: error: "animal" has the same classes as "mammal"
      2 |   group animal { group mammal { group feline { class cat = 0 } class dog = 1 } }
        |         ^^^^^^
        = add a class to it, or keep one of the two
  bad/same_extension.hier:2:39-44: error: "feline" has the same classes as "cat"
      2 |   group animal { group mammal { group feline { class cat = 0 } class dog = 1 } }
        |                                       ^^^^^^
        = add a class to it, or keep one of the two
  bad/same_extension.hier:4:11-17: error: "mammals" has the same classes as "mammal"
      4 |   overlay mammals = { cat, dog }
        |           ^^^^^^^
        = use the other name
  bad/same_extension.hier:6:11-13: error: "toy" has the same classes as "pet"
      6 |   overlay toy = { car, cat }
        |           ^^^
        = use the other name
  bad/same_extension.hier:7:11-16: error: "single" has the same classes as "car"
      7 |   overlay single = { car }
        |           ^^^^^^
        = use the other name
  bad/same_extension.hier:8:11-13: error: "all" has the same classes as "h"
      8 |   overlay all = { vehicle, animal }
        |           ^^^
        = use the other name
  exit code 3
  
  bad/single_child_root.hier:1:11: error: "h" has the same classes as "a"
      1 | hierarchy h { class a = 0 }
        |           ^
        = add a class to it, or keep one of the two
  exit code 3
  
  bad/star_operator.hier:1:15: error: unexpected character '('
      1 | hierarchy h { (*) class a = 0 class b = 1 }
        |               ^
        = a name with other characters than letters, digits, _ and ' goes between double quotes
  exit code 3
  
  bad/text_after_end.hier:2:1-9: error: syntax error: expected the end of the file, found "hierarchy"
      2 | hierarchy k { class a = 0 class b = 1 }
        | ^^^^^^^^^
  exit code 3
  
  bad/trailing_comma.hier:1:71: error: syntax error: expected a name, found "}"
      1 | hierarchy h { class a = 0 class b = 1 class c = 2 overlay o = { a, b, } }
        |                                                                       ^
  exit code 3
  
  bad/unclosed_brace.hier:4:1: error: syntax error: expected "group", "class", "overlay", "cut", "never" or "}", found the end of the file
      4 | }
        | ^
        = a { is not closed
  exit code 3
  
  bad/unclosed_comment.hier:1:15-16: error: this comment is not closed
      1 | hierarchy h { (* one (* two *)
        |               ^^
        = end it with *)
  exit code 3
  
  bad/unclosed_name.hier:1:21: error: this name is not closed
      1 | hierarchy h { class "é polar = 0
        |                     ^
        = end it with " on the same line
  exit code 3
  

  $ caisar-ext hierarchy check bad/latin1.hier 2>&1 | iconv -c -f UTF-8 -t UTF-8
  bad/latin1.hier:2:10: error: the text is not UTF-8
      2 |   class "t" = 0 class b = 1 }
        |          ^
        = save the file in UTF-8

No file, a folder, and the wrong usage are the user's mistakes too:

  $ caisar-ext hierarchy check absent.hier good; echo "exit code $?"
  error: cannot read absent.hier: No such file or directory
  error: cannot read good: it is a directory
  exit code 3
  $ caisar-ext hierarchy show absent.hier; echo "exit code $?"
  error: cannot read absent.hier: No such file or directory
  exit code 3
  $ caisar-ext hierarchy check 2>/dev/null; echo "exit code $?"
  exit code 3
