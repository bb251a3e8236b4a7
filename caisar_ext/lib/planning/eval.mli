(** Evaluation of terms to values and of formulas to leaves. Definitions are unfolded, numbers are exact. *)

(** Values of constants, with what their evaluation met: shared by the goals of a specification. *)
type memory

val memory : unit -> memory

type context = {
  world : World.t;
  memory : memory;
  met : Agreement.t;  (** by this goal *)
  scope : Literal.scope option;  (** [None] outside of [forall x] *)
  site : Diag.location option Lazy.t option;  (** inside a definition of ours: where it is used *)
}

(** Of a goal: nothing met yet, outside of [forall x]. *)
val context : World.t -> memory -> context

(** Of a network that [term] applies. *)
val outputs : context -> Spec.term -> Query.network -> int

(** How to treat what only the caller can: atomic formulas, and quantification over an input. *)
type 'leaf leaves = {
  atom : context -> Spec.term -> Spec.builtin -> Value.t list -> 'leaf Formula.t;
  input : context -> Index_range.env -> Spec.term -> Spec.variable -> Spec.term -> 'leaf Formula.t;
}

(** [value context env t] is the value of a term.
    @raise Index_range.No_value_yet when a variable in it has none. *)
val value : context -> Index_range.env -> Spec.term -> Value.t

(** [formula leaves context env f] expands quantifiers over indices, and reads premises before conclusions: what a false
    premise guards is not evaluated.
    @raise Diag.Error located, for everything outside of the language. *)
val formula : 'leaf leaves -> context -> Index_range.env -> Spec.term -> 'leaf Formula.t
