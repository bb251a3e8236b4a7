(** What a specification refers to outside of itself: hierarchies, datasets, the network's answers at samples. Each is
    fetched once. *)

(** How to ask a prover; [loc] is where the specification names the thing, for errors. The same network and dataset may
    be asked for again and again: the maker of the oracle remembers them. *)
type oracle = {
  network : loc:Diag.location option -> Query.network -> Protocol.network;
  dataset : loc:Diag.location option -> Query.dataset -> Protocol.dataset;
  predict : loc:Diag.location option -> Protocol.predict -> int list list;  (** arg-max set at each index *)
}

type t

(** [create oracle ~folder ~samples]: relative paths start at [folder], an absolute path; [samples = Some (a, b)] keeps
    the samples [a] to [b - 1] of every dataset, in the file's own numbering, before [first]. *)
val create : oracle -> folder:string -> samples:(int * int) option -> t

val oracle : t -> oracle

(** [memo table key make] is the value of [key], made at the first request. *)
val memo : ('key, 'value) Hashtbl.t -> 'key -> (unit -> 'value) -> 'value

(** A path of the specification, from its folder. *)
val path : t -> string -> string

(** @raise Diag.Error at [loc] when there is no such file, in the file for what is wrong with it. *)
val hierarchy : t -> loc:Diag.location option -> string -> Hierarchy.t

(** The samples of a dataset that the user wants. *)
val view : t -> loc:Diag.location option -> string -> Value.view

(** The network's answer at a sample: {!Value.Int} or {!Value.Tie}. The whole view is asked for at once. *)
val answer : t -> loc:Diag.location option -> Query.network -> Value.sample -> Value.t
