(* The regions and properties of a formula against the formula itself, at every point of a small finite universe:
   inputs of two features, three outputs, and all their maximisers. *)

open Caisar_ext
module Classes = Hierarchy.Classes

let classes = [ 0; 1; 2 ]
let dataset : Query.dataset = { source = "d"; base = "/" }
let half n = Q.of_ints n 2
let row _ = function 0 -> [| half 0; half 0 |] | _ -> [| half 1; half 2 |]
let inputs = List.concat_map (fun a -> List.map (fun b -> [| half a; half b |]) [ -2; -1; 0; 1; 2 ]) [ -2; -1; 0; 1; 2 ]

let outputs =
  let values = [ -1; 0; 1 ] in
  List.concat_map (fun a -> List.concat_map (fun b -> List.map (fun c -> [| a; b; c |]) values) values) values

(* {1 Meaning} *)

let rec holds x y a : Violation.located Formula.t -> bool = function
  | True -> true
  | False -> false
  | Leaf { literal = Bound b; _ } -> Points.inside ~row x b
  | Leaf { literal = Outcome c; _ } -> Points.compares y c
  | Leaf { literal = Answer s; _ } -> Classes.mem a s
  | Leaf { literal = Undecided _; _ } -> assert false
  | Not f -> not (holds x y a f)
  | And fs -> List.for_all (holds x y a) fs
  | Or fs -> List.exists (holds x y a) fs

(* {1 Formulas} *)

let leaf literal : Violation.located Formula.t = Leaf { literal; loc = lazy None }

open QCheck2.Gen

let coordinate = map half (int_range (-2) 2)

let feature =
  let bound index lower upper (strict_lower, strict_upper) : Violation.literal =
    let strict_lower = strict_lower && lower <> None and strict_upper = strict_upper && upper <> None in
    Bound (Feature { index; lower; upper; strict_lower; strict_upper })
  in
  let* index = int_range 0 1 and* l = coordinate and* u = coordinate and* strict = pair bool bool in
  oneofl [ bound index (Some l) None strict; bound index None (Some u) strict; bound index (Some l) (Some u) strict ]

let ball =
  let ball index r : Violation.literal = Bound (Ball { dataset; index; radius = half r }) in
  map2 ball (int_range 0 1) (int_range 0 2)

let range =
  let range lower upper : Violation.literal = Bound (Range { lower; upper }) in
  map2 range (opt coordinate) (opt coordinate)

let weight = oneofl [ Q.of_int (-1); Q.one; Q.of_int 2; half 1 ]

let outcome =
  let term output = opt (map (fun weight : Query.term -> { output; weight }) weight) in
  let comparison a b c constant strict : Violation.literal =
    Outcome { terms = List.filter_map Fun.id [ a; b; c ]; constant; strict }
  in
  let* a = term 0 and* b = term 1 and* c = term 2 and* constant = coordinate and* strict = bool in
  pure (comparison a b c constant strict)

let answer =
  let answer s : Violation.literal = Answer (Classes.of_list s) in
  map answer (oneofl [ []; [ 0 ]; [ 1; 2 ]; [ 2 ]; [ 0; 1 ]; classes ])

let body =
  sized_size (int_range 0 10) @@ fix (fun self size ->
      let atom = map leaf (oneof [ feature; outcome; answer ]) in
      if size = 0 then frequency [ (8, atom); (1, oneofl [ Formula.True; False ]) ]
      else
        let several = list_size (int_range 0 3) (self (size / 2)) in
        frequency
          [ (1, atom); (2, map (fun f -> Formula.Not f) (self (size - 1))); (2, map (fun fs -> Formula.And fs) several);
            (2, map (fun fs -> Formula.Or fs) several) ])

(* Balls and ranges as premises. *)
let statement =
  let* premises = list_size (int_range 0 3) (map leaf (oneof [ ball; range; feature ])) and* body = body in
  pure (Formula.Or [ Not (And premises); body ])

let rec print : Violation.located Formula.t -> string = function
  | True -> "true"
  | False -> "false"
  | Not f -> "not " ^ print f
  | And fs -> "(and " ^ String.concat " " (List.map print fs) ^ ")"
  | Or fs -> "(or " ^ String.concat " " (List.map print fs) ^ ")"
  | Leaf { literal = Bound b; _ } -> Sexplib.Sexp.to_string (Query.sexp_of_bound b)
  | Leaf { literal = Outcome c; _ } -> Sexplib.Sexp.to_string (Query.sexp_of_comparison c)
  | Leaf { literal = Answer s; _ } -> "{" ^ String.concat " " (List.map string_of_int (Classes.elements s)) ^ "}"
  | Leaf { literal = Undecided _; _ } -> "undecided"

let cases f = Result.get_ok (Violation.cases ~loc:(lazy None) ~outputs:3 f)

(* {1 Laws} *)

let everywhere check = List.for_all (fun x -> List.for_all (fun y -> check x y) outputs) inputs
let law name generator check = QCheck2.Test.make ~name ~count:400 ~print generator check

let same_points f =
  let cases = cases f in
  everywhere (fun x y ->
      let violated (c : Violation.case) =
        List.for_all (Points.inside ~row x) c.region && Points.violates y c.property
      in
      let wrong = List.exists (fun a -> not (holds x y a f)) (Points.maximisers y) in
      wrong = List.exists violated cases)

