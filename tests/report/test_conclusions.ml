(* Conclusions against the truth: a set of answers is chosen for each sample, a prover that lies about nothing but may
   not know is asked about it, and what is concluded must be so. *)

open Caisar_ext
module Classes = Hierarchy.Classes
module Gen = QCheck2.Gen

let ( let* ) = Gen.( >>= )

let flat =
  Hierarchy_reader.of_string ~file:"flat.hier"
    "hierarchy flat { class a = 0 class b = 1 class c = 2 class d = 3 class e = 4 }"

let deep =
  Hierarchy_reader.of_string ~file:"deep.hier"
    {|hierarchy deep {
        group g { group h { group i { class a = 4 class b = 2 } class c = 0 } class d = 1 }
        class e = 3
        overlay o = { a, e }
        cut high = { g, e }
        cut low = { i, c, d, e }
        never i -> c
        never e -> a
      }|}

let levels hierarchy =
  let ups = List.init (Hierarchy.depth hierarchy + 1) (fun k -> (Printf.sprintf "up_%d" k, Hierarchy.Up k)) in
  ups @ List.map (fun (name, _) -> (name, Hierarchy.Cut name)) (Hierarchy.cuts hierarchy)

(* {1 A run} *)

(* [truth]: the answers that occur around the sample. *)
type asked = { sample : Scenario.sample; truth : Classes.t; answer : Protocol.answer option }

type case = { hierarchy : Hierarchy.t; levels : (string * Hierarchy.level) list; asked : asked list }

let subset_of classes = Gen.map (fun keep -> List.filter (fun c -> keep land (1 lsl c) <> 0) classes) (Gen.int_bound 31)

let some_of classes =
  let union (one, others) = List.sort_uniq compare (one :: others) in
  Gen.map union (Gen.pair (Gen.oneofl classes) (subset_of classes))

let outcome truth (property : Query.property) : Protocol.outcome Gen.t =
  let allowed = match property with Within { classes } -> Classes.of_list classes | Avoid _ -> Classes.empty in
  let outside = Classes.elements (Classes.diff truth allowed) in
  let undecided =
    Gen.oneofl [ Scenario.unknown ~margin:(-0.5) "bound"; Scenario.outcome Timeout; Scenario.outcome (Failure "lost") ]
  in
  if outside = [] then Gen.oneof [ Gen.return Scenario.proven; undecided ]
  else
    let refuted = Gen.map (fun classes -> Scenario.refuted classes 0) (some_of outside) in
    Gen.oneof [ refuted; undecided ]

let answer truth properties =
  let all = List.init 5 Fun.id in
  let* outcomes = Gen.flatten_l (List.map (outcome truth) properties) in
  let* impossible = subset_of (List.filter (fun c -> not (Classes.mem c truth)) all) in
  let* reached = subset_of (Classes.elements truth) in
  Gen.return (Scenario.answer ~impossible ~reached 0 outcomes)

let case : case Gen.t =
  let* hierarchy = Gen.oneofl [ flat; deep; Scenario.animals ] in
  let* chosen = some_of (List.init (List.length (levels hierarchy)) Fun.id) in
  let levels = List.map (List.nth (levels hierarchy)) chosen in
  let* truths = Gen.list_size (Gen.int_range 0 8) (Gen.pair (Gen.int_bound 4) (some_of (List.init 5 Fun.id))) in
  let sample i (reference, answers) = (Scenario.sample i reference, Classes.of_list answers) in
  let samples = List.mapi sample truths in
  let plan = Scenario.safety hierarchy levels (List.map fst samples) in
  let with_answer i (sample, truth) =
    Gen.map
      (fun answer -> { sample; truth; answer = Some { answer with Protocol.query = i } })
      (answer truth plan.queries.(i).query.properties)
  in
  let* asked = Gen.flatten_l (List.mapi with_answer samples) in
  Gen.return { hierarchy; levels; asked }

let conclude { hierarchy; levels; asked } =
  let plan = Scenario.safety hierarchy levels (List.map (fun a -> a.sample) asked) in
  let number i = Option.map (fun (a : Protocol.answer) -> { a with query = i }) in
  (plan, Aggregate.conclude plan (Array.of_list (List.mapi (fun i a -> number i a.answer) asked)))

let samples (c : Aggregate.t) = List.concat_map (fun (s : Aggregate.setting) -> s.samples) c.settings
let truth_of case (s : Aggregate.sample) = (List.find (fun a -> a.sample.index = s.subject.index) case.asked).truth

