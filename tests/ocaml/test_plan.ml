(* From specifications to queries: ranges of indices, regions, merging, ties. The oracle is a table ({!Toy}). *)

open Caisar_ext

(* Answers 0, 1 and 2 at the three samples, whose labels are 0, 1 and 1. *)
let world =
  let at_sample x = List.find_opt (fun i -> Toy.images.(i) = x) [ 0; 1; 2 ] in
  let one c = Array.init 3 (fun k -> if k = c then 1 else 0) in
  Toy.world ~labels:[ 0; 1; 1 ] ~outputs:(List.map (fun x -> one (Option.value ~default:0 (at_sample x))) Toy.grid)

let tied = Toy.world ~labels:[ 0; 1; 1 ] ~outputs:(List.map (fun _ -> [| 1; 0; 1 |]) Toy.grid)
let plan ?(world = world) ?samples text = Toy.plan ?samples (Toy.oracle world) text

let contains text part =
  let n = String.length part in
  let rec from i = i + n <= String.length text && (String.sub text i n = part || from (i + 1)) in
  from 0

let refused ?(world = world) text part =
  match plan ~world text with
  | exception Diag.Error mistakes ->
    let messages = String.concat "; " (List.map (fun (d : Diag.t) -> d.message) mistakes) in
    if not (contains messages part) then Alcotest.failf "%s\nis refused with: %s" text messages;
    if List.exists (fun (d : Diag.t) -> d.location = None) mistakes then Alcotest.failf "%s\nno location" text
  | _ -> Alcotest.failf "not refused: %s" text

(* {1 Ranges} *)

let around i =
  Printf.sprintf "forall x: vector real. valid_image x -> in_ball x (image test[%s]) 0.5 -> predict net x = 0" i

let samples (plan : Plan.t) =
  List.map (fun (q : Plan.query) -> (Option.get q.subject).index) (Array.to_list plan.queries)

let test_ranges () =
  let check expected text =
    Alcotest.(check (list int)) text expected (samples (plan ("predicate mid (k: int) = 1 <= k <= 2 goal g : " ^ text)))
  in
  check [ 0; 1; 2 ] ("forall i: int. 0 <= i < length test -> " ^ around "i");
  check [ 0; 1; 2 ] ("forall i: int. valid_index test i -> " ^ around "i");
  check [ 1; 2 ] ("forall i: int. length test > i /\\ i > 0 -> " ^ around "i");
  check [ 1; 2 ] ("forall i: int. mid i -> " ^ around "i");
  check [ 2 ] ("forall i: int. mid i -> 2 <= i -> " ^ around "i");
  check [ 2 ] ("forall i: int. i = 2 -> " ^ around "i");
  check [ 0; 1 ] ("forall i: int. 0 <= i -> i < 2 -> " ^ around "i");
  check [ 1 ] ("forall i: int. 0 <= i < 3 /\\ (i = 1 \\/ i = 7) -> " ^ around "i");
  check [ 1; 2 ] ("forall i: int. let j = i in 1 <= j < 3 -> " ^ around "j");
  check [ 1; 2 ] ("forall i j: int. 0 <= i < 2 -> i < j <= i + 1 -> " ^ around "j");
  check [ 1; 2 ] ("forall i: int. 0 <= i < 3 -> truth test[i] = class_of tree \"b\" -> " ^ around "i");
  check [ 1 ] ("forall i: int. 0 <= i < 3 -> predict net (image test[i]) = 1 -> " ^ around "i");
  check [ 0; 1 ] ("exists i: int. 0 <= i < 2 /\\ " ^ around "i");
  check [ 0; 2 ] ("exists i j: int. 0 <= i < 2 /\\ j = 2 * i /\\ " ^ around "j");
  check [] ("forall i: int. 2 <= i < 1 -> " ^ around "i");
  check [] ("forall i: int. 3 <= i < -1000000000000000000000000 -> " ^ around "i")

let test_unbounded () =
  let unbounded text = refused ("goal g : " ^ text ^ around "i") "not bounded on both sides" in
  unbounded "forall i: int. ";
  unbounded "forall i: int. i < 3 -> ";
  unbounded "forall i: int. 0 <= i \\/ i < 3 -> ";
  unbounded "forall i: int. not (i < 0) -> i < 3 -> ";
  unbounded "exists i: int. 0 <= i < 3 -> ";
  refused ("goal g : forall i: int. 0 <= i < 1000001 -> " ^ around "0") "more than 1000000";
  refused ("goal g : forall i: int. i = 100000000000000000000 -> " ^ around "0") "too large"

