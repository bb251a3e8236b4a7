open Spec
open English_scope

(* {1 Terms} *)

let operator = function Add -> "+" | Sub -> "-" | Mul -> "*" | Div -> "/" | b -> builtin_name b

let rec noun env t =
  let env, t = head env t in
  match (t.node, value env t) with
  | Builtin ((Predict | Truth | Class_of | Group | Image | Array), _), _ | _, None -> structure env t
  | _, Some v -> of_value env t v

and of_value env t : Value.t -> string = function
  | Int n -> Z.to_string n
  | Real l -> linear env l
  | Text s -> Printf.sprintf "%S" s
  | Model path -> Filename.basename path
  | Dataset view -> view.dataset.source
  | Hierarchy h -> Filename.basename (Hierarchy.file h)
  | Level l -> Fmt.str "%a" Hierarchy.pp_level l
  | Vector (Constants qs) -> "(" ^ String.concat ", " (List.map rational qs) ^ ")"
  | Vector Input -> input_name env
  | Answer _ | Tie _ | Sample _ | Vector (Image _ | Row _ | Normalized _ | Outputs _) | Group _ -> structure env t

and structure env (t : term) =
  match t.node with
  | Var v -> (
      match meaning env v with
      | Some (Index i) ->
        i.named <- true;
        i.name
      | _ -> v.name)
  | If (c, a, b) ->
    Printf.sprintf "(%s if %s, otherwise %s)" (noun env a) (Sentence.text (sentence env c)) (noun env b)
  | Builtin (Get, [ d; i ]) -> (
      match value env d with
      | Some (Dataset view) -> sample env view i
      | Some (Vector (Outputs _)) -> "output " ^ noun env i
      | _ -> Printf.sprintf "entry %s of %s" (noun env i) (noun env d))
  | Builtin (Image, [ s ]) -> noun env s
  | Builtin (Array, [ name; s ]) ->
    if value env name = Some (Text Query.images) then noun env s
    else Printf.sprintf "%s of %s" (noun env name) (noun env s)
  | Builtin (Truth, [ s ]) -> Printf.sprintf "the true class of %s" (noun env s)
  | Builtin (Class_of, [ _; name ]) -> noun env name
  | Builtin (Group, [ _; name ]) -> "the group " ^ noun env name
  | Builtin (Predict, [ m; x ]) -> answer env t m x
  | Builtin (Normalize, [ x; mean; std ]) ->
    Printf.sprintf "%s normalised by mean %s and deviation %s" (noun env x) (noun env mean) (noun env std)
  | Builtin (Neg, [ a ]) -> "-" ^ noun env a
  | Builtin (((Add | Sub | Mul | Div) as b), [ x; y ]) ->
    Printf.sprintf "(%s %s %s)" (noun env x) (operator b) (noun env y)
  | Builtin (b, args) -> String.concat " " (builtin_name b :: List.map (noun env) args)
  | _ -> "(" ^ Sentence.text (sentence env t) ^ ")"

(* The one network under the input is named there, with its normalisation. *)
and answer env t m x =
  match value env t with
  | Some (Answer _) -> "the answer"
  | _ -> Printf.sprintf "the answer of %s at %s" (noun env m) (noun env x)

and sample env (view : Value.view) i =
  match (index env i, value env i) with
  | Some ({ alone = true; _ } as index), _ ->
    index.read <- view :: index.read;
    "the sample"
  | Some index, _ ->
    index.read <- view :: index.read;
    let offset = if view.first = 0 then "" else Printf.sprintf "%d + " view.first in
    Printf.sprintf "sample %s%s of %s" offset index.name view.dataset.source
  | None, Some (Int k) -> Printf.sprintf "sample %s of %s" Z.(to_string (of_int view.first + k)) view.dataset.source
  | None, _ -> Printf.sprintf "sample %s of %s" (noun env i) view.dataset.source

(* {1 Atoms} *)

and relation = function
  | Lt -> ("is less than", "is at least")
  | Le -> ("is at most", "is more than")
  | Gt -> ("is more than", "is at most")
  | Ge -> ("is at least", "is less than")
  | _ -> ("is", "is not")

and order = function
  | Lt -> fun c -> c < 0
  | Le -> fun c -> c <= 0
  | Gt -> fun c -> c > 0
  | Ge -> fun c -> c >= 0
  | _ -> fun c -> c = 0

(* A number where a class is meant is called one. *)
and class_noun env t =
  match (head env t, value env t) with
  | (_, { node = Builtin ((Predict | Truth | Class_of), _); _ }), _ | _, None -> noun env t
  | _, Some (Int n) -> "class " ^ Z.to_string n
  | _ -> noun env t

and is_class env t =
  match head env t with _, { node = Builtin ((Predict | Truth | Class_of), _); _ } -> true | _ -> false

