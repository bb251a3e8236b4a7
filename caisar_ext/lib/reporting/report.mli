(** Conclusions for people, on standard output. *)

type style = {
  color : Fmt.style_renderer option;  (** [None]: colours on a terminal, unless [NO_COLOR] is set *)
  detail : Report_context.detail;
  witnesses : string option;  (** the folder in which they are kept *)
}

val print : style -> Verification.options -> Verification.result -> unit

(** The same on any formatter, at a given width. *)
val pp : width:int -> style -> Verification.options -> Verification.result Fmt.t
