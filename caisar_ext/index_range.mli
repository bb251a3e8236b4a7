(** Quantifiers over indices, [forall i: int. 0 <= i < length d -> ...]: the range is read off the premises. *)

type env = Value.t Lazy.t Map.Make(Int).t

(** An index whose value is not known yet: evaluation gives up with it while the bounds are sought. *)
exception No_value_yet

(** [values ~value env i quantified body] is every value that the premises of [body] leave to [i], through definitions and
    conjunctions. [value] evaluates a term, and raises {!No_value_yet} where it depends on [i].
    @raise Diag.Error at [quantified] when [i] is not bounded on both sides, or by more than ten million. *)
val values : value:(env -> Spec.term -> Value.t) -> env -> Spec.variable -> Spec.term -> Spec.term -> int list
