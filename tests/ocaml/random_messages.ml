(* Random messages of the protocol: requests and replies with every kind of body. *)

open Caisar_ext
module Gen = QCheck2.Gen

let ( let* ) = Gen.( >>= )
let ( and* ) = Gen.pair
let return = Gen.return
let rational = Gen.map2 (fun n d -> Q.of_ints n d) Gen.int (Gen.map (fun d -> 1 + abs d) Gen.small_signed_int)
let text = Gen.(string_size ~gen:char (0 -- 12))
let index = Gen.small_nat

let float =
  Gen.oneof [ Gen.float; Gen.oneofl [ 0.; -0.; infinity; neg_infinity; nan; epsilon_float; 4.9e-324; max_float; 0.1 ] ]

let few gen = Gen.(list_size (0 -- 3) gen)

let dataset : Query.dataset Gen.t =
  let* source = text and* base = text in
  return { Query.source; base }

let network : Query.network Gen.t =
  let* path = text and* mean = few rational and* std = few rational and* normal = Gen.bool in
  return { Query.path; normalization = (if normal then Some { mean; std } else None) }

let row : Query.row Gen.t =
  let* dataset = dataset and* array = text and* index = index in
  return { Query.dataset; array; index }

let bound : Query.bound Gen.t =
  let* dataset = dataset and* index = index and* radius = rational and* row = row in
  let* lower = Gen.opt rational and* upper = Gen.opt rational in
  let* strict_lower = Gen.bool and* strict_upper = Gen.bool in
  Gen.oneofl
    [
      Query.Ball { dataset; index; radius };
      Radii { dataset; index; radii = row };
      Relative { dataset; index; ratio = radius };
      Box { lower = row; upper = { row with array = "upper" } };
      Range { lower; upper };
      Feature { index; lower; upper; strict_lower; strict_upper };
    ]

let comparison : Query.comparison Gen.t =
  let term =
    let* output = index and* weight = rational in
    return { Query.output; weight }
  in
  let* terms = few term and* constant = rational and* strict = Gen.bool in
  return { Query.terms; constant; strict }

let query : Query.t Gen.t =
  let* query = index and* region = few bound in
  let* classes = few index and* cases = few (few comparison) in
  return { Query.query; region; properties = [ Within { classes }; Avoid { cases } ] }

let request : Protocol.request Protocol.envelope Gen.t =
  let* id = Gen.int and* network = network and* queries = few query and* time_limit = float in
  let* full_matrix = Gen.bool and* domain = Gen.opt text and* dataset = dataset and* indices = few index in
  let hello : Protocol.hello =
    {
      version = id;
      client = "é\n\"\\";
      data_dir = domain;
      witness_dir = "/tmp/a b";
      pictures = full_matrix;
      memory_limit = Some max_int;
      noise_directory = Some {|/tmp/"noise"|};
      noise_symbols = Some 0;
      threads = 1;
      seed = -3;
      deployment = "float32";
    }
  in
  let* body =
    Gen.oneofl
      [
        Protocol.Hello hello;
        Describe_network { network };
        Describe_dataset { dataset };
        Predict { network; dataset; indices };
        Verify { network; queries; time_limit; full_matrix; domain };
      ]
  in
  return { Protocol.id; body }

let witness : Verdict.witness Gen.t =
  let* file = text and* picture = Gen.opt text and* classes = few index in
  let* margin = float and* distance = float and* centre = Gen.bool in
  return { Verdict.file; picture; classes; margin; distance; centre }

let answered : Verdict.answered Gen.t =
  let* witness = witness and* text = text in
  Gen.oneofl [ Verdict.Valid; Invalid witness; Unknown text; Timeout; Failure text ]

let noise : Protocol.noise Gen.t =
  let* storage = text and* reason = text and* symbols = index and* predicted = Gen.int and* peak = Gen.int in
  let* boxed = float in
  return { Protocol.storage; reason; symbols; predicted; peak; boxed }

let answer : Protocol.answer Gen.t =
  let outcome =
    let* verdict = answered and* step = text and* margin = Gen.opt float in
    return { Protocol.verdict; step; margin }
  in
  let reached =
    let* class_index = index and* witness = witness in
    return { Protocol.class_index; witness }
  in
  let step =
    let* name = text and* seconds = float and* noise = Gen.opt noise in
    return { Protocol.name; seconds; noise }
  in
  let* query = index and* outcomes = few outcome and* centre = few index and* impossible = few index in
  let* reached = few reached and* seconds = float and* steps = few step in
  return { Protocol.query; outcomes; centre; impossible; reached; seconds; steps }

let reply : Protocol.reply Protocol.envelope Gen.t =
  let* id = Gen.int and* answer = answer and* name = text and* digest = text in
  let* count = index and* numbers = few index and* source = Gen.opt text in
  let* cpu_seconds = float in
  let* body =
    Gen.oneofl
      [
        Protocol.Welcome { version = count; prover = name; release = digest; rounding = "up to float64 rounding" };
        Network
          {
            input_shape = numbers;
            outputs = count;
            opset = count;
            operators = [ { name; count } ];
            parameters = max_int;
            neurons = count;
            digest;
            normalization_source = source;
          };
        Dataset { length = count; shape = numbers; labels = numbers; class_names = [ name; digest ]; arrays = [ digest ]; digest };
        Predicted { maximisers = [ numbers; []; numbers ] };
        Answer answer;
        Done { cpu_seconds; peak_memory = count };
        Refused { kind = name; message = digest; hint = source };
      ]
  in
  return { Protocol.id; body }
