(* Runs made by hand: a plan and the answers to it, without a specification and without a prover. *)

open Caisar_ext
module Classes = Hierarchy.Classes

let animals =
  Hierarchy_reader.of_string ~file:"animals.hier"
    {|hierarchy animals {
        group animal { group pet { class cat = 0  class dog = 1 }  class bird = 2 }
        group vehicle { class car = 3  class truck = 4 }
        overlay wings = { bird, dog }
        cut coarse = { animal, vehicle }
        never truck -> bird
      }|}

let names = [ "cat"; "dog"; "bird"; "car"; "truck" ]

(* {1 Plans} *)

let network : Query.network = { path = "/nets/net.onnx"; normalization = None }
let dataset : Query.dataset = { source = "pictures.npz"; base = "/specification" }
let image : Query.bound = Range { lower = Some Q.zero; upper = Some Q.one }

let goal ?(theory = "Pictures") name : Spec.goal =
  { theory; name; domain = None; formula = { node = Bool true; loc = lazy None }; loc = lazy None }

type sample = { dataset : Query.dataset; index : int; truth : int }

let sample ?(dataset = dataset) index truth = { dataset; index; truth }
let subject ?hierarchy { dataset; index; truth } : Plan.subject =
  { dataset; index; truth; reference = Option.map (fun h -> (h, truth)) hierarchy }

let around ?(radius = Q.of_ints 2 255) { dataset; index; _ } : Query.bound list =
  [ Ball { dataset; index; radius }; image ]

let allowed hierarchy level (s : sample) : Query.property =
  Within { classes = Classes.elements (Hierarchy.allowed hierarchy level s.truth) }

let leaf builder ~subject region property : Plan.leaf Formula.t =
  Leaf (Plan.ask builder ~network ~domain:None ~subject { region; property })

(* One goal a level, over the same samples. *)
let safety ?radius hierarchy levels samples =
  let builder = Plan.builder () in
  let of_level (name, level) : Plan.goal =
    let one s =
      leaf builder ~subject:(Some (subject ~hierarchy s)) (around ?radius s) (allowed hierarchy level s)
    in
    { goal = goal name; formula = Formula.conjunction (List.map one samples) }
  in
  let goals = List.map of_level levels in
  Plan.finish builder goals

(* {1 Answers} *)

let outcome ?margin ?(step = "linear") verdict : Protocol.outcome = { verdict; step; margin }
let proven = outcome ~margin:0.5 Verdict.Valid
let unknown ?margin ?step reason = outcome ?margin ?step (Verdict.Unknown reason)

let witness ?(centre = false) ?(distance = 0.0071) query classes : Verdict.witness =
  let file = Printf.sprintf "/witnesses/query%d-class%d.npy" query (List.hd classes) in
  { file; picture = None; classes; margin = 0.25; distance = (if centre then 0. else distance); centre }

let refuted ?(step = "search") ?(centre = false) ?distance classes query =
  outcome ~step:(if centre then "centre" else step) (Verdict.Invalid (witness ~centre ?distance query classes))

let answer ?(centre = []) ?(impossible = []) ?(reached = []) ?noise query outcomes : Protocol.answer =
  let reached = List.map (fun c : Protocol.reached -> { class_index = c; witness = witness query [ c ] }) reached in
  let name = if noise = None then "interval" else "zonotope" in
  { query; outcomes; centre; impossible; reached; seconds = 0.5; steps = [ { name; seconds = 0.5; noise } ] }

(* {1 Runs} *)

let described_network : Protocol.network =
  { input_shape = [ 3; 32; 32 ]; outputs = 5; opset = 17; operators = [ { name = "Relu"; count = 3 } ];
    parameters = 12345; neurons = 678; digest = "0123456789abcdef0123456789abcdef"; normalization_source = None }

let described_dataset class_names : Protocol.dataset =
  { length = 100; shape = [ 3; 32; 32 ]; labels = []; class_names; arrays = [ Query.images ]; digest = "fedcba9876543210" }

let options : Verification.options =
  { specification = "pictures.mlw"; selection = { defines = []; theories = []; goals = []; domain = None }; samples = None;
    time_limit = 60.; full_matrix = false;
    pool =
      { driver = { name = "pyprover"; command = []; python_modules = []; properties = [ Within; Avoid ]; domains = [] };
        command = None; jobs = 2; patience = Prover.default_patience;
        hello =
          { version = Protocol.version; client = "test"; data_dir = None; witness_dir = "/witnesses"; pictures = false;
            memory_limit = None; noise_directory = None; noise_symbols = None; threads = 1; seed = 0; deployment = "real" } } }

let statistics : Prover.statistics =
  { started = 2; lost = 0; start_up_seconds = 5.5; cpu_seconds = 12.25; peak_memory = 400 * 1048576 }

type case = { result : Verification.result; options : Verification.options }

(* [answers]: one function of the query's number for each query; missing where the run was interrupted. *)
let run ?(completion = Prover.Completed) ?(statistics = statistics) ?(class_names = names) ?(options = options) plan
    answers : case =
  let taken = Array.make (Array.length plan.Plan.queries) None in
  List.iteri (fun number answer -> taken.(number) <- Option.map (fun f -> f number) answer) answers;
  let datasets =
    let of_query (q : Plan.query) = Option.map (fun (s : Plan.subject) -> s.dataset) q.subject in
    List.sort_uniq compare (List.filter_map of_query (Array.to_list plan.queries))
  in
  { options;
    result =
      { plan; conclusions = Aggregate.conclude plan taken; networks = [ (network, described_network) ];
        datasets = List.map (fun d -> (d, described_dataset class_names)) datasets; statistics; wall_seconds = 75.;
        completion; rounding = "up to float64 rounding" } }
