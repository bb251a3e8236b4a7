(** Conclusions for programs; the schema is [grammar/conclusions.schema.json]. *)

val print : Verification.options -> Verification.result -> unit
