(** From what must hold for one input to what a prover must refute.

    Under [forall x], a formula speaks of the input, of the outputs and of the answer [predict net x]. Its negation is
    put into disjunctive normal form: a union of conjunctions, each one region with a property whose violation it is.

    At a tie the answer is a set: the formula must hold for each maximiser. So literals about the answer are sets of
    classes, and connectives on them are set operations (see "Ties" and "Group condition" in the documentation). *)

module Classes = Hierarchy.Classes

type literal =
  | Bound of Query.bound  (** the input lies there *)
  | Outcome of Query.comparison  (** the outputs compare so *)
  | Answer of Classes.t  (** the answer is one of these *)
  | Undecided of Value.tie  (** the answer at a sample, which is not one class *)

type located = { literal : literal; loc : Diag.location option Lazy.t }

type case = { region : Query.bound list; property : Query.property }

(** [cases ~loc ~outputs body] is the regions and properties that together say [forall x. body], for a network with
    [outputs] classes; [Error tie] when a literal is undecided. Regions are in a normal form, one case a region and kind
    of property; no case: [body] holds at every input, whatever the network.
    @raise Diag.Error at the leaf for a negated ball or range, at [loc] for more than 10,000 conjunctions. *)
val cases :
  loc:Diag.location option Lazy.t -> outputs:int -> located Formula.t -> (case list, Value.tie) result
