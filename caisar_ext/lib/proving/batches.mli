(** The order of work: batches that wait for a worker. Pure. *)

(** A query that loses its worker is asked a second time, and no third. *)
type attempt = First | Second

type pending = { batch : Protocol.verify; attempt : attempt }

(** First comes first. *)
type t = pending list

(** Batches without queries are left out. *)
val of_list : Protocol.verify list -> t

(** [again batch queries waiting] adds what a lost worker left unanswered: one query at a time, so that a query that
    kills provers harms no other; at the end, so that the others come first. *)
val again : Protocol.verify -> Query.t list -> t -> t

(** [next ~loaded ~elsewhere waiting] takes a batch for a worker that has [loaded] a network, and gives the rest: a batch
    of that network; else of a network that no other worker has ([elsewhere]), so that networks spread; else the first. *)
val next : loaded:Query.network option -> elsewhere:Query.network list -> t -> (pending * t) option
