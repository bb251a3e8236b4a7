(** A child process with pipes on its three standard channels, in a process group of its own, that does not outlive this
    program: on Linux it is killed when this program dies, however it dies. *)

type t = private {
  pid : int;
  stdin : Unix.file_descr;  (** non-blocking; to write to *)
  stdout : Unix.file_descr;  (** non-blocking; to read from *)
  stderr : Unix.file_descr;  (** non-blocking; to read from *)
  mutable tail : string;  (** the last bytes of its standard error *)
  mutable status : Unix.process_status option;  (** once reaped *)
  mutable still_open : Unix.file_descr list;
}

(** Seconds of a monotonic clock. *)
val now : unit -> float

(** [spawn argv] looks [argv.(0)] up on the path. A command that cannot be executed is a child that exits with 127 and
    says why on its standard error. Raises [Unix.Unix_error] when no process can be made. *)
val spawn : string array -> t

(** Its standard error, until that has ended. *)
val open_stderr : t -> Unix.file_descr option

(** Reads what standard error holds into [tail], and closes it at its end. Does not wait. *)
val drain_errors : t -> unit

(** True when the process has ended, which reaps it. Does not wait. *)
val has_ended : t -> bool

(** [bury process ~grace] waits up to [grace] seconds for the end, kills what is left of the process group, reaps and
    closes the pipes. Idempotent. *)
val bury : t -> grace:float -> unit

(** Closes its standard input only: a prover then ends by itself. *)
val close_stdin : t -> unit

(** Sends SIGKILL to the whole group. *)
val kill : t -> unit

(** [exited with code 3] or [killed by SIGABRT], then the last line of its standard error, if any. To be called after
    {!bury}. *)
val describe_end : t -> string

(** The last line that it wrote on standard error, shortened. *)
val last_words : t -> string option

(** Bytes of memory that hold no file's content (a library's code does not count); [None] where the system does not
    tell. *)
val private_memory : t -> int option

(** [Unix.waitpid] of one child, through interruptions. *)
val wait : int -> int * Unix.process_status
