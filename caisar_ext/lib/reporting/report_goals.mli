(** The goals of a run as a table; below each goal that is not valid, the samples that decide it. *)

val pp : Report_context.t -> unit Fmt.t