and flip = function Lt -> Gt | Le -> Ge | Gt -> Lt | Ge -> Le | b -> b

and is_constant env t =
  match value env t with Some (Real l) -> Linear.to_constant l <> None | Some (Int _) -> true | _ -> false

and comparison env b x y =
  let decided =
    match (value env x, value env y) with
    | Some (Int m), Some (Int n) when not (is_class env x || is_class env y) -> Some (Z.compare m n)
    | Some (Real l), Some (Real m) -> Option.map Q.sign (Linear.to_constant (Linear.sub l m))
    | Some (Text s), Some (Text t) -> Some (compare s t)
    | _ -> None
  in
  match decided with
  | Some c -> Sentence.holds (order b c)
  | None ->
    let noun = if is_class env x || is_class env y then class_noun else noun in
    let b, x, y = if is_constant env x then (flip b, y, x) else (b, x, y) in
    let x = noun env x and y = noun env y in
    let says, denies = relation b in
    Sentence.phrase (Printf.sprintf "%s %s %s" x says y) (Printf.sprintf "%s %s %s" x denies y)

and atom env b args =
  let noun = noun env and is x place = Sentence.phrase (x ^ " is " ^ place) (x ^ " is not " ^ place) in
  let every format = Sentence.phrase (format "every feature") ("it is not so that " ^ format "every feature") in
  match (b, args) with
  | (Lt | Le | Gt | Ge | Equal), [ x; y ] -> comparison env b x y
  | Member, [ a; g ] -> is (class_noun env a) ("in " ^ noun g)
  | Within, [ _; l; a; c ] -> is (class_noun env a) (level env l (class_noun env c))
  | Same_group, [ _; cut; a; c ] ->
    is (class_noun env a) (Printf.sprintf "in the block of cut %s that holds %s" (noun cut) (class_noun env c))
  | Forbidden, [ t; a; c ] -> forbidden env t (class_noun env a) (class_noun env c)
  | In_ball, [ x; c; r ] ->
    every (fun f -> Printf.sprintf "%s differs from %s by at most %s in %s" (noun x) (noun c) (noun r) f)
  | In_ball_radii, [ x; c; r ] ->
    every (fun f -> Printf.sprintf "%s differs from %s in %s by at most %s" (noun x) (noun c) f (noun r))
  | In_ball_relative, [ x; c; r ] ->
    every (fun f ->
        Printf.sprintf "%s differs from %s in %s by at most %s of its magnitude there" (noun x) (noun c) f (noun r))
  | In_box, [ x; l; u ] -> every (fun f -> Printf.sprintf "%s of %s is between %s and %s" f (noun x) (noun l) (noun u))
  | Valid_image, [ x ] -> every (fun f -> Printf.sprintf "%s of %s is between 0 and 1" f (noun x))
  | b, args -> is (String.concat " " (builtin_name b :: List.map noun args)) "true"

and level env l reference =
  match value env l with
  | Some (Level (Up 0)) -> reference
  | Some (Level (Up k)) -> Printf.sprintf "in the group %s above %s" (Report_words.plural k "step") reference
  | Some (Level (Cut name)) -> Printf.sprintf "in the block of cut %S that holds %s" name reference
  | _ -> Printf.sprintf "in the group of %s at level %s" reference (noun env l)

and forbidden env t answer reference =
  match value env t with
  | Some (Hierarchy h) when Hierarchy.never h = [] -> Sentence.holds false
  | _ ->
    let pair determiner = Printf.sprintf "%s never pair forbids %s for %s" determiner answer reference in
    Sentence.phrase (pair "a") (pair "no")

(* {1 Formulas} *)

and sentence env (f : term) : Sentence.t =
  let sub = sentence env in
  match f.node with
  | Bool b -> Sentence.holds b
  | Not g -> Sentence.negation (sub g)
  | Binary (And, a, b) -> Sentence.all [ sub a; sub b ]
  | Binary (Or, a, b) -> Sentence.any [ sub a; sub b ]
  | Binary (Implies, a, b) -> Sentence.implies (sub a) (sub b)
  | Binary (Iff, a, b) -> Sentence.exactly_when (sub a) (sub b)
  | If (c, a, b) ->
    let c = sub c in
    Sentence.(all [ implies c (sub a); implies (negation c) (sub b) ])
  | Let _ | Call _ ->
    let env, f = head env f in
    sentence env f
  | Builtin (b, args) -> atom env b args
  | Forall ([], body) | Exists ([], body) -> sub body
  | Forall (((_, Int) :: _ as vs), body) -> over_indices env `All vs body
  | Exists (((_, Int) :: _ as vs), body) -> over_indices env `One vs body
  | Forall ((x, _) :: rest, body) | Exists ((x, _) :: rest, body) ->
    let inside = with_input env x in
    let premises, claim = split inside [] { f with node = Forall (rest, body) } in
    (* the network is known once they are read *)
    Sentence.each ~heading:(Printf.sprintf "for every input %s of %s" x.name (network_name inside)) premises claim
  | Var _ | Integer _ | Rational _ | Text _ -> Sentence.phrase (noun env f) ("not " ^ noun env f)

