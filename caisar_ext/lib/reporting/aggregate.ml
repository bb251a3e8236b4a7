module Classes = Hierarchy.Classes

type answers = Protocol.answer option array

type sample_verdict = { subject : Plan.subject; verdict : Verdict.concluded; outcome : Protocol.outcome option }
type counts = { proven : int; refuted : int; wrong_at_centre : int; undecided : int }

type goal = {
  goal : Spec.goal;
  verdict : Verdict.concluded;
  counts : counts;
  samples : sample_verdict list;
  outcomes : Protocol.outcome list;
}

type status = Proven | Refuted | Open

type sample = {
  subject : Plan.subject;
  reference : int;
  answer : Protocol.answer;
  levels : (Hierarchy.node * status) list;
  overlays : (Hierarchy.node * status) list;
  finest_proven : Hierarchy.node option;
  coarsest_refuted : Hierarchy.node option;
}

type group = { node : Hierarchy.node; proven : int; refuted : int; open_ : int }
type cell = Witnessed of int | Impossible | Undecided | No_sample
type matrix = { cut : string; blocks : Hierarchy.node list; rows : cell list list }

type setting = {
  network : Query.network;
  hierarchy : Hierarchy.t;
  radius : Q.t option;
  bounds : Query.bound list;
  domain : string option;
  samples : sample list;
  groups : group list;
  matrices : matrix list;
}

type t = { goals : goal list; settings : setting list; noise : Noise_uses.t list; answered : int; asked : int }

(* {1 Goals} *)

let outcome (answers : answers) query property =
  Option.map (fun (a : Protocol.answer) -> List.nth a.outcomes property) answers.(query)

let interrupted = "interrupted"

let verdict_of answers query property =
  match outcome answers query property with
  | Some o -> Verdict.conclude o.verdict
  | None -> Verdict.Unknown interrupted

(* Which sample a subject is. *)
let key (s : Plan.subject) = (s.dataset, s.index)

(* The conjuncts of a goal, each with the sample that all its questions are about. *)
let conjuncts (plan : Plan.t) (formula : Plan.leaf Formula.t) =
  let about = function
    | Plan.Asked { query; _ } -> plan.queries.(query).subject
    | Plan.Undecided { subject; _ } -> subject
  in
  let parts = match formula with And fs -> fs | True -> [] | f -> [ f ] in
  List.map
    (fun part ->
       let subjects = List.map about (Formula.leaves part) in
       match subjects with
       | Some s :: rest when List.for_all (function Some s' -> key s = key s' | None -> false) rest -> (Some s, part)
       | _ -> (None, part))
    parts

let count verdicts centre : counts =
  let add (c : counts) (v : Verdict.concluded) =
    match v with
    | Valid -> { c with proven = c.proven + 1 }
    | Invalid _ -> { c with refuted = c.refuted + 1 }
    | Unknown _ | Timeout | Failure _ -> { c with undecided = c.undecided + 1 }
  in
  List.fold_left add { proven = 0; refuted = 0; wrong_at_centre = centre; undecided = 0 } verdicts

(* Parts about one sample are one conjunction. *)
let by_subject parts =
  let table = Hashtbl.create 64 in
  let order =
    List.filter
      (fun (subject, part) ->
         let seen = Hashtbl.mem table (key subject) in
         Hashtbl.replace table (key subject) (part :: Option.value ~default:[] (Hashtbl.find_opt table (key subject)));
         not seen)
      (List.filter_map (fun (s, part) -> Option.map (fun s -> (s, part)) s) parts)
  in
  List.map (fun (subject, _) -> (subject, Formula.conjunction (List.rev (Hashtbl.find table (key subject))))) order

let conclude_goal plan answers ({ goal; formula } : Plan.goal) =
  let verdict = Plan.verdict (verdict_of answers) in
  let parts = conjuncts plan formula in
  let samples =
    List.map
      (fun ((subject : Plan.subject), part) ->
         let outcome =
           match part with Formula.Leaf (Plan.Asked { query; property }) -> outcome answers query property | _ -> None
         in
         { subject; verdict = verdict part; outcome })
      (by_subject parts)
  in
  let outcomes =
    if samples <> [] then []
    else
      List.filter_map
        (function Plan.Asked { query; property } -> outcome answers query property | Undecided _ -> None)
        (Formula.leaves formula)
  in
  let whole = verdict formula in
  let at_centre (s : sample_verdict) =
    match s.verdict with Invalid (Verdict.Witness w) -> w.centre | _ -> false
  in
  let centre = List.length (List.filter at_centre samples) in
  let verdicts = if samples = [] then [ whole ] else List.map (fun (s : sample_verdict) -> s.verdict) samples in
  { goal; verdict = whole; counts = count verdicts centre; samples; outcomes }

