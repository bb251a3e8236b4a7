(* Random sentences of the language: their text, and their meaning computed here, straight from the definition. *)

open QCheck2.Gen

type index = Number of int | Index of string
type cls = Predict | Truth of index | Predict_at of index | Class of string

type real =
  | Num of Q.t
  | Feature of int
  | Output of int
  | Name of string
  | Plus of real * real
  | Minus of real * real
  | Times of Q.t * real
  | Choose of index * real * real  (** [if i > 0 then a else b] *)

(* Around samples, or between their bounds. *)
type region = Ball of index * Q.t | Radii of index * index | Relative of index * Q.t | Box of index * index

type formula =
  | Bool of bool
  | Compare of string * real * real
  | Between of Q.t * real * Q.t
  | Compare_index of string * index * index
  | Is of cls * cls
  | Member of cls * string
  | Within of string * cls * cls
  | Forbidden of cls * cls
  | Not of formula
  | Binary of string * formula * formula
  | If of formula * formula * formula
  | Let_real of string * real * formula
  | Let_index of string * index * formula
  | All of string * (int * int) * int * formula  (** range, the way to write it *)
  | Exists of string * (int * int) * int * formula
  | Call of int * index * real  (** of a predicate over the input *)
  | Call_closed of int * index * real
  | Inputs of region option * formula list * formula  (** premises on features, body *)

(* Parameters are an index and a constant real. *)
type definition = { index : string; real : string; body : formula }

type sentence = { predicates : definition list; closed : definition list; goal : formula }

(* {1 Text} *)

let number q =
  let plain = Printf.sprintf "%.1f" (Q.to_float q) in
  if Q.sign q < 0 then Printf.sprintf "(-. %.1f)" (-.Q.to_float q)
  else if Q.equal q (Q.of_ints 1 2) then "0x1p-1"
  else if Q.equal q Q.one then "(3.0 /. 3.0)"
  else plain

let index = function Number n -> if n < 0 then Printf.sprintf "(%d)" n else string_of_int n | Index i -> i

let cls = function
  | Predict -> "(predict net x)"
  | Truth i -> Printf.sprintf "(truth test[%s])" (index i)
  | Predict_at i -> Printf.sprintf "(predict net (image test[%s]))" (index i)
  | Class name -> Printf.sprintf "(class_of tree %S)" name

let rec real = function
  | Num q -> number q
  | Feature i -> Printf.sprintf "x[%d]" i
  | Output i -> Printf.sprintf "(net @@ x)[%d]" i
  | Name n -> n
  | Plus (a, b) -> Printf.sprintf "(%s +. %s)" (real a) (real b)
  | Minus (a, b) -> Printf.sprintf "(%s -. %s)" (real a) (real b)
  | Times (q, a) -> Printf.sprintf "(%s *. %s)" (number q) (real a)
  | Choose (i, a, b) -> Printf.sprintf "(if %s > 0 then %s else %s)" (index i) (real a) (real b)

let range name (a, b) way =
  match way with
  | 0 -> Printf.sprintf "%d <= %s < %d" a name b
  | 1 -> Printf.sprintf "%s < %d /\\ %s >= %d" name b name a
  | 2 -> Printf.sprintf "between %d %s %d" a name b
  | 3 -> Printf.sprintf "%d > %s /\\ %d < %s" b name (a - 1) name
  | _ -> Printf.sprintf "%s <= %d - 1 /\\ 0 = 0 /\\ %d <= %s" name b a name

let region = function
  | Ball (i, r) -> Printf.sprintf "in_ball x (image test[%s]) %s" (index i) (number r)
  | Relative (i, r) -> Printf.sprintf "in_ball_relative x (image test[%s]) %s" (index i) (number r)
  | Radii (i, j) -> Printf.sprintf "in_ball_radii x (image test[%s]) (radii test[%s])" (index i) (index j)
  | Box (i, j) -> Printf.sprintf "in_box x (lower test[%s]) (array \"upper\" test[%s])" (index i) (index j)

