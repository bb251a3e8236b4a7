open Why3

type builtin =
  | Neg | Add | Sub | Mul | Div
  | Lt | Le | Gt | Ge | Equal
  | Get | Length
  | Read_model | Apply | Predict | Normalize | Gray | Rgb
  | Read_dataset | First | Image | Truth
  | Read_hierarchy | Up | Cut | Class_of | Group | Member | Within | Same_group | Forbidden
  | In_ball | Valid_image
  | Array | In_box | In_ball_radii | In_ball_relative

type variable = { name : string; id : int }
type sort = Int | Input | Other of string
type connective = And | Or | Implies | Iff

type term = { node : node; loc : Diag.location option Lazy.t }

and node =
  | Var of variable
  | Integer of Z.t
  | Rational of Q.t
  | Text of string
  | Bool of bool
  | Let of variable * term * term
  | If of term * term * term
  | Builtin of builtin * term list
  | Call of definition * term list
  | Not of term
  | Binary of connective * term * term
  | Forall of (variable * sort) list * term
  | Exists of (variable * sort) list * term

and definition = {
  symbol : string;
  id : int;
  shipped : bool;
  parameters : variable list Lazy.t;
  body : term Lazy.t;
}

type goal = {
  theory : string;
  name : string;
  domain : string option;
  formula : term;
  loc : Diag.location option Lazy.t;
}

type selection = { defines : (string * string) list; theories : string list; goals : string list; domain : string option }

(* The names are those of the metas in [theories/]; the second is how a specification writes the symbol. *)
let builtins =
  [ ("neg", Neg, "-"); ("add", Add, "+"); ("sub", Sub, "-"); ("mul", Mul, "*"); ("div", Div, "/"); ("lt", Lt, "<");
    ("le", Le, "<="); ("gt", Gt, ">"); ("ge", Ge, ">="); ("equal", Equal, "="); ("get", Get, "[]");
    ("length", Length, "length"); ("read_model", Read_model, "read_model"); ("apply", Apply, "@@");
    ("predict", Predict, "predict"); ("normalize", Normalize, "normalize"); ("gray", Gray, "gray"); ("rgb", Rgb, "rgb");
    ("read_dataset", Read_dataset, "read_dataset"); ("first", First, "first"); ("image", Image, "image");
    ("truth", Truth, "truth"); ("read_hierarchy", Read_hierarchy, "read_hierarchy"); ("up", Up, "up");
    ("cut", Cut, "cut"); ("class_of", Class_of, "class_of"); ("group", Group, "group"); ("member", Member, "member");
    ("within", Within, "within"); ("same_group", Same_group, "same_group"); ("forbidden", Forbidden, "forbidden");
    ("in_ball", In_ball, "in_ball"); ("valid_image", Valid_image, "valid_image"); ("array", Array, "array");
    ("in_box", In_box, "in_box"); ("in_ball_radii", In_ball_radii, "in_ball_radii");
    ("in_ball_relative", In_ball_relative, "in_ball_relative") ]

