type atom = Feature of int | Output of int
type t = { constant : Q.t; terms : (atom * Q.t) list }

let constant constant = { constant; terms = [] }
let atom a = { constant = Q.zero; terms = [ (a, Q.one) ] }

let rec merge a b =
  match (a, b) with
  | [], rest | rest, [] -> rest
  | (x, p) :: a', (y, q) :: b' ->
    let order = compare x y in
    if order < 0 then (x, p) :: merge a' b
    else if order > 0 then (y, q) :: merge a b'
    else
      let sum = Q.add p q in
      if Q.sign sum = 0 then merge a' b' else (x, sum) :: merge a' b'

let add a b = { constant = Q.add a.constant b.constant; terms = merge a.terms b.terms }

let scale k a =
  if Q.sign k = 0 then constant Q.zero
  else { constant = Q.mul k a.constant; terms = List.map (fun (x, p) -> (x, Q.mul k p)) a.terms }

let neg = scale Q.minus_one
let sub a b = add a (neg b)
let to_constant a = if a.terms = [] then Some a.constant else None