let rec text = function
  | Bool b -> string_of_bool b
  | Compare (op, a, b) -> Printf.sprintf "(%s %s %s)" (real a) op (real b)
  | Between (p, a, q) -> Printf.sprintf "(%s <=. %s <. %s)" (number p) (real a) (number q)
  | Compare_index (op, a, b) -> Printf.sprintf "(%s %s %s)" (index a) op (index b)
  | Is (a, b) -> Printf.sprintf "(%s = %s)" (cls a) (cls b)
  | Member (a, g) -> Printf.sprintf "(member %s (group tree %S))" (cls a) g
  | Within (level, a, c) -> Printf.sprintf "(within tree (%s) %s %s)" level (cls a) (cls c)
  | Forbidden (a, c) -> Printf.sprintf "(forbidden tree %s %s)" (cls a) (cls c)
  | Not f -> Printf.sprintf "(not %s)" (text f)
  | Binary (op, a, b) -> Printf.sprintf "(%s %s %s)" (text a) op (text b)
  | If (c, a, b) -> Printf.sprintf "(if %s then %s else %s)" (text c) (text a) (text b)
  | Let_real (n, e, f) -> Printf.sprintf "(let %s = %s in %s)" n (real e) (text f)
  | Let_index (n, e, f) -> Printf.sprintf "(let %s = %s in %s)" n (index e) (text f)
  | All (i, r, way, f) -> Printf.sprintf "(forall %s: int. %s -> %s)" i (range i r way) (text f)
  | Exists (i, r, way, f) -> Printf.sprintf "(exists %s: int. (%s) /\\ %s)" i (range i r way) (text f)
  | Call (p, i, r) -> Printf.sprintf "(p%d x %s %s)" p (index i) (real r)
  | Call_closed (p, i, r) -> Printf.sprintf "(c%d %s %s)" p (index i) (real r)
  | Inputs (around, premises, body) ->
    let premise r = region r ^ " -> " in
    Printf.sprintf "(forall x: vector real. valid_image x -> %s%s%s)" (Option.fold ~none:"" ~some:premise around)
      (String.concat "" (List.map (fun p -> text p ^ " -> ") premises)) (text body)

let sentence_text s =
  let body d = Printf.sprintf "(%s: int) (%s: real) = %s" d.index d.real (text d.body) in
  let predicate p d = Printf.sprintf "  predicate p%d (x: vector real) %s\n" p (body d) in
  let closed p d = Printf.sprintf "  predicate c%d %s\n" p (body d) in
  "  predicate between (i j k: int) = i <= j < k\n"
  ^ String.concat "" (List.mapi predicate s.predicates @ List.mapi closed s.closed)
  ^ "  goal g : " ^ text s.goal

(* {1 Meaning} *)

type env = {
  world : Toy.world;
  sentence : sentence;
  chosen : int array;  (** the answer at each sample, among its maximisers *)
  indices : (string * int) list;
  reals : (string * Q.t) list;
  input : (Q.t array * int) option;  (** a point and one of its maximisers *)
}

let index_value env = function Number n -> n | Index i -> List.assoc i env.indices
let input env = fst (Option.get env.input)

let rec real_value env = function
  | Num q -> q
  | Feature i -> (input env).(i)
  | Output i -> Q.of_int (Toy.outputs env.world (input env)).(i)
  | Name n -> List.assoc n env.reals
  | Plus (a, b) -> Q.add (real_value env a) (real_value env b)
  | Minus (a, b) -> Q.sub (real_value env a) (real_value env b)
  | Times (q, a) -> Q.mul q (real_value env a)
  | Choose (i, a, b) -> real_value env (if index_value env i > 0 then a else b)

let class_value env = function
  | Predict -> snd (Option.get env.input)
  | Truth i -> List.nth env.world.labels (index_value env i)
  | Predict_at i -> env.chosen.(index_value env i)
  | Class name -> List.assoc name [ ("a", 0); ("b", 1); ("c", 2) ]

let compare_by op order =
  match op with
  | "<" | "<." -> order < 0
  | "<=" | "<=." -> order <= 0
  | ">" | ">." -> order > 0
  | ">=" | ">=." -> order >= 0
  | "=" -> order = 0
  | "<>" -> order <> 0
  | _ -> invalid_arg op

let within level a c =
  match level with
  | "up 0" -> a = c
  | "up 1" -> c = 2 || a <> 2 (* the root for c *)
  | "cut \"k\"" -> (a = 2) = (c = 2)
  | _ -> invalid_arg level

let members = function "ab" -> [ 0; 1 ] | "bc" -> [ 1; 2 ] | "h" -> [ 0; 1; 2 ] | "c" -> [ 2 ] | g -> invalid_arg g
let between (a, b) = List.init (max 0 (b - a)) (fun k -> a + k)

let inside env x region =
  let at array i = Toy.row array (index_value env i) in
  let near radius centre = Array.for_all2 (fun d r -> Q.leq (Q.abs d) r) (Array.map2 Q.sub x centre) radius in
  match region with
  | Ball (i, r) -> near (Array.map (fun _ -> r) x) (at "images" i)
  | Relative (i, r) -> near (Array.map (fun c -> Q.mul r (Q.abs c)) (at "images" i)) (at "images" i)
  | Radii (i, j) -> near (at "radii" j) (at "images" i)
  | Box (i, j) -> Array.for_all2 Q.leq (at "lower" i) x && Array.for_all2 Q.leq x (at "upper" j)