let test_samples () =
  let g = "goal g : forall i: int. 0 <= i < length (first 2 test) -> " ^ around "i" in
  Alcotest.(check (list int)) "first" [ 0; 1 ] (samples (plan g));
  Alcotest.(check (list int)) "samples 1:3, in the file's numbering" [ 1; 2 ] (samples (plan ~samples:(1, 3) g));
  let own = "goal g : abstract_stable net tree (up 0) test 0.5" in
  Alcotest.(check (list int)) "answers at those samples" [ 1; 2 ] (samples (plan ~samples:(1, 3) own));
  Alcotest.(check (list int)) "samples beyond the end" [] (samples (plan ~samples:(7, 9) g));
  refused ("goal g : " ^ around "3") "index 3 is out of range 0..2"

(* {1 Queries} *)

let queries text = Array.to_list (plan text).queries

let show_properties properties =
  String.concat " " (List.map (fun p -> Sexplib.Sexp.to_string (Query.sexp_of_property p)) properties)

let check_properties name expected text =
  match queries text with
  | [ q ] -> Alcotest.(check string) name (show_properties expected) (show_properties q.query.properties)
  | queries -> Alcotest.failf "%s: %d queries" name (List.length queries)

let within classes = Query.Within { classes }
let level_0 = Printf.sprintf "abstract_safe_at net tree (up 0) (image test[%d]) %d 0.5 "
let at_0 claim = "forall x: vector real. valid_image x -> in_ball x (image test[0]) 0.5 -> " ^ claim

let test_merging () =
  check_properties "levels of one region share a query" [ within [ 1 ]; within [ 0; 1 ] ]
    ("goal a : " ^ level_0 1 1 ^ "goal b : abstract_safe_at net tree (cut \"k\") (image test[1]) 1 (1.0 /. 2.0)");
  check_properties "equal properties are asked once" [ within [ 0 ] ]
    ("goal a : " ^ at_0 "predict net x = 0" ^ " goal b : " ^ at_0 "not (1 <= 0) /\\ 0 = predict net x");
  let two = "goal a : " ^ at_0 "predict net x = 0" in
  let count text = List.length (queries (two ^ text)) in
  Alcotest.(check int) "another domain" 2 (count (" goal b [@caisar_ext:domain linear] : " ^ at_0 "predict net x = 0"));
  Alcotest.(check int) "another network" 2 (count (" goal b : " ^ at_0 "predict (read_model \"other.onnx\") x = 0"));
  Alcotest.(check int) "another normalisation" 2
    (count (" goal b : " ^ at_0 "predict net (normalize x (gray 0.5) (gray 0.25)) = 0"));
  let ball_first = " goal b : forall x: vector real. in_ball x (image test[0]) 0.5 -> " in
  Alcotest.(check int) "no valid_image" 2 (count (ball_first ^ "predict net x = 0"));
  Alcotest.(check int) "premises in another order" 1 (count (ball_first ^ "valid_image x -> predict net x = 0"))

let test_reference () =
  let reference text = (Option.get (List.hd (queries text)).subject).reference |> Option.map snd in
  let plain = "goal a : " ^ at_0 "predict net x = 0 " and safe = "goal b : " ^ level_0 0 2 in
  Alcotest.(check (option int)) "none" None (reference plain);
  Alcotest.(check (option int)) "of the only goal with one" (Some 2) (reference (plain ^ safe));
  Alcotest.(check (option int)) "the first" (Some 2) (reference (safe ^ "goal c : " ^ level_0 0 1))

let test_stable () =
  (* the network answers 2 at sample 2, whose label is 1 *)
  let property text = List.map (fun (q : Plan.query) -> q.query.properties) (queries text) in
  let check name expected text =
    Alcotest.(check string) name (show_properties expected) (show_properties (List.concat (property text)))
  in
  check "truth" [ within [ 0 ]; within [ 1 ]; within [ 1 ] ] "goal g : abstract_safe net tree (up 0) test 0.5";
  check "own answer" [ within [ 0 ]; within [ 1 ]; within [ 2 ] ] "goal g : abstract_stable net tree (up 0) test 0.5";
  check "never c -> b, at the root too" [ within [ 0; 2 ] ]
    "goal g : abstract_safe_at net tree (up 2) (image test[0]) 2 0.5";
  check "the root, without never: nothing to ask" [] "goal g : abstract_safe_at net tree (up 2) (image test[0]) 0 0.5"

