module Classes = Hierarchy.Classes

type scope = { mutable network : Query.network option; mutable reference : (Hierarchy.t * int) option }

let error (term : Spec.term) ?hint fmt = Diag.error ?loc:(Lazy.force term.loc) ?hint fmt
let truth b : 'leaf Formula.t = if b then True else False
let leaf (term : Spec.term) literal : Violation.located Formula.t = Leaf { literal; loc = term.loc }

(* [l >= 0], or [l > 0] when strict. *)
let non_negative term ~strict (l : Linear.t) =
  let features, outputs =
    List.partition_map
      (fun (atom, q) -> match atom with Linear.Feature i -> Left (i, q) | Output i -> Right (i, q))
      l.terms
  in
  match (features, outputs) with
  | [], [] -> truth (if strict then Q.sign l.constant > 0 else Q.sign l.constant >= 0)
  | [], _ ->
    let terms = List.map (fun (output, weight) : Query.term -> { output; weight }) outputs in
    leaf term (Outcome { terms; constant = l.constant; strict })
  | [ (index, weight) ], [] ->
    let bound = Q.neg (Q.div l.constant weight) in
    let feature : Query.feature =
      if Q.sign weight > 0 then
        { index; lower = Some bound; upper = None; strict_lower = strict; strict_upper = false }
      else { index; lower = None; upper = Some bound; strict_lower = false; strict_upper = strict }
    in
    leaf term (Bound (Feature feature))
  | _, [] -> error term ~hint:"regions are boxes and balls" "a constraint on the input may bound one feature only"
  | _, _ -> error term "a comparison of features with outputs"

let compare_reals term (b : Spec.builtin) x y =
  match b with
  | Le -> non_negative term ~strict:false (Linear.sub y x)
  | Lt -> non_negative term ~strict:true (Linear.sub y x)
  | Ge -> non_negative term ~strict:false (Linear.sub x y)
  | Gt -> non_negative term ~strict:true (Linear.sub x y)
  | _ ->
    Formula.conjunction
      [ non_negative term ~strict:false (Linear.sub x y); non_negative term ~strict:false (Linear.sub y x) ]

let compare_integers (b : Spec.builtin) x y =
  let order = Z.compare x y in
  truth
    (match b with Le -> order <= 0 | Lt -> order < 0 | Ge -> order >= 0 | Gt -> order > 0 | _ -> order = 0)

(* The answer [a] is among [answers c], [c] the reference; either may be unknown, or both. *)
let relation term ~classes answers (a : Value.t) (c : Value.t) =
  let index z =
    if Z.sign z >= 0 && Z.lt z (Z.of_int classes) then Z.to_int z
    else error term "class %s is out of range 0..%d" (Z.to_string z) (classes - 1)
  in
  let among set = leaf term (Answer set) in
  let such_that p = among (Classes.of_list (List.filter p (List.init classes Fun.id))) in
  match (a, c) with
  | Int a, Int c -> truth (Classes.mem (index a) (answers (index c)))
  | Answer _, Int c -> among (answers (index c))
  | Int a, Answer _ ->
    let a = index a in
    such_that (fun c -> Classes.mem a (answers c))
  | Answer _, Answer _ -> such_that (fun c -> Classes.mem c (answers c))
  | Tie tie, _ | _, Tie tie -> leaf term (Undecided tie)
  | a, c -> error term "classes are expected, not %s and %s" (Value.describe a) (Value.describe c)

let in_ball (term : Spec.term) radius ({ view; index } : Value.sample) : _ Formula.t =
  match Linear.to_constant radius with
  | Some radius when Q.sign radius < 0 ->
    Diag.warn ?loc:(Lazy.force term.loc) "in_ball holds nowhere: the radius is negative";
    False
  | Some radius -> leaf term (Bound (Ball { dataset = view.dataset; index; radius }))
  | None -> error term "in_ball: the radius must be a constant"

let row (v : Value.vector) : Query.row option =
  let row ({ view; index } : Value.sample) array : Query.row = { dataset = view.dataset; array; index } in
  match v with
  | Image s -> Some (row s Query.images)
  | Row (s, array) -> Some (row s array)
  | Input | Constants _ | Normalized _ | Outputs _ -> None

