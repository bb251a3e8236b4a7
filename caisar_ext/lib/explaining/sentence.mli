(** Statements in English: a formula whose leaves are phrases, kept small while it is built, and its text. *)

type t = private
  | Holds of bool
  | Phrase of { positive : string; negative : string }
  | All of t list
  | Any of t list
  | If of t list * t  (** premises, conclusion *)
  | Exactly_when of t * t
  | Each of { heading : string; such_that : t list; claim : t }  (** ["for each of the 4 samples"] *)
  | One of { heading : string; claim : t }  (** ["for at least one of the 4 samples"] *)
  | Not of t

val holds : bool -> t

(** A phrase and its negation. *)
val phrase : string -> string -> t

val all : t list -> t
val any : t list -> t
val implies : t -> t -> t
val exactly_when : t -> t -> t
val each : heading:string -> t list -> t -> t
val one : heading:string -> t -> t
val negation : t -> t

(** Without a full stop. What could be read in two ways is in parentheses. *)
val text : t -> string
