(** Conclusions for programs: one JSON document that follows [grammar/conclusions.schema.json]. *)

(** [witnesses]: the folder in which they are kept; without it their files are gone when the run ends, and [null]. *)
val of_result : witnesses:string option -> Verification.options -> Verification.result -> Yojson.Safe.t

(** On standard output. *)
val print : witnesses:string option -> Verification.options -> Verification.result -> unit