(* Bounds that are rows of datasets. *)
let in_rows (term : Spec.term) (b : Spec.builtin) (args : Value.t list) =
  let bound b = leaf term (Bound b) in
  match (b, args) with
  | In_ball_relative, [ Vector Input; Vector (Image { view; index }); Real ratio ] -> (
      match Linear.to_constant ratio with
      | Some ratio -> bound (Relative { dataset = view.dataset; index; ratio })
      | None -> error term "in_ball_relative: the ratio must be a constant")
  | In_ball_relative, _ ->
    error term ~hint:"write: in_ball_relative x (image d[i]) ratio"
      "in_ball_relative: the input and the image of a sample are expected"
  | In_ball_radii, [ Vector Input; Vector (Image { view; index }); Vector r ] when row r <> None ->
    bound (Radii { dataset = view.dataset; index; radii = Option.get (row r) })
  | In_ball_radii, _ ->
    error term ~hint:"write: in_ball_radii x (image d[i]) (radii d[i])"
      "in_ball_radii: the input, the image of a sample, and radii from a dataset are expected"
  | _, [ Vector Input; Vector l; Vector u ] when row l <> None && row u <> None ->
    bound (Box { lower = Option.get (row l); upper = Option.get (row u) })
  | _ ->
    error term ~hint:"write: in_box x (lower d[i]) (upper d[i])"
      "in_box: the input, and bounds from a dataset are expected"

let equal_classes term ~outputs (a : Value.t) (b : Value.t) =
  match (a, b) with
  | Answer network, _ | _, Answer network -> relation term ~classes:(outputs network) Classes.singleton a b
  | _ -> relation term ~classes:max_int Classes.singleton a b

(* The first class met with a hierarchy is the one whose groups the goal is about. *)
let refer scope t (c : Value.t) =
  match (scope, c) with
  | Some s, Int c when s.reference = None && Z.fits_int c -> s.reference <- Some (t, Z.to_int c)
  | _ -> ()

let of_builtin ~outputs scope (term : Spec.term) (b : Spec.builtin) (args : Value.t list) =
  let loc = Lazy.force term.loc in
  let in_hierarchy t answers a c =
    refer scope t c;
    relation term ~classes:(Hierarchy.class_count t) answers a c
  in
  let at_level t level =
    Hierarchy.check_level ?loc t level;
    in_hierarchy t (fun c -> Hierarchy.extension t (Hierarchy.at_level t level c))
  in
  match (b, args) with
  | (Lt | Le | Gt | Ge | Equal), [ Real x; Real y ] -> compare_reals term b x y
  | (Lt | Le | Gt | Ge | Equal), [ Int x; Int y ] -> compare_integers b x y
  | Equal, [ ((Answer _ | Tie _ | Int _) as x); ((Answer _ | Tie _ | Int _) as y) ] -> equal_classes term ~outputs x y
  | Equal, [ Text x; Text y ] -> truth (String.equal x y)
  | Member, [ a; Group (t, extension) ] ->
    relation term ~classes:(Hierarchy.class_count t) (fun _ -> extension) a (Int Z.zero)
  | Within, [ Hierarchy t; Level level; a; c ] -> at_level t level a c
  | Same_group, [ Hierarchy t; Text cut; a; c ] -> at_level t (Cut cut) a c
  | Forbidden, [ Hierarchy t; a; c ] -> in_hierarchy t (Hierarchy.forbidden_answers t) a c
  | In_ball, [ Vector Input; Vector (Image s); Real radius ] -> in_ball term radius s
  | In_ball, _ ->
    error term ~hint:"write: in_ball x (image d[i]) eps" "in_ball: the input and the image of a sample are expected"
  | (In_box | In_ball_radii | In_ball_relative), _ -> in_rows term b args
  | Valid_image, [ Vector Input ] -> leaf term (Bound (Range { lower = Some Q.zero; upper = Some Q.one }))
  | _ ->
    error term "%s is not defined on %s" (Spec.builtin_name b) (String.concat ", " (List.map Value.describe args))
