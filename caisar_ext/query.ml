open Wire.Std

type normalization = { mean : Wire.Rational.t list; std : Wire.Rational.t list } [@@deriving sexp]

type network = { path : string; normalization : normalization option } [@@deriving sexp]

type dataset = { source : string; base : string } [@@deriving sexp]

type ball = { dataset : dataset; index : int; radius : Wire.Rational.t } [@@deriving sexp]

type range = { lower : Wire.Rational.t option; upper : Wire.Rational.t option } [@@deriving sexp]

type feature = {
  index : int;
  lower : Wire.Rational.t option;
  upper : Wire.Rational.t option;
  strict_lower : bool;
  strict_upper : bool;
}
[@@deriving sexp]

type bound = Ball of ball | Range of range | Feature of feature [@@deriving sexp]

type term = { output : int; weight : Wire.Rational.t } [@@deriving sexp]

type comparison = { terms : term list; constant : Wire.Rational.t; strict : bool } [@@deriving sexp]

type within = { classes : int list } [@@deriving sexp]
type avoid = { cases : comparison list list } [@@deriving sexp]

type property = Within of within | Avoid of avoid [@@deriving sexp]

type t = { query : int; region : bound list; properties : property list } [@@deriving sexp]