(* Premises and conclusion of a body. Those that bound one of [indices] are kept there. *)
and split env indices (f : term) =
  match f.node with
  | Forall ([], body) -> split env indices body
  | Let _ | Call _ ->
    let env, f = head env f in
    split env indices f
  | Binary (Implies, a, b) ->
    let premises = conditions env indices a in
    let more, claim = split env indices b in
    (premises @ more, claim)
  | _ -> ([], sentence env f)

and conditions env indices (f : term) =
  match head env f with
  | env, { node = Binary (And, a, b); _ } -> conditions env indices a @ conditions env indices b
  | env, ({ node = Builtin (((Lt | Le | Gt | Ge) as b), [ x; y ]); _ } as f) ->
    if bounds env indices b x y then [] else [ sentence env f ]
  | env, f -> [ sentence env f ]

(* Whether a comparison bounds one of [indices] by a known number. *)
and bounds env indices b x y =
  let tighten choose known n = Some (Option.fold ~none:n ~some:(choose n) known) in
  let note i b n =
    match b with
    | Lt -> i.greatest <- tighten Z.min i.greatest (Z.pred n)
    | Le -> i.greatest <- tighten Z.min i.greatest n
    | Gt -> i.least <- tighten Z.max i.least (Z.succ n)
    | _ -> i.least <- tighten Z.max i.least n
  in
  match (index env x, value env x, index env y, value env y) with
  | Some i, _, None, Some (Int n) when List.memq i indices -> note i b n; true
  | None, Some (Int n), Some i, _ when List.memq i indices -> note i (flip b) n; true
  | _ -> false

(* The statement is read twice: first to learn what its indices are for. *)
and over_indices env quantifier vs body =
  let ints, rest = List.partition (fun (_, sort) -> sort = Int) vs in
  let body = if rest = [] then body else { body with node = Forall (rest, body) } in
  let read alone =
    let fresh ((v : variable), _) =
      (v, { name = v.name; alone; least = None; greatest = None; read = []; named = false })
    in
    let indices = List.map fresh ints in
    let env = List.fold_left with_index env indices in
    let indices = List.map snd indices in
    let premises, claim =
      match quantifier with
      | `All -> split env indices body
      | `One -> ([], Sentence.all (conditions env indices body))
    in
    (indices, premises, claim)
  in
  let sample_of (i : index) =
    match (List.sort_uniq compare i.read, i.least, i.greatest) with
    | [ view ], Some a, Some b when (not i.named) && Z.sign a >= 0 && Z.lt b (Z.of_int view.length) -> Some (view, a, b)
    | _ -> None
  in
  match read false with
  | [ i ], _, _ when sample_of i <> None && not (has_sample env) ->
    let _, premises, claim = read true in
    let view, a, b = Option.get (sample_of i) in
    quantified quantifier (samples view (Z.to_int a) (Z.to_int b)) premises claim
  | indices, premises, claim ->
    let things = `Several ("integers " ^ String.concat " and " (List.map range indices)) in
    quantified quantifier things premises claim

and quantified quantifier things premises claim =
  match (quantifier, things) with
  | `All, `Single thing -> Sentence.each ~heading:("for " ^ thing) premises claim
  | `One, `Single thing -> Sentence.one ~heading:("for " ^ thing) claim
  | `All, `Several things -> Sentence.each ~heading:("for each of the " ^ things) premises claim
  | `One, `Several things -> Sentence.one ~heading:("for at least one of the " ^ things) claim

(* Samples [a] to [b] of a view. *)
and samples (view : Value.view) a b =
  let source = view.dataset.source and a = view.first + a and b = view.first + b in
  let count = max 0 (b - a + 1) in
  if count = 1 then `Single (Printf.sprintf "sample %d of %s" a source)
  else if count = Array.length view.labels then `Several (Printf.sprintf "%d samples of %s" count source)
  else if a = 0 then `Several (Printf.sprintf "first %d samples of %s" count source)
  else `Several (Printf.sprintf "samples %d to %d of %s" a b source)

and range i =
  let side word = Option.fold ~none:"" ~some:(fun n -> Printf.sprintf " %s %s" word (Z.to_string n)) in
  i.name ^ side "from" i.least ^ side "to" i.greatest

let goal world memory formula = sentence (empty world memory) formula
