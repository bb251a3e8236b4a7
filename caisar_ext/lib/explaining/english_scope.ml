open Spec
module Env = Map.Make (Int)

(* An index of a quantifier. What is found while its statement is read says how to speak of it. *)
type index = {
  name : string;
  alone : bool;  (** [d[i]] is "the sample" *)
  mutable least : Z.t option;
  mutable greatest : Z.t option;
  mutable read : Value.view list;  (** the datasets that it indexes *)
  mutable named : bool;  (** it occurs otherwise *)
}

type t = { values : Index_range.env; meanings : meaning Env.t; context : Eval.context }
and meaning = Term of term * t  (** of a parameter *) | Index of index | Input of string

let empty world memory = { values = Env.empty; meanings = Env.empty; context = Eval.context world memory }

let bind env (v : variable) e =
  let value = lazy (Eval.value env.context env.values e) in
  { env with values = Env.add v.id value env.values; meanings = Env.add v.id (Term (e, env)) env.meanings }

let inside env d args =
  let empty = { env with values = Env.empty; meanings = Env.empty } in
  let add inner (p : variable) arg =
    let value = lazy (Eval.value env.context env.values arg) in
    { inner with values = Env.add p.id value inner.values; meanings = Env.add p.id (Term (arg, env)) inner.meanings }
  in
  List.fold_left2 add empty (Lazy.force d.parameters) args

let meaning env (v : variable) = Env.find_opt v.id env.meanings

let rec head env (t : term) =
  match t.node with
  | Var v -> (match meaning env v with Some (Term (t, env)) -> head env t | _ -> (env, t))
  | Let (v, e, body) -> head (bind env v e) body
  | Call (d, args) -> head (inside env d args) (Lazy.force d.body)
  | _ -> (env, t)

let value env t =
  match Eval.value env.context env.values t with
  | v -> Some v
  | exception (Index_range.No_value_yet | Diag.Error _) -> None

let index env (t : term) =
  match head env t with
  | env, { node = Var v; _ } -> (match meaning env v with Some (Index i) -> Some i | _ -> None)
  | _ -> None

(* {1 Numbers} *)

(* Half 255ths, which reports of radii have, would puzzle elsewhere. *)
let rational q =
  let text = Report_words.rational q in
  if String.contains text '.' && String.contains text '/' then Q.to_string q else text

let input_name env =
  let name _ meaning found = match meaning with Input name -> Some name | _ -> found in
  Option.value ~default:"x" (Env.fold name env.meanings None)

let network_name env =
  match env.context.scope with
  | Some { network = Some { path; normalization }; _ } ->
    let list qs = String.concat ", " (List.map rational qs) in
    let after ({ mean; std } : Query.normalization) =
      Printf.sprintf " (normalised by mean %s and deviation %s)" (list mean) (list std)
    in
    Filename.basename path ^ Option.fold ~none:"" ~some:after normalization
  | _ -> "the network"

let linear env ({ constant; terms } : Linear.t) =
  let atom : Linear.atom -> string = function
    | Feature i -> Printf.sprintf "feature %d of %s" i (input_name env)
    | Output i -> Printf.sprintf "output %d" i
  in
  let scaled (a, q) = if Q.equal q Q.one then atom a else Printf.sprintf "%s * %s" (rational q) (atom a) in
  let parts = List.map scaled terms in
  String.concat " + " (if Q.sign constant = 0 && parts <> [] then parts else parts @ [ rational constant ])

(* {1 Binding} *)

let with_input env (x : variable) =
  let context = { env.context with scope = Some { network = None; reference = None } } in
  { values = Env.add x.id (lazy (Value.Vector Input)) env.values;
    meanings = Env.add x.id (Input x.name) env.meanings; context }

let with_index env ((v : variable), i) = { env with meanings = Env.add v.id (Index i) env.meanings }
let has_sample env = Env.exists (fun _ -> function Index { alone; _ } -> alone | _ -> false) env.meanings
