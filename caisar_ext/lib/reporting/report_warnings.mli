(** What is true of a run but not what its author meant. *)

(** Issues ({!Diag.warn}) a warning for each goal that holds because of empty regions. *)
val issue : Verification.result -> unit
