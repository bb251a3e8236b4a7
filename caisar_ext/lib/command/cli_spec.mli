(** [caisar-ext spec]: the syntax of specifications, without types, networks or data. *)

val cmd : int Cmdliner.Cmd.t
