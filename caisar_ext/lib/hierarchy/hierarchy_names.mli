(** First check of a hierarchy: names and indexes.

    [check ~locate syntax] is every mistake in them, in no order: a name declared twice, an unknown one, a list that
    names one twice or names an overlay where only the tree's nodes may stand, an empty group or list, an index that is
    taken or out of range. *)

val check : locate:(Hierarchy_syntax.place -> Diag.location) -> Hierarchy_syntax.t -> Diag.t list
