(** Conclusions for people: tables on standard output, colours only on a terminal. *)

val print : Verification.options -> Verification.result -> unit
