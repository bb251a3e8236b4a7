(** The messages between the orchestrator and a prover: [grammar/protocol.md], version 3.

    The types are the wire: one record a message, its fields named as on the page, s-expressions derived. *)

(** The version that this program speaks. *)
val version : int

(** {1 Requests} *)

(** First message, once. [witness_dir]: existing folder, absolute. [memory_limit]: bytes, for one prover process.
    [noise_directory]: existing folder, absolute, for what zonotopes keep on disk; [noise_symbols]: the most that they keep.
    [deployment]: what proofs cover, ["real"] or ["float32"]. *)
type hello = {
  version : int;
  client : string;
  data_dir : string option;
  witness_dir : string;
  pictures : bool;
  memory_limit : int option;
  noise_directory : string option;
  noise_symbols : int option;
  threads : int;
  seed : int;
  deployment : string;
}
[@@deriving sexp]

type describe_network = { network : Query.network } [@@deriving sexp]
type describe_dataset = { dataset : Query.dataset } [@@deriving sexp]
type predict = { network : Query.network; dataset : Query.dataset; indices : int list } [@@deriving sexp]

(** [time_limit]: seconds a query. [full_matrix]: go on after the first witness. [domain]: the only abstract domain to
    use; absent, the prover's cascade. *)
type verify = {
  network : Query.network;
  queries : Query.t list;
  time_limit : float;
  full_matrix : bool;
  domain : string option;
}
[@@deriving sexp]

type request =
  | Hello of hello
  | Describe_network of describe_network
  | Describe_dataset of describe_dataset
  | Predict of predict
  | Verify of verify
[@@deriving sexp]

(** {1 Replies} *)

(** [rounding]: what [Valid] covers, in words, for the deployment asked. *)
type welcome = { version : int; prover : string; release : string; rounding : string } [@@deriving sexp]
type operator = { name : string; count : int } [@@deriving sexp]

(** [input_shape] without the batch axis; [neurons]: units of non-linear layers; [digest]: SHA-256, hexadecimal. *)
type network = {
  input_shape : int list;
  outputs : int;
  opset : int;
  operators : operator list;
  parameters : int;
  neurons : int;
  digest : string;
  normalization_source : string option;
}
[@@deriving sexp]

(** [shape]: of one sample, channels first; [labels] has [length] items; [class_names] may be empty; [arrays]: what a
    {!Query.row} may name, [images] among them. *)
type dataset = {
  length : int;
  shape : int list;
  labels : int list;
  class_names : string list;
  arrays : string list;
  digest : string;
}
[@@deriving sexp]

(** For each index asked, the arg-max set of the ONNX file at the sample itself. *)
type predicted = { maximisers : int list list } [@@deriving sexp]

(** [step]: what decided ([centre], [search], [interval], [linear] or another domain, [optimised], [split], [branch],
    [empty]; [prover] when the orchestrator answers for a prover that was lost). [margin]: the proven lower bound on
    how far the property is from failing ([Valid]), or the best bound known. *)
type outcome = { verdict : Verdict.answered; step : string; margin : float option } [@@deriving sexp]

type reached = { class_index : int; witness : Verdict.witness } [@@deriving sexp]

(** How a step's zonotopes kept their noise, and why so. Bytes of memory: [predicted] before, [peak] as measured.
    [boxed]: the share of the outputs' width that keeps no symbols, which makes bounds coarser. *)
type noise = { storage : string; reason : string; symbols : int; predicted : int; peak : int; boxed : float }
[@@deriving sexp]

type step = { name : string; seconds : float; noise : noise option } [@@deriving sexp]

(** All that a prover says about one query. [outcomes]: one for each property, in order. [centre]: maximisers at the
    region's centre. [impossible]: classes proven to win nowhere in the region. [reached]: one witness for each class
    that was seen to win and that some property forbids. [seconds]: CPU seconds. *)
type answer = {
  query : int;
  outcomes : outcome list;
  centre : int list;
  impossible : int list;
  reached : reached list;
  seconds : float;
  steps : step list;
}
[@@deriving sexp]

(** [peak_memory]: bytes. *)
type finished = { cpu_seconds : float; peak_memory : int } [@@deriving sexp]

(** [kind]: [user], [version], [memory] or [internal]. *)
type refused = { kind : string; message : string; hint : string option } [@@deriving sexp]

type reply =
  | Welcome of welcome
  | Network of network
  | Dataset of dataset
  | Predicted of predicted
  | Answer of answer
  | Done of finished
  | Refused of refused
[@@deriving sexp]

(** {1 Payloads} *)

type 'body envelope = { id : int; body : 'body }

val payload_of_request : request envelope -> string

(** [Error message] when the payload is no s-expression or not a reply; [message] quotes what offends, shortened. *)
val reply_of_payload : string -> (reply envelope, string) result

(** The prover's half, for tests of this module. *)

val payload_of_reply : reply envelope -> string

val request_of_payload : string -> (request envelope, string) result

(** {1 Frames}

    The number of bytes of the payload in decimal, a newline, the payload. *)

module Frame : sig
  (** 64 MiB. *)
  val max_payload : int

  (** [encode payload] is the whole frame. Raises [Invalid_argument] above {!max_payload}. *)
  val encode : string -> string

  (** Collects chunks of any size into frames, in time linear in the bytes fed. *)
  type decoder

  val decoder : unit -> decoder

  (** [feed decoder chunk length] adds the first [length] bytes of [chunk]. *)
  val feed : decoder -> bytes -> int -> unit

  (** [next decoder] takes the next whole payload; [Ok None] when more bytes are needed. [Error message] after a
      malformed header, once the frames before it are taken; a decoder in error stays so. *)
  val next : decoder -> (string option, string) result
end
