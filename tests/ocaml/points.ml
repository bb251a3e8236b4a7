(* The meaning of bounds and comparisons at one point: an input of rational features, outputs that are integers. *)

open Caisar_ext

let bounded ~strict lower upper v =
  let above l = if fst strict then Q.gt v l else Q.geq v l in
  let below u = if snd strict then Q.lt v u else Q.leq v u in
  Option.fold ~none:true ~some:above lower && Option.fold ~none:true ~some:below upper

let within radius x centre =
  let near k v = Q.leq (Q.abs (Q.sub v centre.(k))) (radius k) in
  List.for_all Fun.id (List.mapi near (Array.to_list x))

let close radius = within (fun _ -> radius)

(* [row] is an entry of a dataset. *)
let inside ~row x : Query.bound -> bool =
  let centre index = row Query.images index and rows ({ array; index; _ } : Query.row) = row array index in
  function
  | Ball { index; radius; _ } -> close radius x (centre index)
  | Radii { index; radii; _ } -> within (Array.get (rows radii)) x (centre index)
  | Relative { index; ratio; _ } ->
    let centre = centre index in
    within (fun k -> Q.mul ratio (Q.abs centre.(k))) x centre
  | Box { lower; upper } -> Array.for_all2 Q.leq (rows lower) x && Array.for_all2 Q.leq x (rows upper)
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
