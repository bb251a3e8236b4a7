(** The pipeline: specification, plan, answers, conclusions. *)

(** The version of this program. *)
val release : string

type options = {
  specification : string;
  selection : Spec.selection;
  samples : (int * int) option;
  time_limit : float;  (** seconds a query *)
  full_matrix : bool;
  pool : Prover.config;
}

type result = {
  plan : Plan.t;
  conclusions : Aggregate.t;
  networks : (Query.network * Protocol.network) list;  (** those of the plan *)
  datasets : (Query.dataset * Protocol.dataset) list;  (** those that the plan's regions come from *)
  statistics : Prover.statistics;
  rounding : string;  (** what [Valid] covers, as the prover says it *)
  wall_seconds : float;
  completion : Prover.completion;
}

(** What happens meanwhile, for a progress bar. *)
type event = Planned of Plan.t | Answered of Protocol.answer

(** [with_plan ~specification ~selection ~samples config f] is [f pool world plan], with a pool that lasts as long.
    @raise Diag.Error for the user's mistakes. *)
val with_plan :
  specification:string -> selection:Spec.selection -> samples:(int * int) option -> Prover.config ->
  (Prover.t -> World.t -> Plan.t -> 'a) -> 'a

(** @raise Diag.Error for the user's mistakes. *)
val run : options -> on_event:(event -> unit) -> result

(** {!Aggregate.exit_code}, or 130 after an interruption. *)
val exit_code : result -> int
