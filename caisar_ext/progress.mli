(** A progress line on standard error: only on a terminal, and only for runs of more than two seconds. *)

type t

val create : unit -> t
val event : t -> Verification.event -> unit

(** Clears the line. *)
val finish : t -> unit
