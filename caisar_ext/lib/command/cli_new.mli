(** [caisar-ext new]. *)

val cmd : int Cmdliner.Cmd.t
