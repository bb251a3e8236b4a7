open Spec
module Env = Map.Make (Int)

type memory = (int, Value.t * Agreement.t) Hashtbl.t

type context = {
  world : World.t;
  memory : memory;
  met : Agreement.t;
  scope : Literal.scope option;
  site : Diag.location option Lazy.t option;
}

let memory () = Hashtbl.create 16
let context world memory = { world; memory; met = Agreement.create (World.oracle world); scope = None; site = None }

type 'leaf leaves = {
  atom : context -> Spec.term -> Spec.builtin -> Value.t list -> 'leaf Formula.t;
  input : context -> Index_range.env -> Spec.term -> Spec.variable -> Spec.term -> 'leaf Formula.t;
}

let error (term : term) ?hint fmt = Diag.error ?loc:(Lazy.force term.loc) ?hint fmt

let outputs context (term : term) network =
  ((World.oracle context.world).network ~loc:(Lazy.force term.loc) network).outputs

(* Terms of our theories have no location of their own: theirs is where the specification uses them. *)
let located context (term : term) = match context.site with Some loc -> { term with loc } | None -> term

let inside context (term : term) d =
  if d.shipped && Option.is_none context.site then { context with site = Some term.loc } else context

let meet context : Value.t -> unit = function
  | Hierarchy t | Group (t, _) -> Agreement.hierarchy context.met t
  | Sample { view; _ } -> Agreement.dataset context.met view.dataset
  | _ -> ()

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
  | Row _ | Constants _ | Outputs _ -> error term "a network applies to an input, not to other vectors"

(* One network under one [forall x]. *)
let at_input context term network =
  (match context.scope with
   | Some { network = Some other; _ } when other <> network ->
     error term ~hint:"write one goal for each" "a second network (or normalisation) under the same input"
   | Some scope -> scope.network <- Some network
   | None -> assert false (* only [forall x] binds an input *));
  network

let predict context (term : term) path (v : Value.vector) : Value.t =
  let network = network term path v in
  if outputs context term network < 2 then
    error term ~hint:"compare its output: (net @@ x)[0]" "predict: the network has a single output";
  Agreement.network context.met network;
  match v with
  | Image s | Normalized (Image s, _) -> World.answer context.world ~loc:(Lazy.force term.loc) network s
  | _ -> Answer (at_input context term network)

let apply context term path (v : Value.vector) : Value.t =
  match v with
  | Image _ | Normalized (Image _, _) ->
    error term "outputs at a sample are not in the language; its answer is: predict net (image d[i])"
  | _ -> Vector (Outputs (at_input context term (network term path v)))

let normalize term (v : Value.vector) mean std : Value.t =
  if List.exists (fun s -> Q.sign s <= 0) std then error term "normalize: standard deviations must be positive";
  match v with
  | Input | Image _ -> Vector (Normalized (v, { mean; std }))
  | Normalized _ -> error term "an input that is normalised twice"
  | Row _ | Constants _ | Outputs _ -> error term "normalize applies to an input"

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
  | Vector (Image _ | Row _ | Normalized _) ->
    error term "single features of an image, of bounds or of a normalised input are not in the language"
  | v -> error term "[] is not defined on %s" (Value.describe v)

let array context (term : term) name (s : Value.sample) : Value.t =
  let dataset = s.view.dataset in
  let known = ((World.oracle context.world).dataset ~loc:(Lazy.force term.loc) dataset).arrays in
  if name = Query.images then Vector (Image s)
  else if List.mem name known then Vector (Row (s, name))
  else
    error term ?hint:(Diag.did_you_mean name known) "%s has no array %S of the shape of its images, uint8 or floating"
      dataset.source name

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
  | Length, [ Vector _ ] ->
    error term ~hint:"the network fixes it: leave this out" "the length of an input is not in the language"
  | Gray, [ v ] -> Vector (Constants [ constant term v ])
  | Rgb, [ _; _; _ ] -> Vector (Constants (List.map (constant term) args))
  | Normalize, [ Vector v; Vector (Constants mean); Vector (Constants std) ] -> normalize term v mean std
  | Read_model, [ Text path ] ->
    let file = World.path context.world path in
    if not (Sys.file_exists file) then error term "no network %s" file;
    (* What a prover refuses is reported where the file is named, not where the network is first applied. *)
    ignore (outputs context term { path = file; normalization = None } : int);
    Model file
  | Apply, [ Model m; Vector v ] -> apply context term m v
  | Predict, [ Model m; Vector v ] -> predict context term m v
  | Read_dataset, [ Text source ] -> Dataset (World.view context.world ~loc source)
  | First, [ Int n; Dataset v ] ->
    let n = small term n in
    if n < 0 then error term "first: a negative number of samples";
    Dataset { v with length = min n v.length }
  | Image, [ Sample s ] -> Vector (Image s)
  | Array, [ Text name; Sample s ] -> array context term name s
  | Truth, [ Sample s ] -> Int (Z.of_int s.view.labels.(s.index))
  | Read_hierarchy, [ Text path ] -> Hierarchy (World.hierarchy context.world ~loc path)
  | Up, [ Int k ] -> Level (Up (small term k))
  | Cut, [ Text name ] -> Level (Cut name)
  | Class_of, [ Hierarchy t; Text name ] -> Int (Z.of_int (Hierarchy.class_of ?loc t name))
  | Group, [ Hierarchy t; Text name ] -> Group (t, Hierarchy.extension t (Hierarchy.group ?loc t name))
  | (Lt | Le | Gt | Ge | Equal | Member | Within | Same_group | Forbidden | In_ball | Valid_image | In_box
    | In_ball_radii | In_ball_relative ), _ ->
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
         | Leaf { literal = Undecided tie; _ } ->
           error term "this condition cannot be told: %s" (Value.describe_tie tie)
         | _ -> error term "this condition depends on the input");
    input = (fun _ _ term _ _ -> error term "a quantifier in the condition of a value") }

