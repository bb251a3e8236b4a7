(** How the zonotopes of a run kept their noise: answers summed up by step and storage, for reports. *)

type t = {
  step : string;
  queries : int;
  most : Protocol.noise;  (** of these queries, the one with the largest peak; [boxed] is the most of any *)
  coarser : int;  (** queries whose bounds are coarser since some symbols found no room *)
}

(** In the order of their first answers. *)
val of_answers : Protocol.answer option array -> t list
