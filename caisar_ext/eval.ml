open Spec
module Env = Map.Make (Int)

type context = { world : World.t; scope : Literal.scope option }

type 'leaf leaves = {
  atom : context -> Spec.term -> Spec.builtin -> Value.t list -> 'leaf Formula.t;
  input : context -> Index_range.env -> Spec.term -> Spec.variable -> Spec.term -> 'leaf Formula.t;
}

let error (term : term) ?hint fmt = Diag.error ?loc:(Lazy.force term.loc) ?hint fmt

let outputs context (term : term) network = (context.world.World.oracle.network ~loc:(Lazy.force term.loc) network).outputs

(* {1 Pieces of values} *)

let small term n = if Z.fits_int n then Z.to_int n else error term "%s is too large" (Z.to_string n)

let constant term (v : Value.t) =
  match v with
  | Real l -> (match Linear.to_constant l with Some q -> q | None -> error term "a constant is expected")
  | v -> error term "a constant is expected, not %s" (Value.describe v)

(* The network together with the normalisation before it. *)
let network term path (v : Value.vector) : Query.network =
  match v with
  | Input | Image _ -> { path; normalization = None }
  | Normalized (_, n) -> { path; normalization = Some n }
  | Constants _ | Outputs _ -> error term "a network applies to an input, not to other vectors"

(* One network under one [forall x]. *)
let at_input context term path v =
  let network = network term path v in
  (match context.scope with
   | Some { network = Some other; _ } when other <> network ->
     error term ~hint:"write one goal for each" "a second network (or normalisation) under the same input"
   | Some scope -> scope.network <- Some network
   | None -> error term "outputs at a sample are not in the language; its answer is: predict net (image d[i])");
  network

let predict context (term : term) path (v : Value.vector) : Value.t =
  match v with
  | Image s | Normalized (Image s, _) -> World.answer context.world ~loc:(Lazy.force term.loc) (network term path v) s
  | _ -> Answer (at_input context term path v)

let normalize term (v : Value.vector) mean std : Value.t =
  if List.exists (fun s -> Q.sign s <= 0) std then error term "normalize: standard deviations must be positive";
  match v with
  | Input | Image _ -> Vector (Normalized (v, { mean; std }))
  | Normalized _ -> error term "an input that is normalised twice"
  | Constants _ | Outputs _ -> error term "normalize applies to an input"

let get context term (v : Value.t) i : Value.t =
  let i = small term i in
  let check length = if i < 0 || i >= length then error term "index %d is out of range 0..%d" i (length - 1) in
  match v with
  | Dataset v -> check v.length; Sample { view = v; index = v.first + i }
  | Vector (Constants qs) -> check (List.length qs); Real (Linear.constant (List.nth qs i))
  | Vector Input ->
    if i < 0 then error term "index %d is negative" i;
    Real (Linear.atom (Feature i))
  | Vector (Outputs network) -> check (outputs context term network); Real (Linear.atom (Output i))
  | Vector (Image _ | Normalized _) ->
    error term "single features of an image or of a normalised input are not in the language"
  | v -> error term "[] is not defined on %s" (Value.describe v)

let arithmetic term b (x : Linear.t) (y : Linear.t) : Value.t =
  match (b, Linear.to_constant x, Linear.to_constant y) with
  | Add, _, _ -> Real (Linear.add x y)
  | Sub, _, _ -> Real (Linear.sub x y)
  | Mul, Some k, _ -> Real (Linear.scale k y)
  | Mul, None, Some k -> Real (Linear.scale k x)
  | Div, _, Some k when Q.sign k <> 0 -> Real (Linear.scale (Q.inv k) x)
  | Div, _, Some _ -> error term "division by zero"
  | _ -> error term "this is not linear in the unknowns"

let builtin context (term : term) b (args : Value.t list) : Value.t =
  let loc = Lazy.force term.loc in
  match (b, args) with
  | Neg, [ Int a ] -> Int (Z.neg a)
  | Add, [ Int a; Int b ] -> Int (Z.add a b)
  | Sub, [ Int a; Int b ] -> Int (Z.sub a b)
  | Mul, [ Int a; Int b ] -> Int (Z.mul a b)
  | Neg, [ Real a ] -> Real (Linear.neg a)
  | (Add | Sub | Mul | Div), [ Real x; Real y ] -> arithmetic term b x y
  | Get, [ v; Int i ] -> get context term v i
  | Length, [ Dataset v ] -> Int (Z.of_int v.length)
  | Length, [ Vector (Constants qs) ] -> Int (Z.of_int (List.length qs))
  | Length, [ Vector _ ] -> error term ~hint:"the network fixes it: leave this out" "the length of an input"
  | Gray, [ v ] -> Vector (Constants [ constant term v ])
  | Rgb, [ _; _; _ ] -> Vector (Constants (List.map (constant term) args))
  | Normalize, [ Vector v; Vector (Constants mean); Vector (Constants std) ] -> normalize term v mean std
  | Read_model, [ Text path ] ->
    let file = World.path context.world path in
    if not (Sys.file_exists file) then error term "no network %s" file;
    Model file
  | Apply, [ Model m; Vector v ] -> Vector (Outputs (at_input context term m v))
  | Predict, [ Model m; Vector v ] -> predict context term m v
  | Read_dataset, [ Text source ] -> Dataset (World.view context.world ~loc source)
  | First, [ Int n; Dataset v ] ->
    let n = small term n in
    if n < 0 then error term "first: a negative number of samples";
    Dataset { v with length = min n v.length }
  | Image, [ Sample s ] -> Vector (Image s)
  | Truth, [ Sample s ] -> Int (Z.of_int s.view.labels.(s.index))
  | Read_hierarchy, [ Text path ] -> Hierarchy (World.hierarchy context.world ~loc path)
  | Up, [ Int k ] -> Level (Up (small term k))
  | Cut, [ Text name ] -> Level (Cut name)
  | Class_of, [ Hierarchy t; Text name ] -> Int (Z.of_int (Hierarchy.class_of ?loc t name))
  | Group, [ Hierarchy t; Text name ] -> Group (t, Hierarchy.extension t (Hierarchy.group ?loc t name))
  | (Lt | Le | Gt | Ge | Equal | Member | Within | Same_group | Forbidden | In_ball | Valid_image), _ ->
    error term "a formula where a value is expected"
  | _ ->
    error term ~hint:"see the page of the language, grammar/whyml.md" "%s is not defined on %s" (builtin_name b)
      (String.concat ", " (List.map Value.describe args))

