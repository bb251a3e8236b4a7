open Wire.Std

type normalization = { mean : Wire.Rational.t list; std : Wire.Rational.t list } [@@deriving sexp]

type network = { path : string; normalization : normalization option } [@@deriving sexp]

type dataset = { source : string; base : string } [@@deriving sexp]

type ball = { dataset : dataset; index : int; radius : Wire.Rational.t } [@@deriving sexp]

type row = { dataset : dataset; array : string; index : int } [@@deriving sexp]

type radii = { dataset : dataset; index : int; radii : row } [@@deriving sexp]

type relative = { dataset : dataset; index : int; ratio : Wire.Rational.t } [@@deriving sexp]

type box = { lower : row; upper : row } [@@deriving sexp]

type range = { lower : Wire.Rational.t option; upper : Wire.Rational.t option } [@@deriving sexp]

type feature = {
  index : int;
  lower : Wire.Rational.t option;
  upper : Wire.Rational.t option;
  strict_lower : bool;
  strict_upper : bool;
}
[@@deriving sexp]

type bound =
  | Ball of ball
  | Radii of radii
  | Relative of relative
  | Box of box
  | Range of range
  | Feature of feature
[@@deriving sexp]

let images = "images"

let rows = function
  | Ball { dataset; index; _ } | Relative { dataset; index; _ } -> [ { dataset; array = images; index } ]
  | Radii { dataset; index; radii } -> [ { dataset; array = images; index }; radii ]
  | Box { lower; upper } -> [ lower; upper ]
  | Range _ | Feature _ -> []

let around bound = match rows bound with { dataset; index; _ } :: _ -> Some (dataset, index) | [] -> None

let anywhere =
  let row (r : row) = { r with index = 0 } in
  function
  | Ball b -> Ball { b with index = 0 }
  | Relative r -> Relative { r with index = 0 }
  | Radii r -> Radii { r with index = 0; radii = row r.radii }
  | Box { lower; upper } -> Box { lower = row lower; upper = row upper }
  | (Range _ | Feature _) as bound -> bound

type term = { output : int; weight : Wire.Rational.t } [@@deriving sexp]

type comparison = { terms : term list; constant : Wire.Rational.t; strict : bool } [@@deriving sexp]

type within = { classes : int list } [@@deriving sexp]
type avoid = { cases : comparison list list } [@@deriving sexp]

type property = Within of within | Avoid of avoid [@@deriving sexp]

type t = { query : int; region : bound list; properties : property list } [@@deriving sexp]
