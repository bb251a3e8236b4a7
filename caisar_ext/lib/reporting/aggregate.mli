(** From answers to conclusions: verdicts of goals, the levels at which samples are safe, groups, and the group-by-group
    matrix. Pure: what is printed is {!Report}'s business. *)

(** Answers by query number; queries without an answer (interrupted) are missing. *)
type answers = Protocol.answer option array

(** [consistent query answer] is [answer], or the same with every outcome a [Failure] when a replayed witness contradicts a
    proof in it: that is a mistake of the prover's, and none of the answer can be trusted. *)
val consistent : Query.t -> Protocol.answer -> Protocol.answer

(** {1 Goals} *)

(** One sample's part in a goal. [outcome] is that of its deciding property, when it is a single one. *)
type sample_verdict = {
  subject : Plan.subject;
  verdict : Verdict.concluded;
  outcome : Protocol.outcome option;
}

type counts = {
  proven : int;
  refuted : int;
  wrong_at_centre : int;  (** of the refuted: the network errs at the sample itself *)
  undecided : int;
}

type goal = {
  goal : Spec.goal;
  verdict : Verdict.concluded;
  counts : counts;  (** over [samples]; of the goal itself when it has none *)
  samples : sample_verdict list;  (** in the order of the dataset *)
  outcomes : Protocol.outcome list;  (** of a goal without samples: of each property, in order *)
}

(** {1 Abstract safety, by network, hierarchy and region} *)

(** Undecided where neither a proof nor a replayed witness is known. *)
type status = Proven | Refuted | Open

(** Where one sample stands. Levels count ancestors from the reference class (0) to the root. Between [finest_proven]
    and [coarsest_refuted] the status is open: never a single level while something between is open. *)
type sample = {
  subject : Plan.subject;
  reference : int;
  answer : Protocol.answer;
  levels : (Hierarchy.node * status) list;  (** from the class to the root *)
  overlays : (Hierarchy.node * status) list;  (** those that contain the class *)
  finest_proven : Hierarchy.node option;
  coarsest_refuted : Hierarchy.node option;
}

type group = { node : Hierarchy.node; proven : int; refuted : int; open_ : int }

(** [Witnessed]: some sample of the row has a replayed witness answered in the column. [Impossible]: every class of the
    column is proven unable to win around every sample of the row. *)
type cell = Witnessed of int  (** samples *) | Impossible | Undecided | No_sample  (** in the row *)

type matrix = { cut : string; blocks : Hierarchy.node list; rows : cell list list  (** by reference block *) }

(** Samples that share the network, the hierarchy and the kind of region. A query without an answer leaves its sample
    open at every level. *)
type setting = {
  network : Query.network;
  hierarchy : Hierarchy.t;
  radius : Q.t option;  (** of the ball, if any *)
  bounds : Query.bound list;  (** of the region, beside the ball; {!Query.anywhere} *)
  domain : string option;
  samples : sample list;
  groups : group list;
  (** inner nodes except the root, in the order of the tree, then overlays; those with a sample: do all answers stay
      inside? *)
  matrices : matrix list;  (** one a cut; the children of the root when there is no cut *)
}

type t = { goals : goal list; settings : setting list; noise : Noise_uses.t list; answered : int; asked : int }

val conclude : Plan.t -> answers -> t

(** 0 all valid, 1 some invalid, 2 none invalid and some undecided. *)
val exit_code : t -> int