(* {1 Levels, groups, matrices} *)

(* Every witness of an answer, whatever property asked for it. *)
let witnesses (answer : Protocol.answer) =
  let of_outcome (o : Protocol.outcome) = match o.verdict with Invalid w -> Some w | _ -> None in
  List.filter_map of_outcome answer.outcomes @ List.map (fun (r : Protocol.reached) -> r.witness) answer.reached

let consistent (query : Query.t) (answer : Protocol.answer) =
  let contradicts (w : Verdict.witness) =
    let all_outside classes = w.classes <> [] && not (List.exists (fun c -> List.mem c classes) w.classes) in
    let against (p : Query.property) (o : Protocol.outcome) =
      match (p, o.verdict) with Within { classes }, Valid -> all_outside classes | _ -> false
    in
    List.exists2 against query.properties answer.outcomes
    || (w.classes <> [] && List.for_all (fun c -> List.mem c answer.impossible) w.classes)
  in
  match List.find_opt contradicts (witnesses answer) with
  | None -> answer
  | Some w ->
    let message = Printf.sprintf "the prover contradicts itself: its witness %s refutes its own proof" w.file in
    let failed (o : Protocol.outcome) = { o with verdict = Verdict.Failure message } in
    { answer with outcomes = List.map failed answer.outcomes; impossible = []; reached = [] }

(* Classes that no point of the region is answered with: those excluded one by one, and all outside of a proven set. *)
let excluded classes (query : Query.t) (answer : Protocol.answer) =
  let all = Classes.of_list (List.init classes Fun.id) in
  let by_proof =
    List.map2
      (fun (p : Query.property) (o : Protocol.outcome) ->
         match (p, o.verdict) with
         | Within { classes }, Valid -> Classes.diff all (Classes.of_list classes)
         | _ -> Classes.empty)
      query.properties answer.outcomes
  in
  List.fold_left Classes.union (Classes.of_list answer.impossible) by_proof

(* All answers inside [allowed]: proven when everything outside is excluded, refuted by a witness whose answers are all
   outside. *)
let status ~excluded ~witnesses ~classes allowed =
  let inside c = Classes.mem c allowed in
  let refutes (w : Verdict.witness) = w.classes <> [] && not (List.exists inside w.classes) in
  if List.exists refutes witnesses then Refuted
  else if List.for_all (fun c -> inside c || Classes.mem c excluded) (List.init classes Fun.id) then Proven
  else Open

