(** Second check of a hierarchy, once its names are sound ({!Hierarchy_names}): the sets of classes.

    [check ~locate t syntax] is every mistake in them, in no order: two nodes of the same extension, a cut whose blocks
    overlap or do not cover the classes, a [never] pair with a class on both sides. *)

val check : locate:(Hierarchy_syntax.place -> Diag.location) -> Hierarchy.t -> Hierarchy_syntax.t -> Diag.t list