let rec holds env = function
  | Bool b -> b
  | Compare (op, a, b) -> compare_by op (Q.compare (real_value env a) (real_value env b))
  | Between (p, a, q) -> Q.leq p (real_value env a) && Q.lt (real_value env a) q
  | Compare_index (op, a, b) -> compare_by op (compare (index_value env a) (index_value env b))
  | Is (a, b) -> class_value env a = class_value env b
  | Member (a, g) -> List.mem (class_value env a) (members g)
  | Within (level, a, c) -> within level (class_value env a) (class_value env c)
  | Forbidden (a, c) -> class_value env c = 2 && class_value env a = 1
  | Not f -> not (holds env f)
  | Binary ("/\\", a, b) -> holds env a && holds env b
  | Binary ("\\/", a, b) -> holds env a || holds env b
  | Binary ("->", a, b) -> (not (holds env a)) || holds env b
  | Binary (_, a, b) -> holds env a = holds env b
  | If (c, a, b) -> holds env (if holds env c then a else b)
  | Let_real (n, e, f) -> holds { env with reals = (n, real_value env e) :: env.reals } f
  | Let_index (n, e, f) -> holds { env with indices = (n, index_value env e) :: env.indices } f
  | All (i, r, _, f) -> List.for_all (fun k -> holds { env with indices = (i, k) :: env.indices } f) (between r)
  | Exists (i, r, _, f) -> List.exists (fun k -> holds { env with indices = (i, k) :: env.indices } f) (between r)
  | Call (p, i, r) -> call env (List.nth env.sentence.predicates p) i r
  | Call_closed (p, i, r) -> call env (List.nth env.sentence.closed p) i r
  | Inputs (around, premises, body) -> List.for_all (at_point env around premises body) Toy.grid

and call env d i r =
  holds { env with indices = [ (d.index, index_value env i) ]; reals = [ (d.real, real_value env r) ] } d.body

and at_point env around premises body x =
  let image = Array.for_all (fun v -> Q.sign v >= 0 && Q.leq v Q.one) x in
  let at answer = { env with input = Some (x, answer) } in
  let claimed answer = (not (List.for_all (holds (at answer)) premises)) || holds (at answer) body in
  (not image) || (not (Option.fold ~none:true ~some:(inside env x) around)) || List.for_all claimed (Toy.maximisers env.world x)

(* {1 Generation} *)

(* What a name of a real stands for: a mixture of features and outputs is outside of the language. *)
type kind = Constant | Of_feature | Of_outputs

type scope = {
  names : string list;  (** of indices *)
  kinds : (string * kind) list;  (** of reals *)
  under_input : bool;
  depth : int;
  callable : int;  (** predicates that may be called: the first ones *)
  callable_closed : int;
}

let value = map Toy.half (int_range (-2) 3)
let positive = map Toy.half (int_range 1 4)
let index_of scope = oneof (map (fun n -> Number n) (int_range 0 2) :: List.map (fun n -> pure (Index n)) scope.names)

(* The innermost name counts. *)
let names_of scope kind =
  let innermost = List.sort_uniq compare (List.map fst scope.kinds) in
  List.filter (fun n -> List.assoc n scope.kinds = kind) innermost

let rec real_of scope kind size =
  let names = List.map (fun n -> pure (Name n)) (names_of scope kind) in
  let base =
    match kind with
    | Constant -> map (fun q -> Num q) value
    | Of_feature -> map (fun i -> Feature i) (int_range 0 1)
    | Of_outputs -> map (fun i -> Output i) (int_range 0 2)
  in
  if size = 0 then oneof (base :: names)
  else
    let self = real_of scope kind (size / 2) and constant = real_of scope Constant (size / 2) in
    let other = if kind = Of_outputs then self else constant in
    oneof
      (names
       @ [ base; map2 (fun a b -> Plus (a, b)) self constant; map2 (fun a b -> Minus (a, b)) self other;
           map2 (fun q a -> Times (q, a)) (if kind = Constant then value else positive) self;
           map3 (fun i a b -> Choose (i, a, b)) (index_of scope) self self ])

let class_of scope =
  let at = index_of scope in
  let named = map (fun n -> Class n) (oneofl [ "a"; "b"; "c" ]) in
  frequency
    ([ (1, map (fun i -> Truth i) at); (1, map (fun i -> Predict_at i) at); (1, named) ]
     @ if scope.under_input then [ (5, pure Predict) ] else [])

let kinds_of scope = if scope.under_input then [ Constant; Of_feature; Of_outputs ] else [ Constant ]

