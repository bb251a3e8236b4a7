(** Questions to a prover, as the protocol page defines them: a network, a region of its inputs, what must hold there.

    The types are the wire ([grammar/protocol.md]); numbers that must be exact are rationals. *)

(** The network is applied to [(x - mean) / std]: one number a channel, or one for all. *)
type normalization = { mean : Wire.Rational.t list; std : Wire.Rational.t list } [@@deriving sexp]

(** An ONNX file by absolute path, with the normalisation that the specification wrote. *)
type network = { path : string; normalization : normalization option } [@@deriving sexp]

(** A dataset as the specification names it; relative paths start at [base], which is absolute. *)
type dataset = { source : string; base : string } [@@deriving sexp]

(** Closed max-norm ball around a sample; [radius] in data units (8-bit pixels count as k/255). *)
type ball = { dataset : dataset; index : int; radius : Wire.Rational.t } [@@deriving sexp]

(** The entry [index] of an array with as many features as a sample: [images], or another of the dataset's arrays. *)
type row = { dataset : dataset; array : string; index : int } [@@deriving sexp]

(** Closed box around a sample, with a radius of its own for each feature; where one is negative, nothing. *)
type radii = { dataset : dataset; index : int; radii : row } [@@deriving sexp]

(** Closed box around a sample: a feature [c] has the radius [ratio * |c|]. *)
type relative = { dataset : dataset; index : int; ratio : Wire.Rational.t } [@@deriving sexp]

(** Closed box between two rows, feature by feature. *)
type box = { lower : row; upper : row } [@@deriving sexp]

(** Closed bounds on every feature. *)
type range = { lower : Wire.Rational.t option; upper : Wire.Rational.t option } [@@deriving sexp]

(** Bounds on one feature, row-major, closed unless strict. *)
type feature = {
  index : int;
  lower : Wire.Rational.t option;
  upper : Wire.Rational.t option;
  strict_lower : bool;
  strict_upper : bool;
}
[@@deriving sexp]

(** On the input before normalisation. A region is the intersection of its bounds. *)
type bound =
  | Ball of ball
  | Radii of radii
  | Relative of relative
  | Box of box
  | Range of range
  | Feature of feature
[@@deriving sexp]

(** The rows that give a bound; that of the sample around which it lies comes first. *)
val rows : bound -> row list

(** The sample around which a bound lies, if any; of a box, the one of its lower row. *)
val around : bound -> (dataset * int) option

(** The bound with the number 0 for its sample's: what bounds around several samples share. *)
val anywhere : bound -> bound

(** ["images"]: the array of the samples themselves. *)
val images : string

(** [weight * output]. *)
type term = { output : int; weight : Wire.Rational.t } [@@deriving sexp]

(** [sum of terms + constant >= 0], or [> 0] when [strict]. *)
type comparison = { terms : term list; constant : Wire.Rational.t; strict : bool } [@@deriving sexp]

type within = { classes : int list } [@@deriving sexp]
type avoid = { cases : comparison list list } [@@deriving sexp]

(** [Within]: every maximiser of the outputs, everywhere in the region, is one of the classes. [Avoid]: at no point of
    the region do all comparisons of one of the cases hold. *)
type property = Within of within | Avoid of avoid [@@deriving sexp]

(** [query] numbers the question within a run; [properties] are answered one by one, in order. *)
type t = { query : int; region : bound list; properties : property list } [@@deriving sexp]
