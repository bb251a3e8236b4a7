(** A progress line on standard error: only on a terminal, and a bar only in runs of more than two seconds.

    The cursor rests at the start of the line, so that a warning is written over it. *)

type t

val create : unit -> t
val event : t -> Verification.event -> unit

(** Clears the line; again is harmless. *)
val finish : t -> unit

(** {1 For tests} *)

(** [proven]: queries all of whose properties are; [refuted]: those of which one is. [elapsed] and [planned] in seconds
    since the start. *)
type state = { total : int; answered : int; proven : int; refuted : int; planned : float; elapsed : float }

(** Shorter than [width]. *)
val line : width:int -> state -> string
