(** Quantifiers over indices, [forall i: int. 0 <= i < length d -> ...]: the range is read off the formula. *)

type env = Value.t Lazy.t Map.Make(Int).t

(** An index whose value is not known yet: evaluation gives up with it while the bounds are sought. *)
exception No_value_yet

type quantifier =
  | Forall  (** bounds are premises, [0 <= i < n -> ...] *)
  | Exists  (** bounds are conjuncts, [0 <= i < n /\ ...] *)

(** [values ~value env quantifier i quantified body] holds every value of [i] at which [body] may be false ([Forall]) or
    true ([Exists]): those that its bounds leave, looked for through definitions, conjunctions and inner quantifiers. It
    may hold more; [body] is still to be evaluated at each. [value] evaluates a term, and raises {!No_value_yet} where
    it depends on [i].
    @raise Diag.Error at [quantified] when [i] is not bounded on both sides, or by more than a million. *)
val values :
  value:(env -> Spec.term -> Value.t) -> env -> quantifier -> Spec.variable -> Spec.term -> Spec.term -> int list
