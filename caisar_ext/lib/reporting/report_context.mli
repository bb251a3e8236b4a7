(** What the parts of the text report share: the width, how much to tell, and names for classes and samples. *)

(** [Brief] lists a few samples for each goal; [Full] all of them, and one line for each sample of a setting. *)
type detail = Brief | Full

type t = {
  width : int;
  detail : detail;
  witnesses : string option;  (** the folder in which they are kept *)
  result : Verification.result;
}

(** [Theory.goal] when the specification has several theories. *)
val goal_name : t -> Spec.goal -> string

(** By the hierarchy that the sample is compared in, else by its dataset; [class 3] when neither names it. *)
val class_name : t -> Plan.subject option -> int -> string

(** A set of answers: [stop or give_way]. *)
val answers : t -> Plan.subject option -> int list -> string

(** [#12], after the dataset's name when the run has several. *)
val sample : t -> Plan.subject -> string

(** [at_most n context items] is the first [n], or all in a full report, and how many are left. *)
val at_most : int -> t -> 'a list -> 'a list * int

(** A heading over a part. *)
val heading : string -> unit Fmt.t

(** Text broken at spaces; lines after the first are indented by two more. *)
val paragraph : ?style:Fmt.style -> indent:int -> t -> string -> unit Fmt.t
