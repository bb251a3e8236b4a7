open Spec
module Env = Map.Make (Int)

type env = Value.t Lazy.t Env.t

exception No_value_yet

type bounds = { lower : Z.t option; upper : Z.t option }

let tighten choose a b =
  match (a, b) with Some x, Some y -> Some (choose x y) | None, x | x, None -> x

let both a b = { lower = tighten Z.max a.lower b.lower; upper = tighten Z.min a.upper b.upper }
let free = { lower = None; upper = None }
let limit = Z.of_int 10_000_000

(* [names]: the identifiers that stand for the index, under this definition's parameters. *)
let rec premises ~value env names (t : term) =
  match t.node with
  | Binary (Implies, p, q) -> both (conjuncts ~value env names p) (premises ~value env names q)
  | Forall (_, body) -> premises ~value env names body
  | Let (v, e, body) -> premises ~value (Env.add v.id (lazy (value env e)) env) names body
  | Call (d, args) ->
    let env, names = enter ~value env names d args in
    premises ~value env names (Lazy.force d.body)
  | _ -> free

and conjuncts ~value env names (t : term) =
  match t.node with
  | Binary (And, a, b) -> both (conjuncts ~value env names a) (conjuncts ~value env names b)
  | Call (d, args) ->
    let env, names = enter ~value env names d args in
    conjuncts ~value env names (Lazy.force d.body)
  | Builtin (((Lt | Le | Gt | Ge | Equal) as b), [ x; y ]) -> comparison ~value env names b x y
  | _ -> free

and enter ~value env names d args =
  List.fold_left2
    (fun (inner, names') (p : variable) (arg : term) ->
       match arg.node with
       | Var v when List.mem v.id names -> (inner, p.id :: names')
       | _ -> (Env.add p.id (lazy (value env arg)) inner, names'))
    (Env.empty, []) (Lazy.force d.parameters) args

and comparison ~value env names b x y =
  let is_index (t : term) = match t.node with Var v -> List.mem v.id names | _ -> false in
  let known t = match value env t with Value.Int z -> Some z | _ -> None | exception No_value_yet -> None in
  let at_most ~strict z = { free with upper = Option.map (fun z -> if strict then Z.pred z else z) z } in
  let at_least ~strict z = { free with lower = Option.map (fun z -> if strict then Z.succ z else z) z } in
  match (is_index x, b, is_index y) with
  | true, Le, false -> at_most ~strict:false (known y)
  | true, Lt, false -> at_most ~strict:true (known y)
  | true, Ge, false -> at_least ~strict:false (known y)
  | true, Gt, false -> at_least ~strict:true (known y)
  | false, Le, true -> at_least ~strict:false (known x)
  | false, Lt, true -> at_least ~strict:true (known x)
  | false, Ge, true -> at_most ~strict:false (known x)
  | false, Gt, true -> at_most ~strict:true (known x)
  | true, Equal, false -> { lower = known y; upper = known y }
  | false, Equal, true -> { lower = known x; upper = known x }
  | _ -> free

let values ~value env (i : variable) (quantified : term) body =
  match premises ~value env [ i.id ] body with
  | { lower = Some a; upper = Some b } ->
    if Z.gt (Z.sub b a) limit then
      Diag.error ?loc:(Lazy.force quantified.loc) "%s ranges over more than %s values" i.name (Z.to_string limit);
    List.init (max 0 (Z.to_int (Z.succ (Z.sub b a)))) (fun k -> Z.to_int a + k)
  | _ ->
    Diag.error ?loc:(Lazy.force quantified.loc)
      ~hint:(Printf.sprintf "write: forall %s: int. 0 <= %s < length d -> ..." i.name i.name)
      "the range of %s is not bounded on both sides" i.name
