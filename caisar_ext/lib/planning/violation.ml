module Classes = Hierarchy.Classes

type literal =
  | Bound of Query.bound
  | Outcome of Query.comparison
  | Answer of Classes.t
  | Undecided of Value.tie

type located = { literal : literal; loc : Diag.location option Lazy.t }
type case = { region : Query.bound list; property : Query.property }

(* A conjunction of the normal form; [answer]: the classes among which the answer must be. Below, [all] is the set of
   all classes. *)
type conjunct = { bounds : Query.bound list; comparisons : Query.comparison list; answer : Classes.t option }

exception Undecided_literal of Value.tie

let limit = 10_000

let check_limit ~loc conjuncts =
  if conjuncts > limit then
    Diag.error ?loc:(Lazy.force loc) ~hint:"split the goal" "the negation of this goal has more than %d cases" limit

let both a b =
  let answer =
    match (a.answer, b.answer) with
    | Some s, Some s' -> Some (Classes.inter s s')
    | None, s | s, None -> s
  in
  if answer = Some Classes.empty then None
  else Some { bounds = a.bounds @ b.bounds; comparisons = a.comparisons @ b.comparisons; answer }

(* The limit is checked on the way: the product of two lists within it may be far beyond. *)
let product ~loc xs ys =
  let add (count, found) conjunct =
    check_limit ~loc (count + 1);
    (count + 1, conjunct :: found)
  in
  let row x acc y = match both x y with None -> acc | Some conjunct -> add acc conjunct in
  List.rev (snd (List.fold_left (fun acc x -> List.fold_left (row x) acc ys) (0, []) xs))

let union ~loc lists =
  check_limit ~loc (List.fold_left (fun n l -> n + List.length l) 0 lists);
  List.concat lists

let top = { bounds = []; comparisons = []; answer = None }
let one_bound b = { top with bounds = [ b ] }

let opposite (c : Query.comparison) : Query.comparison =
  let negated (t : Query.term) = { t with weight = Q.neg t.weight } in
  { terms = List.map negated c.terms; constant = Q.neg c.constant; strict = not c.strict }

(* The outside of a bound on one feature: below the lower bound, or above the upper one. *)
let outside ~loc (b : Query.bound) =
  match b with
  | Feature f ->
    let free = { f with lower = None; upper = None; strict_lower = false; strict_upper = false } in
    let below _ = one_bound (Query.Feature { free with upper = f.lower; strict_upper = not f.strict_lower }) in
    let above _ = one_bound (Query.Feature { free with lower = f.upper; strict_lower = not f.strict_upper }) in
    Option.to_list (Option.map below f.lower) @ Option.to_list (Option.map above f.upper)
  | Ball _ | Radii _ | Relative _ | Box _ | Range _ ->
    Diag.error ?loc:(Lazy.force loc) ~hint:"use in_ball, in_box, valid_image and the like as premises only"
      "the outside of a ball, of a box or of a range of images is not a region"

let literal ~all ~positive { literal; loc } =
  match (literal, positive) with
  | Undecided tie, _ -> raise (Undecided_literal tie)
  | Bound b, true -> [ one_bound b ]
  | Bound b, false -> outside ~loc b
  | Outcome c, true -> [ { top with comparisons = [ c ] } ]
  | Outcome c, false -> [ { top with comparisons = [ opposite c ] } ]
  | Answer s, _ ->
    let s = if positive then s else Classes.diff all s in
    if Classes.is_empty s then [] else [ { top with answer = Some s } ]

let rec normal_form ~loc ~all ~positive (f : located Formula.t) =
  let sub = normal_form ~loc ~all ~positive in
  match (f, positive) with
  | True, true | False, false -> [ top ]
  | True, false | False, true -> []
  | Leaf l, _ -> literal ~all ~positive l
  | Not g, _ -> normal_form ~loc ~all ~positive:(not positive) g
  | And fs, true | Or fs, false -> List.fold_left (fun conjuncts g -> product ~loc conjuncts (sub g)) [ top ] fs
  | Or fs, true | And fs, false -> union ~loc (List.map sub fs)

(* [c] is a maximiser: its output is at least every other. *)
let wins ~all c : Query.comparison list =
  let beats k : Query.comparison =
    let terms : Query.term list = [ { output = c; weight = Q.one }; { output = k; weight = Q.minus_one } ] in
    { terms; constant = Q.zero; strict = false }
  in
  List.map beats (Classes.elements (Classes.remove c all))

let avoided ~all conjunct =
  match conjunct.answer with
  | None -> [ conjunct.comparisons ]
  | Some s -> List.map (fun c -> conjunct.comparisons @ wins ~all c) (Classes.elements s)

(* One region: conjunctions that only speak of the answer become one allowed set, the others one list of cases. *)
let properties ~all conjuncts : Query.property list =
  let by_answer, others =
    List.partition (fun c -> c.comparisons = [] && c.answer <> None) conjuncts
  in
  let refused =
    List.fold_left (fun s c -> Classes.union s (Option.get c.answer)) Classes.empty by_answer
  in
  let allowed = Classes.elements (Classes.diff all refused) in
  (if by_answer = [] then [] else [ Query.Within { classes = allowed } ])
  @ if others = [] then [] else [ Query.Avoid { cases = List.concat_map (avoided ~all) others } ]

let cases ~loc ~outputs body =
  let all = Classes.of_list (List.init outputs Fun.id) in
  match normal_form ~loc ~all ~positive:false body with
  | exception Undecided_literal tie -> Error tie
  | conjuncts ->
    let regions = Hashtbl.create 7 and order = ref [] in
    List.iter
      (fun c ->
         let region = List.sort_uniq compare c.bounds in
         if not (Hashtbl.mem regions region) then order := region :: !order;
         Hashtbl.replace regions region (c :: Option.value ~default:[] (Hashtbl.find_opt regions region)))
      conjuncts;
    let of_region region =
      List.map (fun property -> { region; property }) (properties ~all (List.rev (Hashtbl.find regions region)))
    in
    Ok (List.concat_map of_region (List.rev !order))
