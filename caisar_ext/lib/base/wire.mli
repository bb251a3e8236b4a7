(** S-expressions of the atomic values of the protocol ([grammar/protocol.md], "Values"): exact, one spelling each.

    Types that cross the wire derive the rest with [ppx_sexp_conv] under [open Wire.Std]. The [..._of_sexp] functions
    raise [Sexplib.Conv.Of_sexp_error]. *)

module Std : sig
  include module type of Sexplib.Std

  (** Decimal, without the other bases and underscores that OCaml would read. *)
  val int_of_sexp : Sexplib.Sexp.t -> int

  (** C99 hexadecimal ([%h]), [inf], [-inf] or [nan]: no digit is lost. *)
  val sexp_of_float : float -> Sexplib.Sexp.t

  val float_of_sexp : Sexplib.Sexp.t -> float
end

(** A rational, [n] or [n/d] with [d > 1] in lowest terms. Infinite and undefined values of [Q] have no spelling. *)
module Rational : sig
  type t = Q.t [@@deriving sexp]
end
