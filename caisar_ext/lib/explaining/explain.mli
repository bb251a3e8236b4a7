(** What each goal of a specification says, and what it costs to ask. *)

type goal = {
  goal : Spec.goal;
  says : Sentence.t;
  queries : int;
  samples : int;  (** that the goal's questions are about *)
  unasked : (string * int) list;  (** why what cannot be asked cannot be, and how often *)
  shared : (Spec.goal * int) list;  (** queries that serve another goal too *)
}

type t = { goals : goal list; queries : int }

(** In the plan's order. *)
val explain : World.t -> Plan.t -> t

(** [pp ~width] breaks lines there. *)
val pp : width:int -> t Fmt.t

val to_json : t -> Yojson.Safe.t
