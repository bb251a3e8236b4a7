(** [caisar-ext hierarchy check FILE...] and [caisar-ext hierarchy show FILE].

    Its value is the exit code: 0, or 3 when a file has a mistake (all of them are printed first). *)

val cmd : int Cmdliner.Cmd.t