let builtin_name b =
  let _, _, written = List.find (fun (_, b', _) -> b = b') builtins in
  written

(* {1 From Why3's terms to ours} *)

type context = {
  known : Decl.known_map;
  meanings : builtin Term.Mls.t;
  defined : definition Term.Hls.t;
  locate : Loc.position -> Diag.location option Lazy.t;
}

let sort_of (ty : Ty.ty) =
  match ty.ty_node with
  | Tyapp (ts, []) when Ty.ts_equal ts Ty.ts_int -> Int
  | Tyapp ({ ts_name = { id_string = "vector"; _ }; _ }, [ { ty_node = Tyapp (real, []); _ } ])
    when Ty.ts_equal real Ty.ts_real ->
    Input
  | _ -> Other (Format.asprintf "@[<h>%a@]" Pretty.print_ty ty)

(* Beyond it a literal is a mistake, and its exact value would fill the memory. *)
let largest_exponent = 10_000

let rational ~loc (r : Number.real_value) =
  let z b = Z.of_string (BigInt.to_string b) in
  let power base exponent =
    let e = z exponent in
    if Z.gt (Z.abs e) (Z.of_int largest_exponent) then
      Diag.error ?loc:(Lazy.force loc) "the exponent of this number is beyond %d" largest_exponent;
    let p = Q.of_bigint (Z.pow (Z.of_int base) (Z.to_int (Z.abs e))) in
    if Z.sign e >= 0 then p else Q.inv p
  in
  Q.mul (Q.of_bigint (z r.rv_sig)) (Q.mul (power 2 r.rv_pow2) (power 5 r.rv_pow5))

let variable (v : Term.vsymbol) = { name = v.vs_name.id_string; id = Ident.id_hash v.vs_name }
let connective = function Term.Tand -> And | Tor -> Or | Timplies -> Implies | Tiff -> Iff

let rec translate context ~outer (t : Term.term) =
  let loc = Option.fold ~none:outer ~some:context.locate t.t_loc in
  let sub = translate context ~outer:loc in
  let node =
    match t.t_node with
    | Tvar v -> Var (variable v)
    | Tconst (ConstInt c) -> Integer (Z.of_string (BigInt.to_string c.il_int))
    | Tconst (ConstReal c) -> Rational (rational ~loc c.rl_real)
    | Tconst (ConstStr s) -> Text s
    | Ttrue -> Bool true
    | Tfalse -> Bool false
    | Tnot f -> Not (sub f)
    | Tbinop (op, f, g) -> Binary (connective op, sub f, sub g)
    | Tif (c, a, b) -> If (sub c, sub a, sub b)
    | Tlet (e, b) ->
      let v, body = Term.t_open_bound b in
      Let (variable v, sub e, sub body)
    | Tquant (quantifier, q) ->
      let vs, _, body = Term.t_open_quant q in
      let vs = List.map (fun (v : Term.vsymbol) -> (variable v, sort_of v.vs_ty)) vs in
      (match quantifier with Tforall -> Forall (vs, sub body) | Texists -> Exists (vs, sub body))
    | Tapp (ls, args) -> application context ~loc ls (List.map sub args)
    | Tcase _ | Teps _ ->
      Diag.error ?loc:(Lazy.force loc) ~hint:"only first-order terms: no match, no function literal"
        "this term is outside the profile"
  in
  { node; loc }

and application context ~loc ls args =
  if Term.ls_equal ls Term.ps_equ then Builtin (Equal, args)
  else
    match (Term.Mls.find_opt ls context.meanings, Term.Hls.find_opt context.defined ls) with
    | Some b, _ -> Builtin (b, args)
    | None, Some d -> Call (d, args)
    | None, None -> (
        match Decl.find_logic_definition context.known ls with
        | Some definition ->
          let d = define context ls definition in
          Term.Hls.add context.defined ls d;
          Call (d, args)
        | None -> undefined ~loc ls)

and undefined ~loc ls =
  let name = ls.ls_name.id_string in
  let loc = Lazy.force loc in
  if ls.ls_constr > 0 then
    Diag.error ?loc ~hint:"write a predicate instead of a bool, separate arguments instead of a tuple"
      "values of type bool and tuples are outside the profile"
  else if ls.ls_args = [] then
    Diag.error ?loc "%s is declared but not defined" name
      ~hint:(Printf.sprintf "give it a value with --define %s:VALUE, or in the specification" name)
  else
    Diag.error ?loc "%s is declared but not defined" name
      ~hint:"define it in the specification; only symbols of our theories may stay without a definition"

and define context ls definition =
  let shipped = Option.fold ~none:false ~some:Whyml.shipped ls.ls_name.id_loc in
  let context = if shipped then { context with locate = (fun _ -> lazy None) } else context in
  let opened =
    lazy
      (let vs, body = Decl.open_ls_defn definition in
       (List.map variable vs, translate context ~outer:(lazy None) body))
  in
  { symbol = ls.ls_name.id_string; id = Ident.id_hash ls.ls_name; shipped;
    parameters = lazy (fst (Lazy.force opened));
    body = lazy (snd (Lazy.force opened)) }

let meanings task =
  let add (td : Theory.tdecl) m =
    match td.td_node with
    | Theory.Meta (_, [ MAls ls; MAstr name ]) ->
      let _, b, _ = List.find (fun (n, _, _) -> n = name) builtins in
      Term.Mls.add ls b m
    | _ -> m
  in
  Theory.Stdecl.fold add (Task.find_meta_tds task Whyml.meta_builtin).Task.tds_set Term.Mls.empty

let domain_attribute ~loc attributes =
  let error ?hint fmt = Diag.error ?loc:(Lazy.force loc) ?hint fmt in
  let prefix = "caisar_ext:" in
  let one (a : Ident.attribute) found =
    let text = a.attr_string in
    match List.filter (( <> ) "") (String.split_on_char ' ' text) with
    | [ "caisar_ext:domain"; _ ] when found <> None -> error "a goal has one domain at most"
    | [ "caisar_ext:domain"; name ] -> Some name
    | word :: _ when String.starts_with ~prefix word ->
      error ~hint:"known here: [@caisar_ext:domain NAME]" "unknown attribute [@%s]" text
    | _ -> found
  in
  Ident.Sattr.fold one attributes None

(* {1 Loading} *)

(* A goal before its translation. *)
type stated = { theory : string; name : string; task : Task.task }

let stated (theory : Theory.theory) =
  let one task = { theory = theory.th_name.id_string; name = (Task.task_goal task).pr_name.id_string; task } in
  (* in source order *)
  List.map one (Task.split_theory theory None None)

let select selection goals =
  let full_name g = g.theory ^ "." ^ g.name in
  let unknown option known wanted =
    if List.exists (List.mem wanted) known then None
    else
      Some (Diag.make ?hint:(Diag.did_you_mean wanted (List.sort_uniq compare (List.concat known)))
              (Printf.sprintf "%s %s: the specification has none" option wanted))
  in
  let theories = List.map (fun g -> [ g.theory ]) goals and names = List.map (fun g -> [ g.name; full_name g ]) goals in
  (match
     List.filter_map (unknown "--theory" theories) selection.theories
     @ List.filter_map (unknown "--goal" names) selection.goals
   with
   | [] -> ()
   | mistakes -> raise (Diag.Error mistakes));
  let keep g =
    (selection.theories = [] || List.mem g.theory selection.theories)
    && (selection.goals = [] || List.mem g.name selection.goals || List.mem (full_name g) selection.goals)
  in
  match List.filter keep goals with
  | [] -> Diag.error "no goal is both in --theory and in --goal"
  | kept -> kept

let goal (selection : selection) defined { theory; name; task } : goal =
  let location = Whyml.location ~defines:selection.defines in
  let pr = Task.task_goal task in
  let loc = lazy (Option.map location pr.pr_name.id_loc) in
  let locate position = lazy (Some (location position)) in
  let context = { known = Task.task_known task; meanings = meanings task; defined; locate } in
  { theory; name; loc;
    domain = (match domain_attribute ~loc pr.pr_name.id_attrs with None -> selection.domain | own -> own);
    formula = translate context ~outer:loc (Task.task_goal_fmla task) }

let load file (selection : selection) =
  match List.concat_map stated (Whyml.theories ~defines:selection.defines file) with
  | [] -> Diag.error ~hint:"add: goal NAME: FORMULA" "%s has no goal" file
  | goals -> List.map (goal selection (Term.Hls.create 64)) (select selection goals)
