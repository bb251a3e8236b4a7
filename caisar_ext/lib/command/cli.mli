(** The command line: [caisar-ext verify] and [caisar-ext hierarchy]. *)

(** Runs the program on [Sys.argv] and gives its exit code: 0 all valid, 1 some invalid, 2 none invalid and some
    undecided, 3 a user's error, 4 a bug of ours, 130 after an interruption. *)
val main : unit -> int
