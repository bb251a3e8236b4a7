(** The end of a report: verdicts counted, what they mean, what it cost, what failed, and what to do next. *)

val pp : Report_context.t -> Verification.options -> unit Fmt.t
