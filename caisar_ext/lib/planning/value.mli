(** What terms of a specification evaluate to. *)

(** Samples [first] to [first + length - 1] of a dataset. *)
type view = { dataset : Query.dataset; labels : int array; first : int; length : int }

type sample = { view : view; index : int  (** in the file's numbering *) }

(** The network's answer at a sample is not one class: several share the maximum, or none has it (not a number). *)
type tie = { sample : sample; classes : int list }

type vector =
  | Input  (** the [x] of [forall x] *)
  | Image of sample
  | Row of sample * string  (** in another array of the dataset *)
  | Constants of Q.t list
  | Normalized of vector * Query.normalization
  | Outputs of Query.network  (** at the input *)

type t =
  | Int of Z.t  (** classes included *)
  | Answer of Query.network  (** [predict net x] *)
  | Tie of tie  (** [predict net (image s)] *)
  | Real of Linear.t
  | Text of string
  | Model of string  (** absolute path *)
  | Dataset of view
  | Sample of sample
  | Vector of vector
  | Hierarchy of Hierarchy.t
  | Level of Hierarchy.level
  | Group of Hierarchy.t * Hierarchy.Classes.t

(** What a value is, for messages. *)
val describe : t -> string

(** Which sample, and which classes. *)
val describe_tie : tie -> string
