(** Atomic formulas: from a predicate and the values of its arguments to a literal on the input, the outputs or the
    answer, or to a truth value when nothing unknown is left. *)

(** What is met under one [forall x]: the one network, and the hierarchy and class whose groups are meant. *)
type scope = { mutable network : Query.network option; mutable reference : (Hierarchy.t * int) option }

(** [of_builtin ~outputs scope term predicate arguments]. [outputs] gives the number of a network's outputs. Hierarchies
    fit the networks ({!Agreement}).
    @raise Diag.Error at [term]. *)
val of_builtin :
  outputs:(Query.network -> int) ->
  scope option ->
  Spec.term ->
  Spec.builtin ->
  Value.t list ->
  Violation.located Formula.t
