open Sexplib
module Of_sexp = Sexplib.Conv

module Std = struct
  include Sexplib.Std

  let is_digit c = c >= '0' && c <= '9'

  let decimal text =
    let digits = if text <> "" && text.[0] = '-' then String.sub text 1 (String.length text - 1) else text in
    digits <> "" && String.to_seq digits |> Seq.fold_left (fun all c -> all && is_digit c) true

  let int_of_sexp = function
    | Sexp.Atom text as sexp when decimal text -> (
        match int_of_string_opt text with
        | Some n -> n
        | None -> Of_sexp.of_sexp_error "integer out of range" sexp)
    | sexp -> Of_sexp.of_sexp_error "a decimal integer is expected" sexp

  let sexp_of_float x =
    match Float.classify_float x with
    | FP_nan -> Sexp.Atom "nan"
    | FP_infinite -> Sexp.Atom (if x > 0. then "inf" else "-inf")
    | FP_normal | FP_subnormal | FP_zero -> Sexp.Atom (Printf.sprintf "%h" x)

  let hexadecimal text =
    let start = if text <> "" && text.[0] = '-' then 1 else 0 in
    String.length text > start + 2 && String.sub text start 2 = "0x" && not (String.contains text '_')

  let float_of_sexp = function
    | Sexp.Atom "inf" -> infinity
    | Sexp.Atom "-inf" -> neg_infinity
    | Sexp.Atom "nan" -> nan
    | Sexp.Atom text as sexp when hexadecimal text -> (
        match float_of_string_opt text with
        | Some x -> x
        | None -> Of_sexp.of_sexp_error "a hexadecimal float is expected" sexp)
    | sexp -> Of_sexp.of_sexp_error "a hexadecimal float is expected" sexp
end

module Rational = struct
  type t = Q.t

  let sexp_of_t q =
    if not (Q.is_real q) then invalid_arg "Wire.Rational.sexp_of_t: not a number";
    Sexp.Atom (Q.to_string q)

  (* [Q.of_string] reads more than the protocol writes; only the canonical spelling survives the round trip. *)
  let t_of_sexp = function
    | Sexp.Atom text as sexp -> (
        match Q.of_string text with
        | q when Q.is_real q && Q.to_string q = text -> q
        | _ | (exception (Invalid_argument _ | Failure _ | Division_by_zero)) ->
          Of_sexp.of_sexp_error "a rational in lowest terms is expected" sexp)
    | sexp -> Of_sexp.of_sexp_error "a rational in lowest terms is expected" sexp
end
