open Spec
module Env = Map.Make (Int)

type env = Value.t Lazy.t Env.t

exception No_value_yet

type quantifier = Forall | Exists
type bounds = { lower : Z.t option; upper : Z.t option }

let tighten choose a b = match (a, b) with Some x, Some y -> Some (choose x y) | None, x | x, None -> x
let both a b = { lower = tighten Z.max a.lower b.lower; upper = tighten Z.min a.upper b.upper }
let free = { lower = None; upper = None }
let limit = 1_000_000

(* [names]: the identifiers that stand for the index here, parameters of definitions and lets included. *)
type scope = { env : env; names : int list }

let bind ~value outer inner (v : variable) (e : term) =
  match e.node with
  | Var w when List.mem w.id outer.names -> { inner with names = v.id :: inner.names }
  | _ -> { inner with env = Env.add v.id (lazy (value outer.env e)) inner.env }

let enter ~value scope d args =
  List.fold_left2 (bind ~value scope) { env = Env.empty; names = [] } (Lazy.force d.parameters) args

let comparison ~value scope b x y =
  let is_index (t : term) = match t.node with Var v -> List.mem v.id scope.names | _ -> false in
  let known t = match value scope.env t with Value.Int z -> Some z | _ -> None | exception No_value_yet -> None in
  let at_most t = { free with upper = known t } and at_least t = { free with lower = known t } in
  let below t = { free with upper = Option.map Z.pred (known t) } in
  let above t = { free with lower = Option.map Z.succ (known t) } in
  match (is_index x, b, is_index y) with
  | true, Le, false -> at_most y
  | true, Lt, false -> below y
  | true, Ge, false -> at_least y
  | true, Gt, false -> above y
  | false, Le, true -> at_least x
  | false, Lt, true -> above x
  | false, Ge, true -> at_most x
  | false, Gt, true -> below x
  | true, Equal, false -> both (at_most y) (at_least y)
  | false, Equal, true -> both (at_most x) (at_least x)
  | _ -> free

(* Outside of the bounds, [t] is false. *)
let rec conjuncts ~value scope (t : term) =
  match t.node with
  | Binary (And, a, b) -> both (conjuncts ~value scope a) (conjuncts ~value scope b)
  | Exists (_, body) -> conjuncts ~value scope body
  | Let (v, e, body) -> conjuncts ~value (bind ~value scope scope v e) body
  | Call (d, args) -> conjuncts ~value (enter ~value scope d args) (Lazy.force d.body)
  | Builtin (((Lt | Le | Gt | Ge | Equal) as b), [ x; y ]) -> comparison ~value scope b x y
  | _ -> free

(* Outside of the bounds, [t] is true. *)
let rec premises ~value scope (t : term) =
  match t.node with
  | Binary (Implies, p, q) -> both (conjuncts ~value scope p) (premises ~value scope q)
  | Forall (_, body) -> premises ~value scope body
  | Let (v, e, body) -> premises ~value (bind ~value scope scope v e) body
  | Call (d, args) -> premises ~value (enter ~value scope d args) (Lazy.force d.body)
  | _ -> free

let values ~value env quantifier (i : variable) (quantified : term) body =
  let scope = { env; names = [ i.id ] } in
  let loc = quantified.loc in
  match (match quantifier with Forall -> premises | Exists -> conjuncts) ~value scope body with
  | { lower = Some a; upper = Some b } ->
    let length = Z.max Z.zero (Z.succ (Z.sub b a)) in
    if Z.gt length (Z.of_int limit) then
      Diag.error ?loc:(Lazy.force loc) "%s ranges over %s values, more than %d" i.name (Z.to_string length) limit;
    if Z.sign length > 0 && not (Z.fits_int a && Z.fits_int b) then
      Diag.error ?loc:(Lazy.force loc) "%s ranges over integers that are too large" i.name;
    List.init (Z.to_int length) (fun k -> Z.to_int a + k)
  | _ ->
    let keyword, connective = match quantifier with Forall -> ("forall", "->") | Exists -> ("exists", "/\\") in
    Diag.error ?loc:(Lazy.force loc) "the range of %s is not bounded on both sides" i.name
      ~hint:(Printf.sprintf "write: %s %s: int. 0 <= %s < length d %s ..." keyword i.name i.name connective)
