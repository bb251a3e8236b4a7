let release = "0.1.0"

type options = {
  specification : string;
  selection : Spec.selection;
  samples : (int * int) option;
  time_limit : float;
  full_matrix : bool;
  pool : Prover.config;
}

type result = {
  plan : Plan.t;
  conclusions : Aggregate.t;
  networks : (Query.network * Protocol.network) list;
  datasets : (Query.dataset * Protocol.dataset) list;
  statistics : Prover.statistics;
  rounding : string;
  wall_seconds : float;
  completion : Prover.completion;
}

type event = Planned of Plan.t | Answered of Protocol.answer

(* Descriptions are asked for once each. *)
let oracle pool : World.oracle =
  let networks = Hashtbl.create 4 and datasets = Hashtbl.create 4 in
  { network = (fun ~loc n -> World.memo networks n (fun () -> Prover.describe_network ?loc pool n));
    dataset = (fun ~loc d -> World.memo datasets d (fun () -> Prover.describe_dataset ?loc pool d));
    predict = (fun ~loc p -> Prover.predict ?loc pool p) }

(* Large enough to share one pass over the network, small enough to keep all workers busy and to lose little when one
   dies. *)
let batch_size ~jobs queries = max 1 (min 16 (queries / (2 * jobs)))

let chunks size items =
  let add (full, chunk, room) item =
    if room = 0 then (List.rev chunk :: full, [ item ], size - 1) else (full, item :: chunk, room - 1)
  in
  let full, last, _ = List.fold_left add ([], [], size) items in
  List.rev (if last = [] then full else List.rev last :: full)

(* Batches share the network and the domain. *)
let batches options (plan : Plan.t) : Protocol.verify list =
  let table = Hashtbl.create 4 and order = ref [] in
  Array.iter
    (fun (q : Plan.query) ->
       let key = (q.network, q.domain) in
       if not (Hashtbl.mem table key) then order := key :: !order;
       Hashtbl.replace table key (q.query :: Option.value ~default:[] (Hashtbl.find_opt table key)))
    plan.queries;
  let size = batch_size ~jobs:options.pool.jobs (Array.length plan.queries) in
  let of_key ((network, domain) as key) =
    let batch queries : Protocol.verify =
      { network; queries; time_limit = options.time_limit; full_matrix = options.full_matrix; domain }
    in
    List.map batch (chunks size (List.rev (Hashtbl.find table key)))
  in
  List.concat_map of_key (List.rev !order)

let folder_of file =
  match Filename.dirname file with
  | "." -> Sys.getcwd ()
  | folder when Filename.is_relative folder -> Filename.concat (Sys.getcwd ()) folder
  | folder -> folder

let networks (oracle : World.oracle) (plan : Plan.t) =
  let all = List.sort_uniq compare (Array.to_list (Array.map (fun (q : Plan.query) -> q.network) plan.queries)) in
  List.map (fun n -> (n, oracle.network ~loc:None n)) all

let datasets (oracle : World.oracle) (plan : Plan.t) =
  let undecided (g : Plan.goal) =
    List.filter_map (function Plan.Undecided { subject; _ } -> subject | Asked _ -> None) (Formula.leaves g.formula)
  in
  let asked = List.filter_map (fun (q : Plan.query) -> q.subject) (Array.to_list plan.queries) in
  let subjects = asked @ List.concat_map undecided plan.goals in
  let rows (q : Plan.query) = List.concat_map Query.rows q.query.region in
  let of_rows = List.map (fun (r : Query.row) -> r.dataset) (List.concat_map rows (Array.to_list plan.queries)) in
  let all = List.sort_uniq compare (of_rows @ List.map (fun (s : Plan.subject) -> s.dataset) subjects) in
  List.map (fun d -> (d, oracle.dataset ~loc:None d)) all

let with_plan ~specification ~selection ~samples config f =
  let goals = Spec.load specification selection in
  Prover.with_pool config @@ fun pool ->
  let world = World.create (oracle pool) ~folder:(folder_of specification) ~samples in
  f pool world (Interp.plan world goals)

let run ({ specification; selection; samples; _ } as options) ~on_event =
  let clock = Mtime_clock.counter () in
  with_plan ~specification ~selection ~samples options.pool @@ fun pool world plan ->
  let oracle = World.oracle world in
  let networks = networks oracle plan and datasets = datasets oracle plan in
  on_event (Planned plan);
  let answers = Array.make (Array.length plan.queries) None in
  let on_answer (a : Protocol.answer) =
    let a = Aggregate.consistent plan.queries.(a.query).query a in
    answers.(a.query) <- Some a;
    on_event (Answered a)
  in
  let completion = Prover.verify pool ~on_answer (batches options plan) in
  { plan; conclusions = Aggregate.conclude plan answers; networks; datasets; completion;
    statistics = Prover.statistics pool;
    rounding = Option.value (Prover.rounding pool) ~default:"without a prover";
    wall_seconds = Mtime.Span.to_s (Mtime_clock.count clock) }

let exit_code result =
  match result.completion with Completed -> Aggregate.exit_code result.conclusions | Interrupted -> 130
