type t = { step : string; queries : int; most : Protocol.noise; coarser : int }

let of_step (step : Protocol.step) =
  let use (noise : Protocol.noise) =
    { step = step.name; queries = 1; most = noise; coarser = (if noise.boxed > 0. then 1 else 0) }
  in
  Option.map use step.noise

let same a b = a.step = b.step && a.most.storage = b.most.storage

let joined a b =
  let most = if b.most.peak > a.most.peak then b.most else a.most in
  { a with queries = a.queries + b.queries; coarser = a.coarser + b.coarser;
           most = { most with boxed = Float.max a.most.boxed b.most.boxed } }

(* A run has few of them. *)
let add uses use =
  if List.exists (same use) uses then List.map (fun known -> if same use known then joined known use else known) uses
  else uses @ [ use ]

let of_answers answers =
  let steps = List.concat_map (fun (a : Protocol.answer) -> a.steps) (List.filter_map Fun.id (Array.to_list answers)) in
  List.fold_left add [] (List.filter_map of_step steps)
