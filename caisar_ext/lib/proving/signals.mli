(** [catching ~on_interrupt f] is [f ()]. Meanwhile SIGINT, SIGTERM and SIGHUP call [on_interrupt], once each: a second
    one has its usual effect. One that this program was told to ignore (nohup) stays ignored. SIGPIPE is ignored, so that
    writing to a dead process is an error like others. Afterwards all is as before. *)
val catching : on_interrupt:(unit -> unit) -> (unit -> 'a) -> 'a
