(** A first specification for a network, a hierarchy and a dataset that fit together: plain robustness, one goal for
    each cut of the hierarchy ([up 1] where there is none), one for each [never] pair. *)

type material = {
  theory : string;  (** what to name the theory after *)
  onnx : string;  (** as the specification will write it, like the next two *)
  hierarchy_file : string;
  data : string;
  hierarchy : Hierarchy.t;
  network : Protocol.network;
  dataset : Protocol.dataset;
  right : int;  (** of the samples that the specification keeps, those whose true class is the network's answer *)
}

(** How many samples a draft keeps, from the first. *)
val kept : Protocol.dataset -> int

val text : material -> string
