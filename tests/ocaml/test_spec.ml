(* What Why3's terms become: exact numbers, source order, references. *)

open Caisar_ext

type literal = { base : int; whole : string; fraction : string; exponent : int option }

(* {1 Numbers} *)

let text l =
  let letter = if l.base = 10 then "e" else "p" in
  (if l.base = 16 then "0x" else "")
  ^ l.whole ^ "." ^ l.fraction
  ^ Option.fold ~none:"" ~some:(Printf.sprintf "%s%d" letter) l.exponent

let power base e =
  let p = Q.of_bigint (Z.pow (Z.of_int base) (abs e)) in
  if e >= 0 then p else Q.inv p

let meaning l =
  let digits = Z.of_string_base l.base (l.whole ^ l.fraction) in
  let scale = power l.base (-String.length l.fraction) in
  Q.mul (Q.of_bigint digits) (Q.mul scale (power (if l.base = 10 then 10 else 2) (Option.value ~default:0 l.exponent)))

let literal =
  let open QCheck2.Gen in
  let* base = oneofl [ 10; 16 ] in
  let digit = map (fun d -> "0123456789abcdef".[d]) (int_range 0 (base - 1)) in
  let digits = string_size ~gen:digit (int_range 1 60) in
  let exponent = int_range (-40) 40 in
  let exponent = if base = 16 then map Option.some exponent else opt exponent in
  let+ whole = digits and+ fraction = digits and+ exponent = exponent in
  { base; whole; fraction; exponent }

let read literals =
  let goal i l = Printf.sprintf "  goal g%d : 0.0 <=. %s\n" i (text l) in
  let number (g : Spec.goal) =
    match g.formula.node with
    | Builtin (Le, [ _; { node = Rational q; _ } ]) -> q
    | _ -> Alcotest.fail "a comparison of numbers is expected"
  in
  List.map number (Toy.load (String.concat "" (List.mapi goal literals)))

let numbers =
  QCheck2.Test.make ~name:"literals are exact" ~count:20
    ~print:(fun l -> String.concat " " (List.map text l))
    QCheck2.Gen.(list_size (int_range 1 40) literal)
    (fun literals -> List.for_all2 Q.equal (List.map meaning literals) (read literals))

(* {1 Goals} *)

let test_order () =
  let names = List.map (fun (g : Spec.goal) -> g.theory ^ "." ^ g.name) in
  let text = "goal z : true goal a : true end theory Second goal z : true end theory First goal m : true" in
  let all = Toy.load text in
  Alcotest.(check (list string)) "source order" [ "T.z"; "T.a"; "Second.z"; "First.m" ] (names all);
  let chosen selection = names (Toy.load ~selection text) in
  let check name expected selection = Alcotest.(check (list string)) name expected (chosen selection) in
  check "by name" [ "T.z"; "Second.z" ] { Toy.everything with goals = [ "z" ] };
  check "by full name" [ "T.z"; "First.m" ] { Toy.everything with goals = [ "m"; "T.z" ] };
  check "by theory" [ "First.m" ] { Toy.everything with theories = [ "First" ] };
  check "both" [ "Second.z" ] { Toy.everything with theories = [ "Second"; "First" ]; goals = [ "z" ] }

let test_unselected () =
  (* what is not selected is typed, but need not be inside the profile nor defined *)
  let text = "constant eps : real goal g : true goal h : eps >. 0.0" in
  Alcotest.(check int) "one" 1 (List.length (Toy.load ~selection:{ Toy.everything with goals = [ "g" ] } text))

let rec definitions (t : Spec.term) =
  match t.node with
  | Call (d, args) -> d :: List.concat_map definitions args
  | Builtin (_, args) -> List.concat_map definitions args
  | Binary (_, a, b) -> definitions a @ definitions b
  | _ -> []

let test_definitions () =
  match Toy.load "constant c : int = 1 goal g : c = c goal h : valid_index test c" with
  | [ g; h ] -> (
      match (definitions g.formula, definitions h.formula) with
      | [ c; c' ], [ valid_index; test; c'' ] ->
        Alcotest.(check bool) "one definition" true (c == c' && c == c'');
        Alcotest.(check bool) "a user's" false (c.shipped || test.shipped);
        Alcotest.(check bool) "ours" true valid_index.shipped;
        Alcotest.(check bool) "no location inside ours" true (Lazy.force (Lazy.force valid_index.body).loc = None);
        Alcotest.(check bool) "a location inside a user's" true (Lazy.force (Lazy.force c.body).loc <> None)
      | _ -> Alcotest.fail "two and three definitions are expected")
  | _ -> Alcotest.fail "two goals are expected"

let test_speed () =
  (* parsing and typing, our theories included: about 3 ms of CPU; the bound is for a busy machine *)
  let start = Sys.time () in
  for _ = 1 to 20 do
    ignore (Toy.load "goal g : abstract_safe net tree (up 0) test 0.1")
  done;
  let each = (Sys.time () -. start) /. 20. in
  Alcotest.(check bool) (Printf.sprintf "%.1f ms" (1000. *. each)) true (each < 0.05)

let () =
  let case name test = Alcotest.test_case name `Quick test in
  let law (QCheck2.Test.Test cell as test) =
    case (QCheck2.Test.get_name cell) (fun () -> QCheck2.Test.check_exn ~rand:(Random.State.make [| 2024 |]) test)
  in
  Alcotest.run "spec"
    [ ("numbers", [ law numbers ]);
      ( "goals",
        [ case "order and selection" test_order; case "unselected" test_unselected; case "definitions" test_definitions;
          case "speed" test_speed ] ) ]