let sample (plan : Plan.t) hierarchy reference subject (answer : Protocol.answer) =
  let classes = Hierarchy.class_count hierarchy in
  let excluded = excluded classes plan.queries.(answer.query).query answer in
  let witnesses = witnesses answer in
  let forbidden = Hierarchy.forbidden_answers hierarchy reference in
  let level node =
    (node, status ~excluded ~witnesses ~classes (Classes.diff (Hierarchy.extension hierarchy node) forbidden))
  in
  let levels = List.map level (Hierarchy.ancestors hierarchy reference) in
  let contains node = Classes.mem reference (Hierarchy.extension hierarchy node) in
  let overlays = List.map level (List.filter contains (Hierarchy.overlays hierarchy)) in
  let with_status s = List.filter_map (fun (n, s') -> if s = s' then Some n else None) levels in
  { subject; reference; answer; levels; overlays;
    finest_proven = List.nth_opt (with_status Proven) 0;
    coarsest_refuted = List.nth_opt (List.rev (with_status Refuted)) 0 }

let rec inner_nodes hierarchy node =
  match Hierarchy.kind hierarchy node with
  | Class _ | Overlay -> []
  | Group -> node :: List.concat_map (inner_nodes hierarchy) (Hierarchy.children hierarchy node)

let groups hierarchy samples =
  let table = Hashtbl.create 16 in
  let add (node, status) =
    let name = Hierarchy.node_name hierarchy node in
    let g = Option.value ~default:{ node; proven = 0; refuted = 0; open_ = 0 } (Hashtbl.find_opt table name) in
    Hashtbl.replace table name
      (match status with
       | Proven -> { g with proven = g.proven + 1 }
       | Refuted -> { g with refuted = g.refuted + 1 }
       | Open -> { g with open_ = g.open_ + 1 })
  in
  List.iter (fun (s : sample) -> List.iter add (s.levels @ s.overlays)) samples;
  let below_root = List.tl (inner_nodes hierarchy (Hierarchy.root hierarchy)) in
  let found node = Hashtbl.find_opt table (Hierarchy.node_name hierarchy node) in
  List.filter_map found (below_root @ Hierarchy.overlays hierarchy)

(* What a sample tells about answers: classes with a witness, classes without a chance. *)
type seen = { sample : sample; answered : Classes.t; unable : Classes.t }

let seen (plan : Plan.t) hierarchy (s : sample) =
  let of_witness (w : Verdict.witness) = Classes.of_list w.classes in
  { sample = s;
    answered = List.fold_left Classes.union Classes.empty (List.map of_witness (witnesses s.answer));
    unable = excluded (Hierarchy.class_count hierarchy) plan.queries.(s.answer.query).query s.answer }

let cell hierarchy row column =
  let extension = Hierarchy.extension hierarchy column in
  let witnessed = List.filter (fun s -> not (Classes.disjoint s.answered extension)) row in
  if row = [] then No_sample
  else if witnessed <> [] then Witnessed (List.length witnessed)
  else if List.for_all (fun s -> Classes.subset extension s.unable) row then Impossible
  else Undecided

let matrices plan hierarchy samples =
  let all = List.map (seen plan hierarchy) samples in
  let cuts =
    match Hierarchy.cuts hierarchy with
    | [] -> [ ("top", Hierarchy.children hierarchy (Hierarchy.root hierarchy)) ]
    | cuts -> cuts
  in
  let matrix (cut, blocks) =
    let row block =
      let extension = Hierarchy.extension hierarchy block in
      let row = List.filter (fun s -> Classes.mem s.sample.reference extension) all in
      List.map (cell hierarchy row) blocks
    in
    { cut; blocks; rows = List.map row blocks }
  in
  List.map matrix cuts

let radius (query : Query.t) =
  List.find_map (function Query.Ball { radius; _ } -> Some radius | _ -> None) query.region

(* Those beside the ball, which regions around other samples share. *)
let bounds (query : Query.t) =
  List.map Query.anywhere (List.filter (function Query.Ball _ -> false | _ -> true) query.region)

(* Says nothing. *)
let no_answer (query : Query.t) : Protocol.answer =
  let outcome _ : Protocol.outcome = { verdict = Unknown interrupted; step = interrupted; margin = None } in
  { query = query.query; outcomes = List.map outcome query.properties; centre = []; impossible = []; reached = [];
    seconds = 0.; steps = [] }

let settings (plan : Plan.t) (answers : answers) =
  let table = Hashtbl.create 8 and order = ref [] in
  Array.iteri
    (fun number (q : Plan.query) ->
       match q.subject with
       | Some ({ reference = Some (hierarchy, reference); _ } as subject) ->
         let key = (q.network, Hierarchy.file hierarchy, radius q.query, bounds q.query, q.domain) in
         let answer = Option.value ~default:(no_answer q.query) answers.(number) in
         if not (Hashtbl.mem table key) then order := (key, hierarchy) :: !order;
         Hashtbl.add table key (sample plan hierarchy reference subject answer)
       | _ -> ())
    plan.queries;
  let setting ((((network, _, radius, bounds, domain) as key), hierarchy) : _ * Hierarchy.t) =
    let samples = List.rev (Hashtbl.find_all table key) in
    { network; hierarchy; radius; bounds; domain; samples; groups = groups hierarchy samples;
      matrices = matrices plan hierarchy samples }
  in
  List.rev_map setting !order

let conclude (plan : Plan.t) answers =
  { goals = List.map (conclude_goal plan answers) plan.goals;
    settings = settings plan answers;
    noise = Noise_uses.of_answers answers;
    answered = Array.fold_left (fun n a -> if a = None then n else n + 1) 0 answers;
    asked = Array.length plan.queries }

let exit_code t =
  let any p = List.exists (fun (g : goal) -> p g.verdict) t.goals in
  if any (function Invalid _ -> true | _ -> false) then 1
  else if any (fun v -> not (Verdict.is_decided v)) then 2
  else 0
