(** Propositional formulas over any kind of leaf, kept small while they are built. *)

type 'leaf t = True | False | Leaf of 'leaf | Not of 'leaf t | And of 'leaf t list | Or of 'leaf t list

(** Smart constructors: constants vanish, negation of negation vanishes, nested conjunctions are one. *)

val negation : 'leaf t -> 'leaf t
val conjunction : 'leaf t list -> 'leaf t
val disjunction : 'leaf t list -> 'leaf t

(** [implication a b] forces [b] only when [a] is not [False]. *)
val implication : 'leaf t -> 'leaf t Lazy.t -> 'leaf t

(** Leaves from left to right, with repetitions. *)
val leaves : 'leaf t -> 'leaf list