let real_comparison scope =
  let op = oneofl [ "<."; "<=."; ">."; ">=."; "="; "<>" ] in
  let* kind = oneofl (kinds_of scope) in
  let left = real_of scope kind 2 and right = real_of scope (if kind = Of_outputs then kind else Constant) 1 in
  oneof
    [ map3 (fun op a b -> Compare (op, a, b)) op left right; map3 (fun op a b -> Compare (op, b, a)) op left right;
      map3 (fun p a q -> Between (p, a, q)) value left value ]

let atom scope =
  let c = class_of scope in
  let order = oneofl [ "<"; "<="; ">"; ">="; "="; "<>" ] in
  frequency
    [ (3, real_comparison scope); (2, map2 (fun a b -> Is (a, b)) c c);
      (1, map3 (fun op a b -> Compare_index (op, a, b)) order (index_of scope) (index_of scope));
      (2, map2 (fun a g -> Member (a, g)) c (oneofl [ "ab"; "bc"; "h"; "c" ]));
      (2, map3 (fun l a b -> Within (l, a, b)) (oneofl [ "up 0"; "up 1"; "cut \"k\"" ]) c c);
      (1, map2 (fun a b -> Forbidden (a, b)) c c); (1, map (fun b -> Bool b) bool) ]

(* Few names, so that scopes nest under the same ones. *)
let index_name = oneofl [ "i"; "j"; "r" ]
let real_name = oneofl [ "r"; "s"; "i" ]
let with_index scope n = { scope with names = n :: scope.names; kinds = List.filter (fun (m, _) -> m <> n) scope.kinds }
let with_real scope n kind = { scope with names = List.filter (( <> ) n) scope.names; kinds = (n, kind) :: scope.kinds }

let rec formula scope =
  if scope.depth = 0 then atom scope
  else
    let deeper = { scope with depth = scope.depth - 1 } in
    let sub = formula deeper in
    let quantifier make =
      let* name = index_name and* a = int_range (-1) 2 and* width = int_range 0 2 and* way = int_range 0 4 in
      (* samples are indexed by the index *)
      let a = max 0 a in
      map (make name (a, min 3 (a + width)) way) (formula (with_index deeper name))
    in
    let let_real =
      let* name = real_name and* kind = oneofl (kinds_of scope) in
      map2 (fun e f -> Let_real (name, e, f)) (real_of scope kind 2) (formula (with_real deeper name kind))
    in
    let let_index =
      let* name = index_name in
      map2 (fun e f -> Let_index (name, e, f)) (index_of scope) (formula (with_index deeper name))
    in
    let call make count =
      if count = 0 then []
      else [ (2, map3 make (int_range 0 (count - 1)) (index_of scope) (real_of scope Constant 1)) ]
    in
    frequency
      ([ (2, atom scope); (2, map (fun f -> Not f) sub);
         (4, map3 (fun op a b -> Binary (op, a, b)) (oneofl [ "/\\"; "\\/"; "->"; "<->" ]) sub sub);
         (1, map3 (fun c a b -> If (c, a, b)) sub sub sub); (1, let_real); (1, let_index);
         (1, quantifier (fun n r way f -> All (n, r, way, f)));
         (1, quantifier (fun n r way f -> Exists (n, r, way, f))) ]
       @ (if scope.under_input then call (fun p i r -> Call (p, i, r)) scope.callable
          else (3, inputs deeper) :: call (fun p i r -> Call_closed (p, i, r)) scope.callable_closed))

and inputs scope =
  let under = { scope with under_input = true } in
  let premise = map3 (fun op i q -> Compare (op, Feature i, Num q)) (oneofl [ "<."; ">=." ]) (int_range 0 1) value in
  let i = index_of scope and ratio = map Toy.half (int_range 0 3) in
  let region =
    frequency
      [ (3, map2 (fun i r -> Ball (i, r)) i ratio); (1, map2 (fun i r -> Relative (i, r)) i ratio);
        (1, map2 (fun i j -> Radii (i, j)) i i); (1, map2 (fun i j -> Box (i, j)) i i) ]
  in
  let* around = opt region in
  map2 (fun premises body -> Inputs (around, premises, body)) (list_size (int_range 0 2) premise) (formula under)

let definition scope =
  let* index = oneofl [ "i"; "j" ] and* real = oneofl [ "r"; "s" ] in
  map (fun body -> { index; real; body }) (formula { scope with names = [ index ]; kinds = [ (real, Constant) ] })

let sentence =
  let empty = { names = []; kinds = []; under_input = false; depth = 2; callable = 0; callable_closed = 0 } in
  let* p0 = definition { empty with under_input = true } in
  let* p1 = definition { empty with under_input = true; callable = 1 } in
  let* c0 = definition { empty with callable = 2 } in
  map (fun goal -> { predicates = [ p0; p1 ]; closed = [ c0 ]; goal })
    (formula { empty with depth = 4; callable = 2; callable_closed = 1 })