let one_case_each f =
  let kind (c : Violation.case) = (c.region, match c.property with Within _ -> 0 | Avoid _ -> 1) in
  let kinds = List.map kind (cases f) in
  List.length (List.sort_uniq compare kinds) = List.length kinds

let laws =
  [ law "the cases are violated exactly where the formula is false for a maximiser" statement same_points;
    law "one case a region and kind of property" statement one_case_each;
    law "a tautology is violated nowhere" body (fun f -> same_points (Or [ f; Not f ])) ]

(* {1 Examples} *)

let comparison ?(constant = 0) ~strict terms : Query.comparison =
  { terms = List.map (fun (output, weight) : Query.term -> { output; weight = Q.of_int weight }) terms;
    constant = Q.of_int constant; strict }

let check_cases name expected f =
  let show cases =
    let one (c : Violation.case) =
      Sexplib.Sexp.List [ List (List.map Query.sexp_of_bound c.region); Query.sexp_of_property c.property ]
    in
    Sexplib.Sexp.to_string_hum (List (List.map one cases))
  in
  Alcotest.(check string) name (show expected) (show (cases f))

let answers s = leaf (Violation.Answer (Classes.of_list s))

let test_answers () =
  check_cases "one allowed set" [ { region = []; property = Within { classes = [ 0; 2 ] } } ] (answers [ 0; 2 ]);
  check_cases "conjunctions intersect" [ { region = []; property = Within { classes = [ 2 ] } } ]
    (And [ answers [ 0; 2 ]; Not (answers [ 0 ]) ]);
  check_cases "nothing is allowed" [ { region = []; property = Within { classes = [] } } ] (answers []);
  check_cases "everything is" [] (answers classes);
  check_cases "a premise on the answer" [ { region = []; property = Within { classes = [ 1; 2 ] } } ]
    (Or [ Not (answers [ 0; 1 ]); answers [ 1 ] ])

let test_strictness () =
  let le = comparison ~strict:false [ (0, -1) ] ~constant:1 in
  let gt = comparison ~strict:true [ (0, 1) ] ~constant:(-1) in
  let lt = comparison ~strict:true [ (0, -1) ] ~constant:1 in
  let ge = comparison ~strict:false [ (0, 1) ] ~constant:(-1) in
  check_cases "not <= is >" [ { region = []; property = Avoid { cases = [ [ gt ] ] } } ] (leaf (Outcome le));
  check_cases "not < is >=" [ { region = []; property = Avoid { cases = [ [ ge ] ] } } ] (leaf (Outcome lt));
  check_cases "not not < is <" [ { region = []; property = Avoid { cases = [ [ lt ] ] } } ] (Not (leaf (Outcome lt)))

let test_mixed () =
  (* the answer may be 1 only where output 0 is at most 0: both in one conjunction, ties included *)
  let positive = comparison ~strict:true [ (0, 1) ] in
  let beats k = comparison ~strict:false [ (1, 1); (k, -1) ] in
  check_cases "answer and outputs" [ { region = []; property = Avoid { cases = [ [ positive; beats 0; beats 2 ] ] } } ]
    (Or [ Not (leaf (Outcome positive)); Not (answers [ 1 ]) ])

let refused name f =
  match Violation.cases ~loc:(lazy None) ~outputs:3 f with
  | exception Diag.Error _ -> ()
  | _ -> Alcotest.failf "%s: not refused" name

let test_refused () =
  let ball = leaf (Bound (Ball { dataset; index = 0; radius = Q.one })) in
  refused "the outside of a ball" (Or [ ball; answers [ 0 ] ]);
  refused "the outside of a range" (leaf (Bound (Range { lower = Some Q.zero; upper = None })));
  (* 2^20 conjunctions, and a product of two lists within the limit *)
  let positive weight i = leaf (Outcome (comparison ~strict:true [ (i mod 3, weight) ])) in
  let either i = Formula.Or [ positive (i + 1) i; positive (-i - 1) i ] in
  refused "too many cases" (Not (And (List.init 20 either)));
  refused "a product of two" (Not (And [ And (List.init 12 either); And (List.init 12 (fun i -> either (i + 12))) ]));
  refused "a union" (Not (Or [ And (List.init 13 either); And (List.init 13 either) ]))

let test_undecided () =
  let view : Value.view = { dataset; labels = [| 0 |]; first = 0; length = 1 } in
  let tie : Value.tie = { sample = { view; index = 0 }; classes = [ 1; 2 ] } in
  match Violation.cases ~loc:(lazy None) ~outputs:3 (Or [ Not (leaf (Undecided tie)); answers [ 0 ] ]) with
  | Error found -> Alcotest.(check (list int)) "the tie" [ 1; 2 ] found.classes
  | Ok _ -> Alcotest.fail "a tie was decided"

let () =
  let case name test = Alcotest.test_case name `Quick test in
  let law (QCheck2.Test.Test cell as test) =
    case (QCheck2.Test.get_name cell) (fun () -> QCheck2.Test.check_exn ~rand:(Random.State.make [| 2024 |]) test)
  in
  Alcotest.run "violation"
    [ ("laws", List.map law laws);
      ( "examples",
        [ case "answers" test_answers; case "strictness" test_strictness; case "answers with outputs" test_mixed;
          case "refused" test_refused; case "ties at samples" test_undecided ] ) ]