let print case =
  let one a =
    let classes s = String.concat " " (List.map string_of_int (Classes.elements s)) in
    Printf.sprintf "%d: reference %d, answers { %s }\n%s" a.sample.index a.sample.truth (classes a.truth)
      (Option.fold ~none:"-" ~some:(fun a -> Sexplib.Sexp.to_string_hum (Protocol.sexp_of_answer a)) a.answer)
  in
  String.concat "\n" (Hierarchy.file case.hierarchy :: List.map fst case.levels @ List.map one case.asked)

(* {1 Laws} *)

let allowed_truth case (s : Aggregate.sample) node =
  let forbidden = Hierarchy.forbidden_answers case.hierarchy s.reference in
  Classes.subset (truth_of case s) (Classes.diff (Hierarchy.extension case.hierarchy node) forbidden)

let levels_are_true case =
  let right s (node, (status : Aggregate.status)) =
    match status with
    | Proven -> allowed_truth case s node
    | Refuted -> not (allowed_truth case s node)
    | Open -> true
  in
  let all_right (s : Aggregate.sample) = List.for_all (right s) (s.levels @ s.overlays) in
  List.for_all all_right (samples (snd (conclude case)))

(* From the class upwards: refuted, then open, then proven. *)
let levels_are_monotone case =
  let rank : Aggregate.status -> int = function Refuted -> 0 | Open -> 1 | Proven -> 2 in
  let ranks (s : Aggregate.sample) = List.map (fun (_, status) -> rank status) s.levels in
  List.for_all (fun s -> ranks s = List.sort compare (ranks s)) (samples (snd (conclude case)))

let ends_are_levels case =
  let is status (s : Aggregate.sample) node =
    List.exists (fun (n, found) -> Hierarchy.equal n node && found = status) s.levels
  in
  let none status (s : Aggregate.sample) = List.for_all (fun (_, found) -> found <> status) s.levels in
  let right (s : Aggregate.sample) =
    Option.fold ~none:(none Proven s) ~some:(is Proven s) s.finest_proven
    && Option.fold ~none:(none Refuted s) ~some:(is Refuted s) s.coarsest_refuted
  in
  List.for_all right (samples (snd (conclude case)))

let goals_are_true case =
  let holds level a = Classes.subset a.truth (Hierarchy.allowed case.hierarchy level a.sample.truth) in
  let right (_, level) (g : Aggregate.goal) =
    match g.verdict with
    | Valid -> List.for_all (holds level) case.asked
    | Invalid _ -> not (List.for_all (holds level) case.asked)
    | Unknown _ | Timeout | Failure _ -> true
  in
  List.for_all2 right case.levels (snd (conclude case)).goals

let cells_are_true case =
  let _, conclusions = conclude case in
  let of_matrix (setting : Aggregate.setting) (m : Aggregate.matrix) =
    let cell row column (c : Aggregate.cell) =
      let extension = Hierarchy.extension case.hierarchy in
      let of_row (s : Aggregate.sample) = Classes.mem s.reference (extension row) in
      let in_row = List.filter of_row setting.samples in
      let hits s = not (Classes.disjoint (truth_of case s) (extension column)) in
      let number = List.length (List.filter hits in_row) in
      match c with
      | Witnessed n -> 0 < n && n <= number
      | Impossible -> in_row <> [] && number = 0
      | No_sample -> in_row = []
      | Undecided -> in_row <> []
    in
    List.for_all2 (fun row -> List.for_all2 (cell row) m.blocks) m.blocks m.rows
  in
  List.for_all (fun (s : Aggregate.setting) -> List.for_all (of_matrix s) s.matrices) conclusions.settings

(* What the report counts, by any order of the samples. *)
let counted (plan, (c : Aggregate.t)) =
  let kind (g : Aggregate.goal) = (Report_words.verdict g.verdict, g.counts) in
  let names h (g : Aggregate.group) = (Hierarchy.node_name h g.node, g.proven, g.refuted, g.open_) in
  let setting (s : Aggregate.setting) =
    ( Aggregate_levels.rows plan s, Aggregate_levels.intervals s, List.map (names s.hierarchy) s.groups,
      List.map (fun (m : Aggregate.matrix) -> m.rows) s.matrices )
  in
  (List.map kind c.goals, List.map setting c.settings, Aggregate.exit_code c)

let order_does_not_matter (case, seed) =
  let keyed = List.mapi (fun i a -> (Hashtbl.hash (seed, i), a)) case.asked in
  let shuffled = { case with asked = List.map snd (List.sort compare keyed) } in
  counted (conclude case) = counted (conclude shuffled)

