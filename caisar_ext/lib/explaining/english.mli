(** What a goal says, in English: definitions unfolded, constants computed, from the typed specification alone. *)

(** [goal world memory formula] is one sentence. The formula is one that {!Interp.plan} accepts in this world. *)
val goal : World.t -> Eval.memory -> Spec.term -> Sentence.t
