(** Linear expressions with exact coefficients over the features of an input and the outputs of a network. *)

type atom = Feature of int | Output of int

type t = { constant : Q.t; terms : (atom * Q.t) list  (** sorted by atom, no zero weight *) }

val constant : Q.t -> t
val atom : atom -> t
val add : t -> t -> t
val sub : t -> t -> t
val scale : Q.t -> t -> t
val neg : t -> t

(** The value, when there is no atom. *)
val to_constant : t -> Q.t option
