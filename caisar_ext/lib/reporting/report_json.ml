open Report_json_values

(* Networks, datasets and hierarchies are told once and referred to by their position. *)
type context = { files : files; result : Verification.result; hierarchies : Hierarchy.t list }

let position equal item items =
  let rec search i = function [] -> `Null | x :: rest -> if equal x item then int i else search (i + 1) rest in
  search 0 items

let network_position context n = position ( = ) n (List.map fst context.result.networks)
let dataset_position context d = position ( = ) d (List.map fst context.result.datasets)

let hierarchy_position context t = position Aggregate_levels.same_hierarchy t context.hierarchies

(* {1 What the run was about} *)

let network ((n, d) : Query.network * Protocol.network) : json =
  let operator (o : Protocol.operator) : json = `Assoc [ ("name", string o.name); ("count", int o.count) ] in
  `Assoc
    [ ("path", string n.path); ("normalization", option normalization n.normalization);
      ("normalization_source", option string d.normalization_source); ("input_shape", list int d.input_shape);
      ("outputs", int d.outputs); ("opset", int d.opset); ("operators", list operator d.operators);
      ("parameters", int d.parameters); ("neurons", int d.neurons); ("sha256", string d.digest) ]

let dataset ((dataset, d) : Query.dataset * Protocol.dataset) : json =
  `Assoc
    [ ("source", string dataset.source); ("base", string dataset.base); ("length", int d.length);
      ("shape", list int d.shape); ("class_names", list string d.class_names); ("digest", string d.digest) ]

let hierarchy t : json =
  let node n = string (Hierarchy.node_name t n) in
  let cut (name, blocks) : json = `Assoc [ ("name", string name); ("blocks", list node blocks) ] in
  `Assoc
    [ ("file", string (Hierarchy.file t)); ("name", string (Hierarchy.name t)); ("depth", int (Hierarchy.depth t));
      ("class_names", list string (List.init (Hierarchy.class_count t) (Hierarchy.class_name t)));
      ("cuts", list cut (Hierarchy.cuts t)) ]