let test_ties () =
  let leaf text =
    match (plan ~world:tied text).goals with
    | [ { formula = Leaf (Plan.Undecided { reason; subject = Some { index; _ } }); _ } ] ->
      Printf.sprintf "%d: %s" index reason
    | _ -> Alcotest.fail "decided"
  in
  let expected = "1: tie at sample 1 of test between classes 0, 2" in
  Alcotest.(check string) "reference" expected
    (leaf "goal g : abstract_safe_at net tree (up 0) (image test[1]) (predict net (image test[1])) 0.5");
  Alcotest.(check string) "closed" expected (leaf "goal g : predict net (image test[1]) = 0");
  let guarded = "goal g : predict net (image test[1]) = 0 -> " ^ at_0 "predict net x <> 1" in
  Alcotest.(check bool) "a conclusion true whatever the tie" true
    (Toy.verdicts tied (plan ~world:tied guarded) = [ Valid ])

let test_regions () =
  let region text =
    match queries text with
    | [ q ] -> String.concat " " (List.map (fun b -> Sexplib.Sexp.to_string (Query.sexp_of_bound b)) q.query.region)
    | _ -> Alcotest.fail "one query is expected"
  in
  let check name expected premises =
    let goal = "goal g : forall x: vector real. " ^ premises ^ " -> (net @@ x)[0] <. 1.0" in
    Alcotest.(check string) name expected (region goal)
  in
  check "strict and closed, scaled"
    "(Range((lower(0))(upper(1)))) (Feature((index 0)(lower())(upper(1/2))(strict_lower false)(strict_upper true))) \
     (Feature((index 1)(lower(1/3))(upper())(strict_lower false)(strict_upper false)))"
    "valid_image x -> 2.0 *. x[0] <. 1.0 -> -. x[1] <=. -. (1.0 /. 3.0)";
  check "equality is two bounds"
    "(Range((lower(0))(upper(1)))) (Feature((index 0)(lower())(upper(1/2))(strict_lower false)(strict_upper false))) \
     (Feature((index 0)(lower(1/2))(upper())(strict_lower false)(strict_upper false)))"
    "valid_image x -> x[0] = 0.5";
  Alcotest.(check int) "a premise that is not a box splits" 2
    (List.length (queries "goal g : forall x: vector real. valid_image x -> x[0] <> 0.5 -> (net @@ x)[0] <. 1.0"))

let test_normalization () =
  match queries ("goal g : " ^ at_0 "predict net (normalize x (gray 0.4914) (gray (1.0 /. 3.0))) = 0") with
  | [ { network = { normalization = Some { mean = [ m ]; std = [ s ] }; _ }; _ } ] ->
    Alcotest.(check string) "exact" "2457/5000 1/3" (Q.to_string m ^ " " ^ Q.to_string s)
  | _ -> Alcotest.fail "one query with a normalisation is expected"

(* {1 What would be asked wrongly} *)

let test_refused () =
  let claim part text = refused ("goal g : " ^ at_0 text) part in
  claim "outputs at a sample" "(net @@ image test[0])[0] <=. (net @@ x)[0]";
  claim "outputs at a sample" "(net @@ normalize (image test[0]) (gray 0.0) (gray 1.0))[0] <=. 1.0";
  claim "a second network" "predict net x = predict (read_model \"other.onnx\") x";
  claim "a second network (or normalisation)" "predict net x = predict net (normalize x (gray 0.5) (gray 0.5))";
  claim "a second quantifier over inputs" "forall y: vector real. predict net y = 0";
  claim "outside of a ball" "in_ball x (image test[1]) 0.5 \\/ predict net x = 0";
  claim "outside of a ball" "predict net x = 0 /\\ valid_image x";
  claim "one feature only" "x[0] <=. x[1] -> predict net x = 0";
  claim "features with outputs" "(net @@ x)[0] <=. x[0]";
  claim "not linear" "(net @@ x)[0] *. (net @@ x)[1] <=. 1.0";
  claim "not linear" "1.0 /. (net @@ x)[0] <=. 1.0";
  claim "division by zero" "(net @@ x)[0] /. (0.5 -. 1.0 /. 2.0) <=. 1.0";
  claim "index 3 is out of range 0..2" "(net @@ x)[3] <=. 1.0";
  claim "index -1 is out of range" "(net @@ x)[-1] <=. 1.0";
  claim "index 2 is out of range 0..1" "x[2] <=. 1.0 -> predict net x = 0";
  claim "index -1 is negative" "x[-1] <=. 1.0 -> predict net x = 0";
  claim "depends on the input" "(if predict net x = 0 then 1.0 else 2.0) <=. (net @@ x)[0]";
  claim "class 3 is out of range 0..2" "predict net x = 3";
  claim "normalised twice" "predict net (normalize (normalize x (gray 0.0) (gray 1.0)) (gray 0.0) (gray 1.0)) = 0";
  claim "must be positive" "predict net (normalize x (gray 0.0) (gray 0.0)) = 0";
  refused "goal g : forall x: vector real. in_ball x (image test[0]) 0.5 -> x[0] <=. 1.0" "nothing about a network"

