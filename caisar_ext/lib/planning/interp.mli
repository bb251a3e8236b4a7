(** From a typed specification to a plan: constants are computed exactly, definitions unfolded, quantifiers over samples
    expanded, and every [forall x: vector real] becomes queries.

    Arrays stay with the prover; what must be known of them (lengths, labels, shapes, the network's answers at samples)
    comes through an oracle. *)

(** @raise Diag.Error for everything outside the language, located. *)
val plan : World.t -> Spec.goal list -> Plan.t
