open Why3

type builtin =
  | Neg | Add | Sub | Mul | Div
  | Lt | Le | Gt | Ge | Equal
  | Get | Length
  | Read_model | Apply | Predict | Normalize | Gray | Rgb
  | Read_dataset | First | Image | Truth
  | Read_hierarchy | Up | Cut | Class_of | Group | Member | Within | Same_group | Forbidden
  | In_ball | Valid_image

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

and definition = { symbol : string; id : int; parameters : variable list Lazy.t; body : term Lazy.t }

type goal = {
  theory : string;
  name : string;
  domain : string option;
  formula : term;
  loc : Diag.location option;
}

type selection = { defines : (string * string) list; theories : string list; goals : string list }

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
    ("in_ball", In_ball, "in_ball"); ("valid_image", Valid_image, "valid_image") ]

let builtin_name b =
  let _, _, written = List.find (fun (_, b', _) -> b = b') builtins in
  written

(* Must exist before any file is read. *)
let meta_builtin =
  Theory.register_meta ~desc:"interpreted@ by@ the@ orchestrator" "caisar_ext:builtin" Theory.[ MTlsymbol; MTstring ]

(* {1 Locations} *)

(* A [--define] argument is parsed under this file name; its text serves the excerpt. *)
let define_file name = "--define " ^ name

let location ~defines position =
  let source file =
    List.find_map (fun (name, text) -> if file = define_file name then Some text else None) defines
  in
  match Loc.get_multiline position with
  | file, (line, first), (end_line, last) when line = end_line ->
    Diag.of_bytes ?source:(source file) ~file ~line ~first ~last ()
  | file, (line, first), (end_line, last) ->
    let start = Diag.of_bytes ?source:(source file) ~file ~line ~first ~last:(first + 1) () in
    { start with end_line; end_column = max 1 last }
  | exception Failure _ ->
    (* in-memory buffers: Why3 cannot re-read them *)
    let file, line, first, last = Loc.get position in
    Diag.of_bytes ?source:(source file) ~file ~line ~first ~last ()

(* {1 Our theories} *)

(* Why3 reads theories from folders only: write them out, once a process. *)
let theories_folder =
  lazy
    (let root = Filename.temp_file "caisar-ext" ".theories" in
     Sys.remove root;
     let written = ref [] in
     let folder path = if not (Sys.file_exists path) then (Unix.mkdir path 0o700; written := path :: !written) in
     folder root;
     List.iter
       (fun (path, text) ->
          let path = Filename.concat root path in
          folder (Filename.dirname path);
          let oc = open_out_bin path in
          output_string oc text;
          close_out oc;
          written := path :: !written)
       Theories.files;
     at_exit (fun () ->
         let remove path =
           try if Sys.is_directory path then Unix.rmdir path else Sys.remove path with Sys_error _ | Unix.Unix_error _ -> ()
         in
         List.iter remove !written);
     root)

(* {1 The profile, on the parse tree} *)



let hint_profile = "a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md"

let check_profile ~defines file =
  let refuse position what = Diag.error ~loc:(location ~defines position) ~hint:hint_profile "%s" (what ^ " is outside the profile") in
  let declaration (d : Ptree.decl) =
    match d with
    | Dtype types ->
      let one (t : Ptree.type_decl) =
        match t.td_def with
        | TDalias _ | TDrecord [] -> ()
        | _ -> refuse t.td_loc "a type other than an abstract one or an alias"
      in
      List.iter one types
    | Dlogic _ | Duseexport _ | Duseimport _ | Dprop (Decl.Pgoal, _, _) -> ()
    | Dprop (_, name, _) -> refuse name.id_loc "an axiom or a lemma"
    | Dind (_, { in_loc; _ } :: _) -> refuse in_loc "an inductive predicate"
    | Dlet (name, _, _, _) -> refuse name.id_loc "a program"
    | Drec ((name, _, _, _, _, _, _, _, _) :: _) -> refuse name.id_loc "a program"
    | Dexn (name, _, _) -> refuse name.id_loc "an exception"
    | Dmeta (name, _) -> refuse name.id_loc "a meta"
    | Dcloneexport (position, _, _) | Dcloneimport (position, _, _, _, _) -> refuse position "clone"
    | Dscope (position, _, _, _) -> refuse position "a scope"
    | Dimport (Qident name | Qdot (_, name)) -> refuse name.id_loc "import"
    | Dind (_, []) | Drec [] -> ()
  in
  match (file : Ptree.mlw_file) with
  | Modules modules -> List.iter (fun (_, declarations) -> List.iter declaration declarations) modules
  | Decls declarations -> List.iter declaration declarations

let declarations (file : Ptree.mlw_file) =
  match file with Modules modules -> List.concat_map snd modules | Decls ds -> ds

(* Why3 reports a missing library without a location: look each one up first. *)
let check_uses ~defines env file =
  let rec flat = function Ptree.Qident i -> [ i ] | Qdot (q, i) -> flat q @ [ i ] in
  let check qualified =
    match List.rev (flat qualified) with
    | theory :: (_ :: _ as library) -> (
        let library = List.rev library in
        let path = List.map (fun i -> i.Ptree.id_str) library in
        match Pmodule.read_module env path theory.id_str with
        | (_ : Pmodule.pmodule) -> ()
        | exception (Env.LibraryNotFound _ | Env.TheoryNotFound _ | Pmodule.ModuleNotFound _) ->
          let written = String.concat "." (path @ [ theory.id_str ]) in
          let position = Loc.join (List.hd library).id_loc theory.id_loc in
          let known =
            [ "int.Int"; "real.Real"; "real.RealInfix"; "caisar_ext.types.Vector"; "caisar_ext.model.Model";
              "caisar_ext.dataset.Dataset"; "caisar_ext.hierarchy.Hierarchy"; "caisar_ext.safety.AbstractSafety" ]
          in
          Diag.error ~loc:(location ~defines position) ?hint:(Diag.did_you_mean written known) "no theory %s" written)
    | _ -> ()
  in
  let declaration (d : Ptree.decl) =
    match d with
    | Duseexport q -> check q
    | Duseimport (_, _, l) -> List.iter (fun (q, _) -> check q) l
    | _ -> ()
  in
  List.iter declaration (declarations file)

(* {1 --define} *)

let parse_define (name, text) =
  let buffer = Lexing.from_string text in
  Loc.set_file (define_file name) buffer;
  Lexer.parse_term buffer

(* The term replaces the body of "constant NAME : TYPE" before typing, so that it is type-checked in its place. *)
let apply_defines defines file =
  let constants = ref [] in
  let logic (ld : Ptree.logic_decl) =
    let name = ld.ld_ident.id_str in
    if ld.ld_params = [] && ld.ld_type <> None then constants := name :: !constants;
    match List.find_opt (fun (n, _) -> n = name) defines with
    | Some define when ld.ld_params = [] && ld.ld_type <> None -> { ld with ld_def = Some (parse_define define) }
    | _ -> ld
  in
  let declaration = function Ptree.Dlogic l -> Ptree.Dlogic (List.map logic l) | d -> d in
  let file =
    match (file : Ptree.mlw_file) with
    | Modules modules -> Ptree.Modules (List.map (fun (i, ds) -> (i, List.map declaration ds)) modules)
    | Decls ds -> Decls (List.map declaration ds)
  in
  List.iter
    (fun (name, _) ->
       if not (List.mem name !constants) then
         Diag.error ?hint:(Diag.did_you_mean name !constants) "--define %s: the specification has no such constant" name)
    defines;
  file

(* {1 From Why3's terms to ours} *)

type context = {
  known : Decl.known_map;
  meanings : builtin Term.Mls.t;
  defined : definition Term.Hls.t;
  place : Loc.position -> Diag.location;
}

let sort_of (ty : Ty.ty) =
  match ty.ty_node with
  | Tyapp (ts, []) when Ty.ts_equal ts Ty.ts_int -> Int
  | Tyapp ({ ts_name = { id_string = "vector"; _ }; _ }, [ { ty_node = Tyapp (real, []); _ } ])
    when Ty.ts_equal real Ty.ts_real ->
    Input
  | _ -> Other (Format.asprintf "@[<h>%a@]" Pretty.print_ty ty)

let rational (r : Number.real_value) =
  let z b = Z.of_string (BigInt.to_string b) in
  let power base exponent =
    let e = Z.to_int (z exponent) in
    let p = Q.of_bigint (Z.pow (Z.of_int base) (abs e)) in
    if e >= 0 then p else Q.inv p
  in
  Q.mul (Q.of_bigint (z r.rv_sig)) (Q.mul (power 2 r.rv_pow2) (power 5 r.rv_pow5))

let variable (v : Term.vsymbol) = { name = v.vs_name.id_string; id = Ident.id_hash v.vs_name }
let connective = function Term.Tand -> And | Tor -> Or | Timplies -> Implies | Tiff -> Iff

let rec translate context ~outer (t : Term.term) =
  let loc = match t.t_loc with Some position -> lazy (Some (context.place position)) | None -> outer in
  let sub = translate context ~outer:loc in
  let node =
    match t.t_node with
    | Tvar v -> Var (variable v)
    | Tconst (ConstInt c) -> Integer (Z.of_string (BigInt.to_string c.il_int))
    | Tconst (ConstReal c) -> Rational (rational c.rl_real)
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
  let name = ls.ls_name.id_string in
  if Term.ls_equal ls Term.ps_equ then Builtin (Equal, args)
  else
    match Term.Mls.find_opt ls context.meanings with
    | Some b -> Builtin (b, args)
    | None -> (
        match Term.Hls.find_opt context.defined ls with
        | Some d -> Call (d, args)
        | None -> (
            match Decl.find_logic_definition context.known ls with
            | Some definition ->
              let d = define context ls definition in
              Term.Hls.add context.defined ls d;
              Call (d, args)
            | None ->
              let hint =
                if args = [] then Printf.sprintf "give it a value with --define %s:VALUE, or in the specification" name
                else "define it in the specification; only symbols of our theories may stay without a definition"
              in
              Diag.error ?loc:(Lazy.force loc) ~hint "%s is declared but not defined" name))

and define context ls definition =
  let opened =
    lazy
      (let vs, body = Decl.open_ls_defn definition in
       (List.map variable vs, translate context ~outer:(lazy None) body))
  in
  { symbol = ls.ls_name.id_string;
    id = Ident.id_hash ls.ls_name;
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
  Theory.Stdecl.fold add (Task.find_meta_tds task meta_builtin).Task.tds_set Term.Mls.empty

let domain_attribute ~loc attributes =
  let prefix = "caisar_ext:" in
  let one (a : Ident.attribute) found =
    match String.split_on_char ' ' a.attr_string with
    | "caisar_ext:domain" :: words when List.filter (( <> ) "") words <> [] -> Some (String.concat "" words)
    | word :: _ when String.length word > String.length prefix && String.sub word 0 (String.length prefix) = prefix ->
      Diag.error ?loc ~hint:"known here: [@caisar_ext:domain NAME]" "unknown attribute %s" a.attr_string
    | _ -> found
  in
  Ident.Sattr.fold one attributes None

let goals_of_theory ~place defined (theory : Theory.theory) =
  let goal task =
    let pr = Task.task_goal task in
    let context = { known = Task.task_known task; meanings = meanings task; defined; place } in
    let loc = Option.map place pr.pr_name.id_loc in
    { theory = theory.th_name.id_string;
      name = pr.pr_name.id_string;
      domain = domain_attribute ~loc pr.pr_name.id_attrs;
      formula = translate context ~outer:(lazy loc) (Task.task_goal_fmla task);
      loc }
  in
  (* [split_theory] gives source order. *)
  List.map goal (Task.split_theory theory None None)

(* {1 Loading} *)

(* Why3's own words for an error, on one line. *)
let message exn =
  match exn with
  | Parser.Error -> "syntax error"
  | exn ->
    let text = Format.asprintf "@[<h>%a@]" Exn_printer.exn_printer exn in
    String.concat " " (List.filter (( <> ) "") (String.split_on_char '\n' text))

let in_source_order (a : Theory.theory) (b : Theory.theory) =
  match (a.th_name.id_loc, b.th_name.id_loc) with Some x, Some y -> Loc.compare x y | _ -> 0

let parse_and_type ~defines file =
  let ic = try open_in_bin file with Sys_error _ -> Diag.error "no specification %s" file in
  Fun.protect ~finally:(fun () -> close_in ic) @@ fun () ->
  let buffer = Lexing.from_channel ic in
  Loc.set_file file buffer;
  let tree = apply_defines defines (Lexer.parse_mlw_file buffer) in
  check_profile ~defines tree;
  let env = Env.create_env [ Lazy.force theories_folder ] in
  check_uses ~defines env tree;
  let modules = Typing.type_mlw_file env [] file tree in
  let theories = List.map (fun (m : Pmodule.pmodule) -> m.mod_theory) (Wstdlib.Mstr.values modules) in
  List.stable_sort in_source_order theories

let full_name g = g.theory ^ "." ^ g.name

let select selection goals =
  let check option known wanted =
    if not (List.exists (fun names -> List.mem wanted names) known) then
      Diag.error ?hint:(Diag.did_you_mean wanted (List.concat known)) "%s %s: the specification has none" option wanted
  in
  List.iter (check "--theory" (List.map (fun g -> [ g.theory ]) goals)) selection.theories;
  List.iter (check "--goal" (List.map (fun g -> [ g.name; full_name g ]) goals)) selection.goals;
  let keep g =
    (selection.theories = [] || List.mem g.theory selection.theories)
    && (selection.goals = [] || List.mem g.name selection.goals || List.mem (full_name g) selection.goals)
  in
  List.filter keep goals

let load file selection =
  let defines = selection.defines in
  let place = location ~defines in
  Warning.set_hook (fun ?loc text -> Diag.warn ?loc:(Option.map place loc) "%s" text);
  match
    let theories = parse_and_type ~defines file in
    let defined = Term.Hls.create 64 in
    List.concat_map (goals_of_theory ~place defined) theories
  with
  | [] -> Diag.error ~hint:"add: goal NAME: FORMULA" "%s has no goal" file
  | goals -> select selection goals
  | exception Loc.Located (position, exn) -> Diag.error ~loc:(place position) "%s" (message exn)
  | exception (Sys_error text) -> Diag.error "%s" text
