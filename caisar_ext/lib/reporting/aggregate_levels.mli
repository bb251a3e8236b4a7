(** How the samples of a setting stand at each level of the hierarchy: what {!Aggregate} concludes, counted. *)

(** A level counted upwards, [up k]. *)
type height = int

(** Does a goal ask whether all answers stay in this node, for this sample? Where none does, open means only that
    nothing else tells. *)
val is_asked : Plan.t -> Hierarchy.t -> Aggregate.sample -> Hierarchy.node -> bool

(** Counts of samples; [asked]: those for which a goal asks. *)
type row = { level : Hierarchy.level; asked : int; proven : int; refuted : int; open_ : int }

(** From [up 0] to the last level at which something can fail, which is below the root unless there are [never] pairs;
    then the cuts, in the order of the file. *)
val rows : Plan.t -> Aggregate.setting -> row list

(** How many samples share their finest proven and their coarsest refuted level; what lies between is open. *)
type interval = { finest_proven : height option; coarsest_refuted : height option; samples : int }

(** The safest first. *)
val intervals : Aggregate.setting -> interval list

(** A sample's own interval. *)
val finest_proven : Aggregate.sample -> height option

val coarsest_refuted : Aggregate.sample -> height option

(** How bad it is to give these answers for a reference. [height]: {!Hierarchy.severity} of the worst of them.
    [forbidden]: a [never] pair forbids one. [within]: the smallest node of the tree that holds the reference and all
    the answers. [leaves]: the largest that holds the reference and none of them; none when the reference is among
    them. *)
type severity = { height : int; forbidden : bool; within : Hierarchy.node; leaves : Hierarchy.node option }

(** None without an answer. *)
val severity : Hierarchy.t -> reference:int -> int list -> severity option

(** That of a sample's witness; none without one, or where the sample is compared in no hierarchy. *)
val of_verdict : Aggregate.sample_verdict -> (Hierarchy.t * severity) option

(** The hierarchies of the settings, each once, in their order. *)
val hierarchies : Aggregate.t -> Hierarchy.t list

(** Of the same file. *)
val same_hierarchy : Hierarchy.t -> Hierarchy.t -> bool
