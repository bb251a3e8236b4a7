(** Numbers, regions and verdicts in the words of reports. *)

(** {1 Numbers} *)

(** [plural 3 "sample"] is ["3 samples"]; [query] becomes [queries], [class] [classes]. *)
val plural : int -> string -> string

(** A part of a whole: ["68.3 %"], never rounded up to all; ["-"] of nothing. *)
val percentage : int -> int -> string

(** Exact: a short decimal such as ["0.01"] when there is one, else 255ths such as ["2/255"] (with at most one decimal),
    else ["1/7"]. *)
val rational : Q.t -> string

(** A distance in data units, in 255ths when the radius is written so. *)
val distance : radius:Q.t option -> float -> string

(** Three significant digits. *)
val real : float -> string

(** ["4.2 s"], ["3 min 20 s"], ["2 h 5 min"]. *)
val duration : float -> string

(** Bytes as ["512 MiB"], ["1.5 GiB"]. *)
val size : int -> string

(** {1 What was taken} *)

(** How zonotopes kept their noise, in one sentence. *)
val noise : Noise_uses.t -> string

(** {1 What was asked} *)

val radius : Query.bound list -> Q.t option

(** ["ball 2/255 in [0, 1]"], ["box [lower, upper]"], ["ball with radii"], ["box of 5 features"]: a ball of this radius,
    if any, and the bounds beside it; arrays by their names, images by their dataset's. *)
val region_kind : radius:Q.t option -> Query.bound list -> string

(** ["3x32x32"]. *)
val shape : int list -> string

(** {1 Verdicts} *)

(** One word, and its colour. *)
val verdict : 'refutation Verdict.t -> string

val verdict_style : 'refutation Verdict.t -> Fmt.style

(** Why a verdict is undecided, in plain words; [None] for the decided ones. *)
val reason : 'refutation Verdict.t -> string option
