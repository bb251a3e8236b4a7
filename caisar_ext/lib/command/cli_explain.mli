(** [caisar-ext explain]. *)

val cmd : int Cmdliner.Cmd.t