(* An answer more never takes a conclusion back. *)
let answers_only_add (case, lost) =
  let drop i a = if lost land (1 lsl i) <> 0 then { a with answer = None } else a in
  let _, few = conclude { case with asked = List.mapi drop case.asked } and _, all = conclude case in
  let kept (_, (before : Aggregate.status)) (_, after) = before = Open || before = after in
  let levels (a : Aggregate.sample) (b : Aggregate.sample) = List.for_all2 kept a.levels b.levels in
  let goal (a : Aggregate.goal) (b : Aggregate.goal) =
    (not (Verdict.is_decided a.verdict)) || Report_words.verdict a.verdict = Report_words.verdict b.verdict
  in
  List.for_all2 levels (samples few) (samples all) && List.for_all2 goal few.goals all.goals

let sums_agree case =
  let plan, conclusions = conclude case in
  let of_setting (s : Aggregate.setting) =
    let all = List.length s.samples in
    let row (r : Aggregate_levels.row) = r.proven + r.refuted + r.open_ = all && r.asked <= all in
    let add n (i : Aggregate_levels.interval) = n + i.samples in
    let intervals = List.fold_left add 0 (Aggregate_levels.intervals s) in
    List.for_all row (Aggregate_levels.rows plan s) && intervals = all
  in
  List.for_all of_setting conclusions.settings

let truth_is_consistent case =
  let plan, _ = conclude case in
  let kept (query : Plan.query) asked =
    match asked.answer with
    | Some a when List.length a.outcomes = List.length query.query.properties -> Aggregate.consistent query.query a = a
    | _ -> true
  in
  List.for_all2 kept (Array.to_list plan.queries) case.asked

(* {1 Without chance} *)

(* A proof that class 0 alone is answered, beside a replayed witness of class 1; and a witness of an impossible class. *)
let lies_are_failures () =
  let query : Query.t = { query = 0; region = []; properties = [ Within { classes = [ 0 ] }; Within { classes = [ 0; 1; 2 ] } ] } in
  let fails name answer =
    let failure (o : Protocol.outcome) = match o.verdict with Failure _ -> true | _ -> false in
    let consistent = Aggregate.consistent query answer in
    Alcotest.(check bool) name true (List.for_all failure consistent.outcomes && consistent.reached = [])
  in
  fails "reached" (Scenario.answer ~impossible:[] ~reached:[ 1 ] 0 [ Scenario.proven; Scenario.proven ]);
  fails "refuted" (Scenario.answer ~impossible:[] ~reached:[] 0 [ Scenario.proven; Scenario.refuted [ 3 ] 0 ]);
  fails "impossible" (Scenario.answer ~impossible:[ 3 ] ~reached:[] 0 [ Scenario.refuted [ 3 ] 0; Scenario.refuted [ 3 ] 0 ])

let exit_codes () =
  let code name = Verification.exit_code (List.assoc name Cases.all).result in
  let check name expected = Alcotest.(check int) name expected (code name) in
  check "mixed" 1;
  check "undecided" 2;
  check "failures" 2;
  check "interrupted" 130;
  check "outputs" 1

let asked_levels () =
  let case = List.assoc "undecided" Cases.all in
  let rows = Aggregate_levels.rows case.result.plan (List.hd case.result.conclusions.settings) in
  let asked = List.map (fun (r : Aggregate_levels.row) -> (Fmt.str "%a" Hierarchy.pp_level r.level, r.asked)) rows in
  Alcotest.(check (list (pair string int)))
    "the cut, and the level that is the same for a dog"
    [ ("up 0", 0); ("up 1", 0); ("up 2", 9); ("up 3", 0); ("cut \"coarse\"", 9) ]
    asked

let () =
  let test name f = Alcotest.test_case name `Quick f in
  let check name gen print law =
    let property = QCheck2.Test.make ~name ~count:1000 ~print gen law in
    test name (fun () -> QCheck2.Test.check_exn ~rand:(Random.State.make [| 2026 |]) property)
  in
  let law name = check name case print in
  let print_with (case, n) = Printf.sprintf "%s\nwith %d" (print case) n in
  let law_with name = check name (Gen.pair case Gen.nat) print_with in
  Alcotest.run "conclusions"
    [ ( "laws",
        [ law "levels are true" levels_are_true; law "levels are refuted, then open, then proven" levels_are_monotone;
          law "ends of intervals are levels" ends_are_levels; law "goals are true" goals_are_true;
          law "cells are true" cells_are_true; law "sums agree" sums_agree;
          law_with "the order of samples does not matter" order_does_not_matter;
          law_with "answers only add" answers_only_add; law "the truth is consistent" truth_is_consistent ] );
      ("examples", [ test "lies are failures" lies_are_failures; test "exit codes" exit_codes; test "levels that are asked" asked_levels ]) ]
