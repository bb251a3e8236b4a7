type height = int
type row = { level : Hierarchy.level; asked : int; proven : int; refuted : int; open_ : int }
type interval = { finest_proven : height option; coarsest_refuted : height option; samples : int }

(* {1 One sample} *)

let heights status (s : Aggregate.sample) =
  List.filter_map Fun.id (List.mapi (fun k (_, found) -> if found = status then Some k else None) s.levels)

let finest_proven s = List.nth_opt (heights Proven s) 0
let coarsest_refuted s = List.nth_opt (List.rev (heights Refuted s)) 0

(* Blocks of cuts are nodes of the tree, so they are among the levels of their classes. *)
let status node (s : Aggregate.sample) = snd (List.find (fun (n, _) -> Hierarchy.equal n node) s.levels)

let is_asked (plan : Plan.t) hierarchy (s : Aggregate.sample) node =
  let open Hierarchy in
  let allowed = Classes.diff (extension hierarchy node) (forbidden_answers hierarchy s.reference) in
  let asks : Query.property -> bool = function
    | Within { classes } -> Classes.equal (Classes.of_list classes) allowed
    | Avoid _ -> false
  in
  List.exists asks plan.queries.(s.answer.query).query.properties

type severity = { height : int; forbidden : bool; within : Hierarchy.node; leaves : Hierarchy.node option }

let severity hierarchy ~reference answers =
  let given = Hierarchy.Classes.of_list answers in
  let clear node = Hierarchy.(Classes.disjoint (extension hierarchy node) given) in
  let of_ancestor within =
    { height = List.fold_left max 0 (List.map (fun answer -> Hierarchy.severity hierarchy ~reference ~answer) answers);
      forbidden = List.exists (fun answer -> Hierarchy.forbidden hierarchy ~reference ~answer) answers;
      within; leaves = List.nth_opt (List.rev (List.filter clear (Hierarchy.ancestors hierarchy reference))) 0 }
  in
  if answers = [] then None
  else Option.map of_ancestor (Hierarchy.lowest_common_ancestor hierarchy (Hierarchy.Classes.add reference given))

let of_verdict (s : Aggregate.sample_verdict) =
  match (s.subject.reference, s.verdict) with
  | Some (hierarchy, reference), Invalid (Witness w) ->
    Option.map (fun found -> (hierarchy, found)) (severity hierarchy ~reference w.classes)
  | _ -> None

(* {1 All samples} *)

let row plan (setting : Aggregate.setting) level =
  let add row (s : Aggregate.sample) =
    let node = Hierarchy.at_level setting.hierarchy level s.reference in
    let row = if is_asked plan setting.hierarchy s node then { row with asked = row.asked + 1 } else row in
    match status node s with
    | Proven -> { row with proven = row.proven + 1 }
    | Refuted -> { row with refuted = row.refuted + 1 }
    | Open -> { row with open_ = row.open_ + 1 }
  in
  List.fold_left add { level; asked = 0; proven = 0; refuted = 0; open_ = 0 } setting.samples

let rows plan (setting : Aggregate.setting) =
  let depth = Hierarchy.depth setting.hierarchy in
  let count = if Hierarchy.never setting.hierarchy = [] then depth else depth + 1 in
  let ups = List.init count (fun k -> Hierarchy.Up k) in
  let cuts = List.map (fun (name, _) -> Hierarchy.Cut name) (Hierarchy.cuts setting.hierarchy) in
  List.map (row plan setting) (ups @ cuts)

(* Nothing proven comes last, nothing refuted first. *)
let order a b =
  let proven i = Option.value ~default:max_int i.finest_proven in
  let refuted i = Option.value ~default:(-1) i.coarsest_refuted in
  compare (proven a, refuted a) (proven b, refuted b)

let intervals (setting : Aggregate.setting) =
  let table = Hashtbl.create 16 in
  let add s =
    let key = (finest_proven s, coarsest_refuted s) in
    Hashtbl.replace table key (1 + Option.value ~default:0 (Hashtbl.find_opt table key))
  in
  List.iter add setting.samples;
  let interval (finest_proven, coarsest_refuted) samples all = { finest_proven; coarsest_refuted; samples } :: all in
  List.sort order (Hashtbl.fold interval table [])

(* {1 Hierarchies} *)

let same_hierarchy a b = String.equal (Hierarchy.file a) (Hierarchy.file b)

let hierarchies (conclusions : Aggregate.t) =
  let add all (s : Aggregate.setting) =
    if List.exists (same_hierarchy s.hierarchy) all then all else all @ [ s.hierarchy ]
  in
  List.fold_left add [] conclusions.settings