(* {1 Terms and formulas} *)

(* A condition in a value must be decided without asking a prover. *)
let ground =
  { atom =
      (fun context term b args ->
         match Literal.of_builtin ~outputs:(outputs context term) None term b args with
         | True -> Formula.True
         | False -> False
         | _ -> error term "this condition depends on the input");
    input = (fun _ _ term _ _ -> error term "a quantifier in the condition of a value") }

let rec value context env (term : term) : Value.t =
  match term.node with
  | Var v -> (
      match Env.find_opt v.id env with Some value -> Lazy.force value | None -> raise Index_range.No_value_yet)
  | Integer n -> Int n
  | Rational q -> Real (Linear.constant q)
  | Text s -> Text s
  | Let (v, e, body) -> value context (bind context env v e) body
  | If (c, a, b) -> value context env (if formula ground context env c = Formula.True then a else b)
  | Call (d, []) ->
    World.memo context.world.constants d.id (fun () -> value context Env.empty (Lazy.force d.body))
  | Call (d, args) -> value context (parameters context env d args) (Lazy.force d.body)
  | Builtin (b, args) -> builtin context term b (List.map (value context env) args)
  | Bool _ | Not _ | Binary _ | Forall _ | Exists _ -> error term "a formula where a value is expected"

and bind context env (v : variable) e = Env.add v.id (lazy (value context env e)) env

(* A definition's body sees its parameters only. *)
and parameters context env d args =
  let bind inner (p : variable) arg = Env.add p.id (lazy (value context env arg)) inner in
  List.fold_left2 bind Env.empty (Lazy.force d.parameters) args

and formula : 'leaf. 'leaf leaves -> context -> Index_range.env -> term -> 'leaf Formula.t =
  fun leaves context env f ->
  let sub = formula leaves context env in
  match f.node with
  | Bool b -> if b then True else False
  | Not g -> Formula.negation (sub g)
  | Binary (And, a, b) -> (match sub a with False -> False | a -> Formula.conjunction [ a; sub b ])
  | Binary (Or, a, b) -> (match sub a with True -> True | a -> Formula.disjunction [ a; sub b ])
  | Binary (Implies, a, b) -> Formula.implication (sub a) (lazy (sub b))
  | Binary (Iff, a, b) ->
    let a = sub a and b = sub b in
    Formula.(conjunction [ implication a (lazy b); implication b (lazy a) ])
  | If (c, a, b) ->
    let c = sub c in
    Formula.(conjunction [ implication c (lazy (sub a)); implication (negation c) (lazy (sub b)) ])
  | Let (v, e, body) -> formula leaves context (bind context env v e) body
  | Call (d, args) -> formula leaves context (parameters context env d args) (Lazy.force d.body)
  | Builtin (b, args) -> leaves.atom context f b (List.map (value context env) args)
  | Forall ([ (i, Int) ], body) ->
    let instance k =
      formula leaves context (Env.add i.id (lazy (Value.Int (Z.of_int k))) env) body
    in
    let range = Index_range.values ~value:(value context) env i f body in
    if range = [] then Diag.warn ?loc:(Lazy.force f.loc) "the range of %s is empty: nothing to prove" i.name;
    Formula.conjunction (List.map instance range)
  | Forall ([ (x, Input) ], body) -> leaves.input context env f x body
  | Forall ([ (v, Other sort) ], _) ->
    error f ~hint:"indices are int, inputs are vector real" "%s ranges over %s" v.name sort
  | Forall (v :: rest, body) -> sub { f with node = Forall ([ v ], { f with node = Forall (rest, body) }) }
  | Forall ([], body) -> sub body
  | Exists ([ (i, Int) ], body) ->
    (* not forall not, its range read off the conjuncts *)
    let refuted = { f with node = Binary (Implies, body, { f with node = Bool false }) } in
    Formula.negation (sub { f with node = Forall ([ (i, Int) ], refuted) })
  | Exists _ -> error f "exists over inputs is outside the language: a prover refutes or proves for all inputs"
  | Var _ | Integer _ | Rational _ | Text _ -> error f "a value where a formula is expected"