let options (o : Verification.options) : json =
  let hello = o.pool.hello in
  let define (name, value) : json = `Assoc [ ("name", string name); ("value", string value) ] in
  `Assoc
    [ ("defines", list define o.selection.defines); ("theories", list string o.selection.theories);
      ("goals", list string o.selection.goals); ("samples", option (fun (a, b) -> list int [ a; b ]) o.samples);
      ("time_limit", float o.time_limit); ("full_matrix", `Bool o.full_matrix); ("jobs", int o.pool.jobs);
      ("memory_limit", option int hello.memory_limit);
      ("noise_directory", option string hello.noise_directory); ("noise_symbols", option int hello.noise_symbols);
      ("threads", int hello.threads); ("seed", int hello.seed);
      ("deployment", string hello.deployment) ]

(* {1 Goals} *)

let subject context (s : Plan.subject) =
  [ ("dataset", dataset_position context s.dataset); ("index", int s.index); ("truth", int s.truth) ]

let severity (hierarchy, (s : Aggregate_levels.severity)) : json =
  let node n = string (Hierarchy.node_name hierarchy n) in
  `Assoc
    [ ("height", int s.height); ("forbidden", `Bool s.forbidden); ("within", node s.within);
      ("leaves", option node s.leaves) ]

let goal_sample context (s : Aggregate.sample_verdict) : json =
  let step = Option.map (fun (o : Protocol.outcome) -> o.step) s.outcome in
  let margin = Option.bind s.outcome (fun o -> o.margin) in
  `Assoc
    (subject context s.subject
     @ [ ("conclusion", verdict context.files s.verdict); ("step", option string step);
         ("margin", option float margin); ("severity", option severity (Aggregate_levels.of_verdict s)) ])

let queries (goal : Plan.goal) =
  let query = function Plan.Asked { query; _ } -> Some query | Undecided _ -> None in
  List.sort_uniq compare (List.filter_map query (Formula.leaves goal.formula))

let goal context (plan : Plan.goal) (g : Aggregate.goal) : json =
  let { Aggregate.proven; refuted; wrong_at_centre; undecided } = g.counts in
  `Assoc
    [ ("theory", string g.goal.theory); ("name", string g.goal.name); ("domain", option string g.goal.domain);
      ("conclusion", verdict context.files g.verdict);
      ("counts",
       `Assoc
         [ ("proven", int proven); ("refuted", int refuted); ("wrong_at_centre", int wrong_at_centre);
           ("undecided", int undecided) ]);
      ("samples", list (goal_sample context) g.samples); ("outcomes", list (outcome context.files) g.outcomes);
      ("queries", list int (queries plan)) ]

(* {1 Queries} *)

let query context (q : Plan.query) : json =
  let about (s : Plan.subject) : json = `Assoc (subject context s) in
  `Assoc
    [ ("network", network_position context q.network); ("domain", option string q.domain);
      ("sample", option about q.subject); ("region", list (bound Here) q.query.region);
      ("properties", list property q.query.properties) ]

(* {1 Settings} *)

let noise (n : Protocol.noise) : json =
  `Assoc
    [ ("storage", string n.storage); ("reason", string n.reason); ("symbols", int n.symbols);
      ("predicted", int n.predicted); ("peak", int n.peak); ("boxed", float n.boxed) ]

let status : Aggregate.status -> json = function
  | Proven -> string "proven"
  | Refuted -> string "refuted"
  | Open -> string "open"

let sample context hierarchy (s : Aggregate.sample) : json =
  let node n = string (Hierarchy.node_name hierarchy n) in
  let level (n, st) : json = `Assoc [ ("node", node n); ("status", status st) ] in
  let reached (r : Protocol.reached) : json =
    `Assoc [ ("class", int r.class_index); ("witness", witness context.files r.witness) ]
  in
  let step (st : Protocol.step) : json =
    `Assoc [ ("name", string st.name); ("seconds", float st.seconds); ("noise", option noise st.noise) ]
  in
  let a = s.answer in
  `Assoc
    (subject context s.subject
     @ [ ("reference", int s.reference); ("query", int a.query); ("levels", list level s.levels);
         ("overlays", list level s.overlays);
         ("finest_proven", option node s.finest_proven); ("coarsest_refuted", option node s.coarsest_refuted);
         ("outcomes", list (outcome context.files) a.outcomes); ("centre", list int a.centre);
         ("impossible", list int a.impossible); ("reached", list reached a.reached); ("seconds", float a.seconds);
         ("steps", list step a.steps) ])

let statuses ~proven ~refuted ~open_ = [ ("proven", int proven); ("refuted", int refuted); ("open", int open_) ]

let level (r : Aggregate_levels.row) : json =
  let level = match r.level with Up k -> ("up", int k) | Cut name -> ("cut", string name) in
  `Assoc (level :: ("asked", int r.asked) :: statuses ~proven:r.proven ~refuted:r.refuted ~open_:r.open_)

let interval (i : Aggregate_levels.interval) : json =
  `Assoc
    [ ("finest_proven", option int i.finest_proven); ("coarsest_refuted", option int i.coarsest_refuted);
      ("samples", int i.samples) ]

let matrix hierarchy (m : Aggregate.matrix) : json =
  let cell : Aggregate.cell -> json = function
    | Witnessed n -> `Assoc [ ("state", string "witnessed"); ("samples", int n) ]
    | Impossible -> `Assoc [ ("state", string "impossible") ]
    | Undecided -> `Assoc [ ("state", string "open") ]
    | No_sample -> `Assoc [ ("state", string "no sample") ]
  in
  `Assoc
    [ ("cut", string m.cut); ("blocks", list (fun n -> string (Hierarchy.node_name hierarchy n)) m.blocks);
      ("rows", list (list cell) m.rows) ]

let setting context (s : Aggregate.setting) : json =
  let group (g : Aggregate.group) : json =
    `Assoc
      (("group", string (Hierarchy.node_name s.hierarchy g.node))
       :: statuses ~proven:g.proven ~refuted:g.refuted ~open_:g.open_)
  in
  `Assoc
    [ ("network", network_position context s.network); ("hierarchy", hierarchy_position context s.hierarchy);
      ("radius", option rational s.radius); ("bounds", list (bound Anywhere) s.bounds); ("domain", option string s.domain);
      ("levels", list level (Aggregate_levels.rows context.result.plan s));
      ("intervals", list interval (Aggregate_levels.intervals s));
      ("groups", list group s.groups); ("matrices", list (matrix s.hierarchy) s.matrices);
      ("samples", list (sample context s.hierarchy) s.samples) ]

(* {1 All} *)

let statistics (r : Verification.result) : json =
  let { Prover.started; lost; start_up_seconds; cpu_seconds; peak_memory } = r.statistics in
  let use (u : Noise_uses.t) : json =
    `Assoc
      [ ("step", string u.step); ("queries", int u.queries); ("coarser", int u.coarser); ("most", noise u.most) ]
  in
  `Assoc
    [ ("wall_seconds", float r.wall_seconds); ("cpu_seconds", float cpu_seconds);
      ("start_up_seconds", float start_up_seconds); ("provers_started", int started); ("provers_lost", int lost);
      ("peak_memory", int peak_memory); ("noise", list use r.conclusions.noise) ]

let completion : Prover.completion -> json = function
  | Completed -> string "completed"
  | Interrupted -> string "interrupted"

let format_version = 1

let of_result ~witnesses (o : Verification.options) (result : Verification.result) : json =
  let { Verification.plan; conclusions = c; networks; datasets; _ } = result in
  let hierarchies = Aggregate_levels.hierarchies c in
  let context = { files = (if witnesses = None then Gone else Kept); result; hierarchies } in
  `Assoc
    [ ("format", int format_version); ("release", string Verification.release);
      ("specification", string o.specification);
      ("completion", completion result.completion); ("exit_code", int (Verification.exit_code result));
      ("asked", int c.asked); ("answered", int c.answered); ("rounding", string result.rounding);
      ("prover", string o.pool.driver.name); ("options", options o); ("networks", list network networks);
      ("datasets", list dataset datasets); ("hierarchies", list hierarchy hierarchies);
      ("goals", `List (List.map2 (goal context) plan.goals c.goals));
      ("settings", list (setting context) c.settings);
      ("queries", list (query context) (Array.to_list plan.queries)); ("statistics", statistics result);
      ("warnings", list diagnostic (Diag.warnings ())) ]

let print ~witnesses options result =
  Report_warnings.issue result;
  print_endline (Yojson.Safe.pretty_to_string ~std:true (of_result ~witnesses options result))
