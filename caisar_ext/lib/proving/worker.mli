(** One prover process and its conversation: a request at a time, replies as they come, a deadline. *)

type t

(** [Lost reason]: the process is dead and buried, whatever it did; nothing comes after. What it said before was
    delivered first. *)
type event = Reply of Protocol.reply | Lost of string

(** [start ~memory_limit argv] starts the process. [memory_limit], in bytes, is for the prover to keep; one that
    is a quarter above it ({!Process.private_memory}) is ended. Raises [Unix.Unix_error] when no process can be made. *)
val start : memory_limit:int option -> string array -> t

(** [send worker ~id ~allowance request]: within [allowance] seconds from now comes the last reply to it, or
    {!extend}, or else the worker is lost. The request before must have been answered in full. *)
val send : t -> id:int -> allowance:float -> Protocol.request -> unit

(** [extend worker ~allowance] lets the present request have at least [allowance] seconds from now. *)
val extend : t -> allowance:float -> unit

(** The present request is answered in full: no more replies, no deadline. *)
val rest : t -> unit

(** Seconds since the process was started. *)
val age : t -> float

(** [poll workers ~timeout ~on_event] waits up to [timeout] seconds, or until a signal, for something to happen, and
    calls [on_event] for each event, in order for each worker. What [on_event] does ({!send}, {!rest}, {!give_up})
    counts for the next reply already. *)
val poll : t list -> timeout:float -> on_event:(t -> event -> unit) -> unit

(** [give_up worker reason] ends a process whose replies make no sense, and is the reason with the process's last words.
    No event follows. *)
val give_up : t -> string -> string

(** Kills the process group at once. *)
val kill : t -> unit

(** [dismiss workers ~grace] closes their standard input, gives all of them together [grace] seconds to end, then kills
    what is left. *)
val dismiss : t list -> grace:float -> unit
