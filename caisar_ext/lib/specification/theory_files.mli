(** The theories that ship with the program, as files. *)

(** The folder that holds them: Why3 reads theories from folders only. It is written at the first use, once a process,
    and removed at the end.
    @raise Diag.Error when there is no folder for temporary files. *)
val folder : string Lazy.t
