(* The meaning of bounds and comparisons at one point: an input of rational features, outputs that are integers. *)

open Caisar_ext

let bounded ~strict lower upper v =
  let above l = if fst strict then Q.gt v l else Q.geq v l in
  let below u = if snd strict then Q.lt v u else Q.leq v u in
  Option.fold ~none:true ~some:above lower && Option.fold ~none:true ~some:below upper

let close radius x centre = Array.for_all2 (fun v c -> Q.leq (Q.abs (Q.sub v c)) radius) x centre

(* [centre i]: the features of sample i. *)
let inside ~centre x : Query.bound -> bool = function
  | Ball { index; radius; _ } -> close radius x (centre index)
  | Range { lower; upper } -> Array.for_all (bounded ~strict:(false, false) lower upper) x
  | Feature f -> bounded ~strict:(f.strict_lower, f.strict_upper) f.lower f.upper x.(f.index)

let compares y ({ terms; constant; strict } : Query.comparison) =
  let term (t : Query.term) = Q.mul t.weight (Q.of_int y.(t.output)) in
  let sum = List.fold_left (fun sum t -> Q.add sum (term t)) constant terms in
  if strict then Q.sign sum > 0 else Q.sign sum >= 0

let maximisers y =
  let greatest = Array.fold_left max min_int y in
  List.filter (fun c -> y.(c) = greatest) (List.init (Array.length y) Fun.id)

let violates y : Query.property -> bool = function
  | Within { classes } -> List.exists (fun c -> not (List.mem c classes)) (maximisers y)
  | Avoid { cases } -> List.exists (List.for_all (compares y)) cases
