open Sexplib
open Wire.Std

let version = 3

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

type welcome = { version : int; prover : string; release : string; rounding : string } [@@deriving sexp]
type operator = { name : string; count : int } [@@deriving sexp]

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

type dataset = {
  length : int;
  shape : int list;
  labels : int list;
  class_names : string list;
  arrays : string list;
  digest : string;
}
[@@deriving sexp]

type predicted = { maximisers : int list list } [@@deriving sexp]
type outcome = { verdict : Verdict.answered; step : string; margin : float option } [@@deriving sexp]
type reached = { class_index : int; witness : Verdict.witness } [@@deriving sexp]

type noise = { storage : string; reason : string; symbols : int; predicted : int; peak : int; boxed : float }
[@@deriving sexp]

type step = { name : string; seconds : float; noise : noise option } [@@deriving sexp]

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

type finished = { cpu_seconds : float; peak_memory : int } [@@deriving sexp]
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

type 'body envelope = { id : int; body : 'body } [@@deriving sexp]

let payload_of sexp_of_body envelope = Sexp.to_string_mach (sexp_of_envelope sexp_of_body envelope)
let payload_of_request = payload_of sexp_of_request
let payload_of_reply = payload_of sexp_of_reply

(* Replies may be megabytes; an error message is for a reader. *)
let quoted_length = 120

let shorten text =
  if String.length text <= quoted_length then text else String.sub text 0 quoted_length ^ "..."

let describe_failure exn sexp =
  let reason =
    match exn with
    | Failure reason -> reason
    | exn -> Printexc.to_string exn
  in
  Printf.sprintf "%s in %s" reason (shorten (Sexp.to_string_mach sexp))

let body_of_payload body_of_sexp payload =
  match Parsexp.Single.parse_string payload with
  | Error error ->
    let position = Parsexp.Parse_error.position error in
    Error (Printf.sprintf "%s at byte %d of the payload" (Parsexp.Parse_error.message error) position.offset)
  | Ok sexp -> (
      match envelope_of_sexp body_of_sexp sexp with
      | envelope -> Ok envelope
      | exception Conv.Of_sexp_error (exn, sexp) -> Error (describe_failure exn sexp))

let reply_of_payload = body_of_payload reply_of_sexp
let request_of_payload = body_of_payload request_of_sexp

module Frame = struct
  let max_payload = 64 * 1024 * 1024
  let max_digits = 10

  let encode payload =
    let length = String.length payload in
    if length > max_payload then invalid_arg "Protocol.Frame.encode: payload over 64 MiB";
    Printf.sprintf "%d\n%s" length payload

  type state =
    | Header of Buffer.t
    | Payload of { bytes : bytes; mutable filled : int }
    | Malformed of string

  type decoder = { mutable state : state; whole : string Queue.t }

  let decoder () = { state = Header (Buffer.create max_digits); whole = Queue.create () }

  (* A payload's bytes are given once and never written again, so that the copy to a string can be spared. *)
  let start_payload decoder length =
    if length > max_payload then
      decoder.state <- Malformed (Printf.sprintf "a frame of %d bytes is over the limit of %d" length max_payload)
    else if length = 0 then begin
      Queue.add "" decoder.whole;
      decoder.state <- Header (Buffer.create max_digits)
    end
    else decoder.state <- Payload { bytes = Bytes.create length; filled = 0 }

  let header_byte decoder digits c =
    match c with
    | '0' .. '9' when Buffer.length digits < max_digits -> Buffer.add_char digits c
    | '\n' when Buffer.length digits > 0 -> start_payload decoder (int_of_string (Buffer.contents digits))
    | c ->
      Buffer.add_char digits c;
      let header = Buffer.contents digits in
      decoder.state <- Malformed (Printf.sprintf "a frame header is expected, not %S" header)

  let rec feed_from decoder chunk position stop =
    if position < stop then
      match decoder.state with
      | Malformed _ -> ()
      | Header digits ->
        header_byte decoder digits (Bytes.get chunk position);
        feed_from decoder chunk (position + 1) stop
      | Payload payload ->
        let count = min (stop - position) (Bytes.length payload.bytes - payload.filled) in
        Bytes.blit chunk position payload.bytes payload.filled count;
        payload.filled <- payload.filled + count;
        if payload.filled = Bytes.length payload.bytes then begin
          Queue.add (Bytes.unsafe_to_string payload.bytes) decoder.whole;
          decoder.state <- Header (Buffer.create max_digits)
        end;
        feed_from decoder chunk (position + count) stop

  let feed decoder chunk length = feed_from decoder chunk 0 length

  let next decoder =
    match (Queue.take_opt decoder.whole, decoder.state) with
    | Some payload, _ -> Ok (Some payload)
    | None, Malformed message -> Error message
    | None, (Header _ | Payload _) -> Ok None
end
