(** From a typed specification to a plan: constants are computed exactly, definitions unfolded, quantifiers over samples
    expanded, and every [forall x: vector real] becomes queries.

    Arrays stay with the prover; what must be known of them (lengths, labels, shapes, the network's answers at samples)
    comes through an oracle. *)

(** [plan oracle ~folder ~samples goals]: relative paths start at [folder], an absolute path; [samples = Some (a, b)]
    keeps the samples [a] to [b - 1] of every dataset, in the file's own numbering, before [first].
    @raise Diag.Error for everything outside the language, located. *)
val plan : World.oracle -> folder:string -> samples:(int * int) option -> Spec.goal list -> Plan.t
