(** From what must hold for one input to what a prover must refute.

    Under [forall x], a formula speaks of the input, of the outputs and of the answer [predict net x]. Its negation is put
    into disjunctive normal form: a union of conjunctions, each one region with a property whose violation it is.

    At a tie the answer is a set: the formula must hold for each maximiser. So literals about the answer are sets of
    classes, and connectives on them are set operations (see "Ties" and "Group condition" in the documentation). *)

module Classes = Hierarchy.Classes

type literal =
  | Bound of Query.bound  (** the input lies there *)
  | Outcome of Query.comparison  (** the outputs compare so *)
  | Answer of Classes.t  (** the answer is one of these *)
  | Undecided of string  (** cannot be told, and why: an arg-max tie at a sample *)

type located = { literal : literal; loc : Diag.location option Lazy.t }

type case = { region : Query.bound list; property : Query.property }

(** [cases ~outputs body] is the regions and properties that together say [forall x. body], for a network with
    [outputs] classes; [Error reason] when a literal is undecided. Regions are in a normal form, one case a region and
    kind of property.
    @raise Diag.Error for a negated ball or range, and for more than 10,000 conjunctions. *)
val cases : outputs:int -> located Formula.t -> (case list, string) result