let rec value context env (term : term) : Value.t =
  let term = located context term in
  match term.node with
  | Var v -> (
      match Env.find_opt v.id env with Some value -> Lazy.force value | None -> raise Index_range.No_value_yet)
  | Integer n -> Int n
  | Rational q -> Real (Linear.constant q)
  | Text s -> Text s
  | Let (v, e, body) -> value context (bind context env v e) body
  | If (c, a, b) ->
    let holds = match formula ground context env c with True -> true | _ -> false in
    value context env (if holds then a else b)
  | Call (d, []) -> remembered context d
  | Call (d, args) -> value (inside context term d) (parameters context env d args) (Lazy.force d.body)
  | Builtin (b, args) ->
    let args = List.map (value context env) args in
    List.iter (meet context) args;
    builtin context term b args
  | Bool _ | Not _ | Binary _ | Forall _ | Exists _ -> error term "a formula where a value is expected"

(* A constant is computed once, and what it met is met wherever it is used. *)
and remembered context d =
  let found, met =
    World.memo context.memory d.id (fun () ->
        let met = Agreement.create (World.oracle context.world) in
        (value { context with met } Env.empty (Lazy.force d.body), met))
  in
  Agreement.again context.met met;
  found

and bind context env (v : variable) e = Env.add v.id (lazy (value context env e)) env

(* A definition's body sees its parameters only. *)
and parameters context env d args =
  let bind inner (p : variable) arg = Env.add p.id (lazy (value context env arg)) inner in
  List.fold_left2 bind Env.empty (Lazy.force d.parameters) args

and formula : 'leaf. 'leaf leaves -> context -> Index_range.env -> term -> 'leaf Formula.t =
  fun leaves context env f ->
  let f = located context f in
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
  | Call (d, args) -> formula leaves (inside context f d) (parameters context env d args) (Lazy.force d.body)
  | Builtin (b, args) ->
    let args = List.map (value context env) args in
    List.iter (meet context) args;
    leaves.atom context f b args
  | Forall ([], body) | Exists ([], body) -> sub body
  | Forall ((i, Int) :: rest, body) ->
    let body = if rest = [] then body else { f with node = Forall (rest, body) } in
    Formula.conjunction (instances leaves context env Index_range.Forall (i, body) f)
  | Exists ((i, Int) :: rest, body) ->
    let body = if rest = [] then body else { f with node = Exists (rest, body) } in
    Formula.disjunction (instances leaves context env Index_range.Exists (i, body) f)
  | Forall ((x, Input) :: rest, body) ->
    let body = if rest = [] then body else { f with node = Forall (rest, body) } in
    leaves.input context env f x body
  | Exists ((_, Input) :: _, _) ->
    error f "exists over inputs is outside the language"
      ~hint:"a prover proves or refutes for all inputs: write not (forall x: vector real. ...)"
  | Forall ((v, Other sort) :: _, _) | Exists ((v, Other sort) :: _, _) ->
    error f ~hint:"indices are int, inputs are vector real" "%s ranges over %s" v.name sort
  | Var _ | Integer _ | Rational _ | Text _ -> error f "a value where a formula is expected"

(* The body at each value that its own bounds leave to the index. *)
and instances :
  'leaf. 'leaf leaves -> context -> Index_range.env -> Index_range.quantifier -> variable * term -> term ->
  'leaf Formula.t list =
  fun leaves context env quantifier (i, body) f ->
  let range = Index_range.values ~value:(value context) env quantifier i f body in
  if range = [] then Diag.warn ?loc:(Lazy.force f.loc) "the range of %s is empty" i.name;
  let instance k = formula leaves context (Env.add i.id (lazy (Value.Int (Z.of_int k))) env) body in
  List.rev (List.rev_map instance range)
