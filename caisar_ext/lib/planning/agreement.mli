(** Whether what a goal speaks of fits together: a hierarchy must name the outputs of the networks whose answers it judges,
    and agree in class names with the datasets. *)

(** What was met so far. *)
type t

val create : World.oracle -> t

(** {1 Meeting}

    Each checks against all that was met before.
    @raise Diag.Error located in the hierarchy. *)

val hierarchy : t -> Hierarchy.t -> unit

(** A network whose answer, not only its outputs, is meant. *)
val network : t -> Query.network -> unit

val dataset : t -> Query.dataset -> unit

(** [again t known] meets all that [known] has met. *)
val again : t -> t -> unit

(** {1 Shapes} *)

(** Whether samples of a dataset can be given, row-major, to a network's input.
    @raise Diag.Error at [loc]. *)
val check_shape : loc:Diag.location option -> Query.dataset -> sample:int list -> input:int list -> unit
