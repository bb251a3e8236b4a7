(** Verdicts, and Kleene's three-valued logic over them. *)

(** A counterexample that the prover has replayed: the file holds what the ONNX file is given, in its input type and
    shape without batch axis, after normalisation. [classes]: the arg-max set in ONNX Runtime; [margin]: how strictly
    the property fails, in float32 outputs; [distance]: max norm from the region's centre, data units; [centre]: the
    witness is the centre itself, the network is wrong there already. *)
type witness = {
  file : string;
  picture : string option;
  classes : int list;
  margin : float;
  distance : float;
  centre : bool;
}
[@@deriving sexp]

(** ['refutation] is what an [Invalid] stands on. [Unknown] bears its reason, [Failure] a message for the user. *)
type 'refutation t = Valid | Invalid of 'refutation | Unknown of string | Timeout | Failure of string

(** What a prover answers. Its s-expression is the protocol's: [(Invalid((witness ...)))], [(Unknown((reason ...)))]. *)
type answered = witness t [@@deriving sexp]

(** A closed formula is refuted by a replayed witness or, under a negation, by a proof of what it denies. *)
type refutation = Witness of witness | Proof_of_contrary

(** The verdict of a closed formula. *)
type concluded = refutation t

val conclude : answered -> concluded

(** {1 Kleene's logic}

    [Failure], [Timeout] and [Unknown] are all the undecided value. Among several undecided verdicts the result is the
    first [Failure], else the first [Timeout], else the first [Unknown]; among several refutations it is the first: the
    result depends on the order of the formulas only, never on the order in which answers came. *)

(** [Valid] becomes [Invalid Proof_of_contrary]. [Invalid _] becomes [Valid], which is sound only because a refutation
    is a replayed witness or a proof. Undecided stays as it is. *)
val negation : concluded -> concluded

(** One [Invalid] is enough for [Invalid]; all must be [Valid] for [Valid]. [conjunction [] = Valid]. *)
val conjunction : 'refutation t list -> 'refutation t

(** One [Valid] is enough for [Valid]; all must be [Invalid] for [Invalid].
    [disjunction [] = Invalid Proof_of_contrary]. *)
val disjunction : concluded list -> concluded

val is_decided : 'refutation t -> bool
