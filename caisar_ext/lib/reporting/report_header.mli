(** What a run was about, above its conclusions: networks, hierarchies, datasets, and how far it came. *)

val pp : Report_context.t -> Verification.options -> unit Fmt.t
