(** What the variables of a formula stand for while it is put into English. *)

module Env : Map.S with type key = int

(** An index of a quantifier. What is found while its statement is read says how to speak of it. *)
type index = {
  name : string;
  alone : bool;  (** [d[i]] is "the sample" *)
  mutable least : Z.t option;
  mutable greatest : Z.t option;
  mutable read : Value.view list;  (** the datasets that it indexes *)
  mutable named : bool;  (** it occurs otherwise *)
}

type t
type meaning = Term of Spec.term * t  (** of a parameter *) | Index of index | Input of string

val empty : World.t -> Eval.memory -> t
val meaning : t -> Spec.variable -> meaning option

(** {1 Binding} *)

(** Under [forall x: vector real]. *)
val with_input : t -> Spec.variable -> t

val with_index : t -> Spec.variable * index -> t

(** Whether some sample is "the sample" already. *)
val has_sample : t -> bool

(** {1 Reading} *)

(** [head scope t] is [t] with names and definitions unfolded as far as the outermost symbol. *)
val head : t -> Spec.term -> t * Spec.term

(** [None] for what depends on an index, and for what cannot be evaluated because a false premise guards it. *)
val value : t -> Spec.term -> Value.t option

(** The index that a term is. *)
val index : t -> Spec.term -> index option

(** {1 Names} *)

val rational : Q.t -> string
val input_name : t -> string

(** Of the one network under the input, with its normalisation, once a term with it has been evaluated. *)
val network_name : t -> string

val linear : t -> Linear.t -> string