let test_bounds () =
  let open_side text part = refused ("goal g : forall x: vector real. " ^ text ^ " -> predict net x = 0") part in
  open_side "1 = 1" "feature 0 of the input has no lower bound";
  open_side "0.0 <=. x[0] <=. 1.0" "feature 1 of the input has no lower bound";
  open_side "0.0 <=. x[0] <=. 1.0 /\\ 0.0 <=. x[1]" "feature 1 of the input has no upper bound";
  Alcotest.(check int) "bounded by comparisons" 1
    (List.length
       (queries "goal g : forall x: vector real. 0.0 <=. x[0] <=. 1.0 /\\ 0.0 <. x[1] <. 1.0 -> predict net x = 0"))

let test_agreement () =
  let with_names class_names text () = ignore (Toy.plan (Toy.oracle ~class_names world) text) in
  let mistaken name text =
    match with_names [ "a"; "c"; "b" ] text () with
    | exception Diag.Error mistakes -> Alcotest.(check int) name 2 (List.length mistakes)
    | () -> Alcotest.failf "%s: not refused" name
  in
  mistaken "a level" "goal g : abstract_safe net tree (up 0) test 0.5";
  let constant = "constant b : class = class_of tree \"b\" " in
  let filter = "goal g : forall i: int. 0 <= i < 3 -> truth test[i] = b -> " in
  mistaken "a filter alone" (constant ^ filter ^ around "i");
  mistaken "a constant met in an earlier goal" (constant ^ "goal h : b = 1 " ^ filter ^ "0 = 0");
  with_names [ "a"; "b"; "c" ] "goal g : abstract_safe net tree (up 0) test 0.5" ();
  let shape : World.oracle =
    let oracle = Toy.oracle world in
    { oracle with dataset = (fun ~loc d -> { (oracle.dataset ~loc d) with shape = [ 1; 3 ] }) }
  in
  match Toy.plan shape ("goal g : " ^ around "0") with
  | exception Diag.Error [ { message; _ } ] ->
    Alcotest.(check string) "shapes" "samples of test have shape 1x3, the network's input 2" message
  | _ -> Alcotest.fail "a shape mismatch was accepted"

let test_closed () =
  let formula text = match (plan text).goals with [ g ] -> g.formula | _ -> Alcotest.fail "one goal" in
  let is_true name text = Alcotest.(check bool) name true (formula text = True) in
  is_true "a false premise guards what cannot be evaluated" "goal g : 1 = 2 -> truth test[99] = 0";
  is_true "a negative radius holds nowhere"
    "goal g : forall x: vector real. in_ball x (image test[0]) (-. 0.5) -> predict net x = 0";
  is_true "no sample passes the filter" ("goal g : forall i: int. 0 <= i < 3 -> truth test[i] = 2 -> " ^ around "i");
  is_true "an implication with a false premise" ("goal g : (" ^ at_0 "predict net x = 0" ^ ") -> 1 = 1");
  Alcotest.(check bool) "a false goal" true
    (formula "goal g : 1.0 /. 3.0 = 0.33333333333333333333333333333333333333" = False);
  let twice = plan ("goal g : not (not (" ^ at_0 "predict net x <> 0" ^ "))") in
  Alcotest.(check bool) "negation of a negation" true (Toy.verdicts world twice = [ Invalid (Witness Toy.witness) ])

let () =
  let case name test = Alcotest.test_case name `Quick test in
  Alcotest.run "plan"
    [ ("indices", [ case "ranges" test_ranges; case "unbounded" test_unbounded; case "samples" test_samples ]);
      ( "queries",
        [ case "merging" test_merging; case "reference" test_reference; case "safe and stable" test_stable;
          case "regions" test_regions; case "normalisation" test_normalization; case "ties at samples" test_ties ] );
      ( "refused",
        [ case "claims" test_refused; case "unbounded inputs" test_bounds; case "names and shapes" test_agreement ] );
      ("closed", [ case "formulas" test_closed ]) ]
