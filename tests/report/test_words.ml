open Caisar_ext

let check name expected found = Alcotest.(check string) name expected found

let rationals () =
  let is expected n d = check expected expected (Report_words.rational (Q.of_ints n d)) in
  is "2/255" 2 255;
  is "0" 0 1;
  is "3" 3 1;
  is "-7/255" (-7) 255;
  is "0.5/255" 1 510;
  is "0.2" 51 255;
  is "0.01" 1 100;
  is "-1/256" (-1) 256;
  is "1/7" 1 7

let numbers () =
  check "one" "1 query" (Report_words.plural 1 "query");
  check "several" "2 queries" (Report_words.plural 2 "query");
  check "s" "0 classes" (Report_words.plural 0 "class");
  check "not all" "99.9 %" (Report_words.percentage 9999 10000);
  check "all" "100.0 %" (Report_words.percentage 3 3);
  check "of none" "-" (Report_words.percentage 0 0);
  check "seconds" "59.9 s" (Report_words.duration 59.94);
  check "a minute" "1 min 0 s" (Report_words.duration 59.96);
  check "minutes" "2 min 5 s" (Report_words.duration 125.4);
  check "hours" "1 h 1 min" (Report_words.duration 3661.);
  check "small" "512 MiB" (Report_words.size (512 * 1048576));
  check "large" "1.5 GiB" (Report_words.size (1536 * 1048576))

let distances () =
  let radius = Some (Q.of_ints 2 255) in
  check "255ths" "1.50/255" (Report_words.distance ~radius (1.5 /. 255.));
  check "plain" "0.0123" (Report_words.distance ~radius:(Some (Q.of_ints 1 10)) 0.0123)

let texts () =
  check "control characters" "a?[31m?b??" (Report_table.printable "a\027[31m\nb\xc2\x9b");
  check "others stay" "é∀" (Report_table.printable "é∀");
  check "shorten" "é∀~" (Report_table.shorten 3 "é∀bc");
  check "short enough" "é∀b" (Report_table.shorten 3 "é∀b");
  Alcotest.(check (list string)) "pack" [ "a, b"; "cccccc"; "d" ]
    (Report_table.pack ~width:5 ~sep:", " [ "a"; "b"; "cccccc"; "d" ])

let tables () =
  let open Report_table in
  let shown width rows = Fmt.str "%a" (pp ~width ~indent:1 [ name "name"; right "n"; left "" ] rows) () in
  check "aligned" " name   n\n a      5\n bbbb  17\n" (shown 40 [ [ cell "a"; count 5 ]; [ cell "bbbb"; count 17 ] ]);
  check "cut" " name      n\n abcdefg~  1\n" (shown 12 [ [ cell "abcdefghijklmnop"; count 1 ] ]);
  check "as wide as it must be" " name       n\n abcdefgh~  1\n" (shown 13 [ [ cell "abcdefghijklmnop"; count 1 ] ])

let progress () =
  let state : Progress.state = { total = 40; answered = 10; proven = 7; refuted = 2; planned = 4.; elapsed = 14. } in
  check "bar" "[######..................] 10/40 queries, 7 proven, 2 refuted, 14.0 s, about 30.0 s left"
    (Progress.line ~width:100 state);
  check "narrow" "10/40 queries, 7 proven, 2 refuted, 14.~" (Progress.line ~width:41 state);
  check "nothing yet" "[........................] 0/40 queries, 0 proven, 0 refuted, 4.0 s"
    (Progress.line ~width:100 { state with answered = 0; proven = 0; refuted = 0; elapsed = 4. });
  check "no query" "[########################] 0/0 queries, 0 proven, 0 refuted, 4.0 s"
    (Progress.line ~width:100 { state with total = 0; answered = 0; proven = 0; refuted = 0; elapsed = 4. })

let regions () =
  let dataset : Query.dataset = { source = "boxes.npz"; base = "/" } in
  let row array : Query.row = { dataset; array; index = 3 } in
  let check expected bounds = Alcotest.(check string) expected expected (Report_words.region_kind ~radius:None bounds) in
  let image : Query.bound = Range { lower = Some Q.zero; upper = Some Q.one } in
  check "box [lower, upper] in [0, 1]" [ Box { lower = row "lower"; upper = row "upper" }; image ];
  check "box [boxes.npz, upper]" [ Box { lower = row Query.images; upper = row "upper" } ];
  check "ball with radii" [ Radii { dataset; index = 3; radii = row "radii" } ];
  check "relative ball 0.1" [ Relative { dataset; index = 3; ratio = Q.of_ints 1 10 } ]

let () =
  let test name f = Alcotest.test_case name `Quick f in
  Alcotest.run "words"
    [ ( "words",
        [ test "rationals" rationals; test "numbers" numbers; test "distances" distances; test "texts" texts;
          test "tables" tables; test "progress" progress; test "regions" regions ] ) ]
