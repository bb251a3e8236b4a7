(** The parts of the JSON report that stand for values: numbers, verdicts, regions, messages. *)

type json = Yojson.Safe.t

val string : string -> json
val int : int -> json
val list : ('a -> json) -> 'a list -> json
val option : ('a -> json) -> 'a option -> json

(** [null] when it is infinite or no number. *)
val float : float -> json

(** A string, ["n"] or ["n/d"]: exact. *)
val rational : Q.t -> json

(** {1 Questions} *)

val normalization : Query.normalization -> json
(** Whether the indices of a region's rows are meant, or are {!Query.anywhere}'s. *)
type place = Here | Anywhere

val bound : place -> Query.bound -> json
val property : Query.property -> json

(** {1 Answers} *)

(** Files of witnesses are told only when they are kept. *)
type files = Kept | Gone

val witness : files -> Verdict.witness -> json
val verdict : files -> Verdict.concluded -> json
val outcome : files -> Protocol.outcome -> json
val diagnostic : Diag.t -> json
