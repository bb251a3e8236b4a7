(** A pool of persistent provers: requests in, answers out, whatever the processes do.

    A worker that dies, hangs, speaks out of turn or runs out of memory loses its process, never an answer that it gave
    and never a query: what it left unanswered is asked once more, elsewhere, one query at a time, and then answered
    with {!Verdict.Failure} and the reason. *)

(** Seconds of patience, beside the time limits of queries, before a worker counts as hung. *)
type patience = {
  start_up : float;  (** from its start to its [Welcome]: a Python prover imports for seconds *)
  loading : float;  (** more for the first request about a network *)
  grace : float;  (** more for every batch *)
  call : float;  (** for a description or a prediction *)
}

(** 120, 120, 30 and 600 seconds: for a busy machine. *)
val default_patience : patience

(** [command] replaces the driver's ({!Drivers.command}). At most [jobs] (1 to 256) processes run at a time. [hello]
    bears the version that this program speaks, {!Protocol.version}. *)
type config = {
  driver : Drivers.t;
  command : string option;
  jobs : int;
  hello : Protocol.hello;
  patience : patience;
}

type t

(** [with_pool config f] is [f pool]; no process outlives it, nor an [exit] within [f]. During [f], SIGINT, SIGTERM and
    SIGHUP stop the pool; a second one has its usual effect. SIGPIPE is ignored. Processes start when they are needed.
    Raises {!Diag.Error} when no command for the driver is found or [jobs] is out of range. *)
val with_pool : config -> (t -> 'a) -> 'a

(** A signal has stopped the pool: all its processes are gone, and every later request raises it again. *)
exception Stopped

(** A prover failed in a way that is no user's mistake, twice, in a description or a prediction: an internal error, a
    crash, a hang, or a message outside the protocol. *)
exception Broken of string

(** {1 One request, one reply}

    Each raises {!Diag.Error} when the prover refuses (kinds [user] and [memory]), located at [loc] when given, or when
    provers do not start; {!Broken}; {!Stopped}. *)

val describe_network : ?loc:Diag.location -> t -> Query.network -> Protocol.network
val describe_dataset : ?loc:Diag.location -> t -> Query.dataset -> Protocol.dataset

(** One arg-max set for each index asked. *)
val predict : ?loc:Diag.location -> t -> Protocol.predict -> int list list

(** {1 Verification} *)

type completion = Completed | Interrupted

(** [verify pool ~on_answer batches] asks all the batches, each of one worker, which has its network loaded if any
    has. [on_answer] gets one answer for every query, as they come, in no order; its outcomes are as many as the
    query's properties. It must not ask the pool for anything. Queries that a prover refuses as a user's mistake, or
    that are lost twice, are answered with {!Verdict.Failure} in step [prover].

    [Interrupted]: some queries are without an answer. Raises {!Diag.Error} when three provers in a row do not start and
    none is left, when a prover speaks another version of the protocol, or when a batch is beyond the driver
    ({!Drivers.check}). *)
val verify : t -> on_answer:(Protocol.answer -> unit) -> Protocol.verify list -> completion

(** What [Valid] covers, as the last prover that started said it; [None] when none did. *)
val rounding : t -> string option

(** [started] counts processes that said [Welcome], [start_up_seconds] what they took for it, together; [lost] counts
    processes that ended otherwise than at the pool's wish. [cpu_seconds] and [peak_memory] (bytes, of one process) are
    as the provers report them for the batches that they finished. *)
type statistics = {
  started : int;
  lost : int;
  start_up_seconds : float;
  cpu_seconds : float;
  peak_memory : int;
}

val statistics : t -> statistics
