open Why3

(* Must exist before any file is read. *)
let meta_builtin =
  Theory.register_meta ~desc:"interpreted@ by@ the@ orchestrator" "caisar_ext:builtin" Theory.[ MTlsymbol; MTstring ]

let read_text file =
  let ic = try open_in_bin file with Sys_error _ -> Diag.error "no specification %s" file in
  Fun.protect ~finally:(fun () -> close_in ic) (fun () -> really_input_string ic (in_channel_length ic))

(* {1 Our theories} *)

let library =
  [ ([ "int" ], "Int"); ([ "real" ], "Real"); ([ "real" ], "RealInfix"); ([ "caisar_ext"; "types" ], "Vector");
    ([ "caisar_ext"; "model" ], "Model"); ([ "caisar_ext"; "dataset" ], "Dataset");
    ([ "caisar_ext"; "hierarchy" ], "Hierarchy"); ([ "caisar_ext"; "safety" ], "AbstractSafety") ]

let full_name (path, theory) = String.concat "." (path @ [ theory ])

let shipped position =
  let file, _, _, _ = Loc.get position in
  String.starts_with ~prefix:(Lazy.force Theory_files.folder) file

(* {1 Locations} *)

(* A [--define] argument is parsed under this file name; its text serves the excerpt. *)
let define_file name = "--define " ^ name

let location ~defines position =
  let source file =
    List.find_map (fun (name, text) -> if file = define_file name then Some text else None) defines
  in
  let file, (line, first), (end_line, last) =
    match Loc.get_multiline position with
    | span -> span
    | exception (Failure _ | Sys_error _) ->
      (* text in memory, which Why3 cannot read again *)
      let file, line, first, last = Loc.get position in
      (file, (line, first), (line, last))
  in
  let on line = Diag.of_bytes ?source:(source file) ~file ~line in
  if line = end_line then on line ~first ~last ()
  else
    let last = on end_line ~first:(max 0 (last - 1)) ~last () in
    { (on line ~first ~last:(first + 1) ()) with end_line; end_column = last.end_column }

(* {1 The parse tree, as far as it is in the profile} *)

let hint_profile = "a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md"
let hint_term = "only first-order terms: no match, no function literal"

let declarations (file : Ptree.mlw_file) =
  match file with Modules modules -> List.concat_map snd modules | Decls ds -> ds

(* What is outside of the profile, and where. *)
exception Stranger of Loc.position * string

let atom text = Sexplib.Sexp.Atom text
let list items = Sexplib.Sexp.List items
let form name items = list (atom name :: items)

(* v[i] is in the profile, v[i <- x] and v[i..j] are not. *)
let sexp_of_symbol (name : Ptree.ident) =
  match Ident.sn_decode name.id_str with
  | SNget "" | SNword _ | SNinfix _ | SNprefix _ | SNtight _ -> atom name.id_str
  | _ -> raise (Stranger (name.id_loc, "this operator"))

let sexp_of_name ?(quote = "") (name : Ptree.ident) =
  let attribute = function
    | Ptree.ATstr a when not (Ident.attr_equal a Pmodule.ref_attr) -> atom a.Ident.attr_string
    | ATstr _ | ATpos _ -> raise (Stranger (name.id_loc, "a reference or a position"))
  in
  let (_ : Sexplib.Sexp.t) = sexp_of_symbol name in
  match name.id_ats with
  | [] -> atom (quote ^ name.id_str)
  | attributes -> form (quote ^ name.id_str) (List.map attribute attributes)

let rec words : Ptree.qualid -> string list = function
  | Qident i -> [ i.id_str ]
  | Qdot (q, i) -> words q @ [ i.id_str ]

let sexp_of_path path =
  let (Ptree.Qident last | Qdot (_, last)) = path in
  let (_ : Sexplib.Sexp.t) = sexp_of_symbol last in
  atom (String.concat "." (words path))

(* Types have no positions of their own. *)
let rec sexp_of_type ~at : Ptree.pty -> Sexplib.Sexp.t = function
  | PTtyvar name -> sexp_of_name ~quote:"'" name
  | PTtyapp (path, []) -> sexp_of_path path
  | PTtyapp (path, arguments) -> list (sexp_of_path path :: List.map (sexp_of_type ~at) arguments)
  | PTparen ty -> sexp_of_type ~at ty
  | PTarrow _ | PTtuple _ | PTref _ | PTscope _ | PTpure _ -> raise (Stranger (at, "this type"))

let sexp_of_constant : Constant.constant -> Sexplib.Sexp.t = function
  | ConstInt { il_int; _ } -> form "int" [ atom (BigInt.to_string il_int) ]
  | ConstReal { rl_real = r; _ } ->
    form "real" (List.map (fun n -> atom (BigInt.to_string n)) [ r.rv_sig; r.rv_pow2; r.rv_pow5 ])
  | ConstStr text -> form "string" [ atom text ]

let sexp_of_binder ((at, name, ghost, ty) : Ptree.binder) =
  match name with
  | Some name when not ghost ->
    Option.fold ty ~none:(sexp_of_name name) ~some:(fun ty -> form "typed" [ sexp_of_name name; sexp_of_type ~at ty ])
  | _ -> raise (Stranger (at, "a variable without a name"))

let connective ~at : Dterm.dbinop -> string = function
  | DTand -> "and" | DTand_asym -> "and_then" | DTor -> "or" | DTor_asym -> "or_else"
  | DTimplies -> "implies" | DTiff -> "iff"
  | DTby | DTso -> raise (Stranger (at, "this term"))

let rec sexp_of_term ({ term_desc; term_loc = at } : Ptree.term) =
  let sub = sexp_of_term in
  match term_desc with
  | Ttrue -> atom "true"
  | Tfalse -> atom "false"
  | Tconst c -> sexp_of_constant c
  | Tident path -> sexp_of_path path
  | Tidapp (Qident operator, arguments) when String.contains operator.id_str ' ' ->
    form "operator" (sexp_of_symbol operator :: List.map sub arguments)
  | Tapply (f, argument) -> form "apply" [ sub f; sub argument ]
  | Tinfix (l, o, r) -> form "compare" [ atom o.id_str; sub l; sub r ]
  | Tinnfix (l, o, r) -> form "closed" [ form "compare" [ atom o.id_str; sub l; sub r ] ]
  | Tbinop (l, o, r) -> form (connective ~at o) [ sub l; sub r ]
  | Tbinnop (l, o, r) -> form "closed" [ form (connective ~at o) [ sub l; sub r ] ]
  | Tnot t -> form "not" [ sub t ]
  | Tif (c, a, b) -> form "if" [ sub c; sub a; sub b ]
  | Tlet (name, e, body) -> form "let" [ sexp_of_name name; sub e; sub body ]
  | Tquant (((DTforall | DTexists) as quantifier), binders, [], body) ->
    let quantifier = if quantifier = DTforall then "forall" else "exists" in
    form quantifier [ list (List.map sexp_of_binder binders); sub body ]
  | Tattr (ATstr a, t) -> form "attribute" [ atom a.attr_string; sub t ]
  | Tcast (t, ty) -> form "typed" [ sub t; sexp_of_type ~at ty ]
  | Tattr (ATpos _, _) | Tquant _ | Tasref _ | Tidapp _ | Tcase _ | Ttuple _ | Trecord _ | Tupdate _ | Tscope _ | Tat _ ->
    raise (Stranger (at, "this term"))

let sexp_of_parameter ((at, name, ghost, ty) : Ptree.param) = sexp_of_binder (at, name, ghost, Some ty)

let sexp_of_logic (d : Ptree.logic_decl) =
  let head, ty =
    match d.ld_type with
    | Some ty -> ("function", [ sexp_of_type ~at:d.ld_loc ty ])
    | None -> ("predicate", [])
  in
  let definition = List.map sexp_of_term (Option.to_list d.ld_def) in
  form head ((sexp_of_name d.ld_ident :: list (List.map sexp_of_parameter d.ld_params) :: ty) @ definition)

let sexp_of_alias (d : Ptree.type_decl) =
  let definition =
    match (d.td_def, d.td_vis, d.td_inv) with
    | TDalias ty, Public, [] when not d.td_mut -> [ sexp_of_type ~at:d.td_loc ty ]
    | TDrecord [], Abstract, [] when not d.td_mut -> []
    | _ -> raise (Stranger (d.td_loc, "a type other than an abstract one or an alias"))
  in
  form "type" (sexp_of_name d.td_ident :: list (List.map (sexp_of_name ~quote:"'") d.td_params) :: definition)

let sexp_of_use how uses =
  let one (path, name) =
    match name with None -> sexp_of_path path | Some name -> form "as" [ sexp_of_path path; sexp_of_name name ]
  in
  form "use" (atom how :: List.map one uses)

let sexp_of_declaration (d : Ptree.decl) =
  let stranger at what = raise (Stranger (at, what)) in
  match d with
  | Dlogic [ d ] -> sexp_of_logic d
  | Dlogic (_ :: second :: _) -> stranger second.ld_loc "a mutual definition"
  | Dtype [ d ] -> sexp_of_alias d
  | Dtype (_ :: second :: _) -> stranger second.td_loc "a mutual definition"
  | Duseexport path -> sexp_of_use "export" [ (path, None) ]
  | Duseimport (_, import, uses) -> sexp_of_use (if import then "import" else "plain") uses
  | Dprop (Pgoal, name, t) -> form "goal" [ sexp_of_name name; sexp_of_term t ]
  | Dprop (Paxiom, name, _) -> stranger name.id_loc "an axiom"
  | Dprop (_, name, _) -> stranger name.id_loc "a lemma"
  | Dind (_, { in_loc; _ } :: _) -> stranger in_loc "an inductive predicate"
  | Dlet (name, _, _, _) | Drec ((name, _, _, _, _, _, _, _, _) :: _) -> stranger name.id_loc "a program"
  | Dexn (name, _, _) -> stranger name.id_loc "an exception"
  | Dmeta (name, _) -> stranger name.id_loc "a meta"
  | Dcloneexport (at, _, _) | Dcloneimport (at, _, _, _, _) -> stranger at "clone"
  | Dscope (at, _, _, _) -> stranger at "a scope"
  | Dimport (Qident name | Qdot (_, name)) -> stranger name.id_loc "import"
  | Dlogic [] | Dtype [] | Dind (_, []) | Drec [] -> list []

let position_of : Ptree.decl -> Loc.position option = function
  | Dlogic ({ ld_loc; _ } :: _) -> Some ld_loc
  | Dtype ({ td_loc; _ } :: _) -> Some td_loc
  | Dprop (_, { id_loc; _ }, _) -> Some id_loc
  | Duseimport (position, _, _) -> Some position
  | _ -> None

(* Every declaration is read, so that every stranger is told. *)
let tree_of ~defines (file : Ptree.mlw_file) =
  let strangers = ref [] in
  let stranger position what =
    let hint = if what = "this term" then hint_term else hint_profile in
    strangers := Diag.make ~loc:(location ~defines position) ~hint (what ^ " is outside the profile") :: !strangers
  in
  let declaration d = try sexp_of_declaration d with Stranger (at, what) -> stranger at what; list [] in
  let theory (name, declarations) = form "theory" (sexp_of_name name :: List.map declaration declarations) in
  match file with
  | Decls (first :: _) ->
    Diag.error ?loc:(Option.map (location ~defines) (position_of first)) ~hint:"write: theory NAME ... end"
      "declarations stand in a theory"
  | Decls [] -> list []
  | Modules theories ->
    let tree = list (List.map theory theories) in
    if !strangers = [] then tree else raise (Diag.Error (List.rev !strangers))

(* Why3 reports a missing library without a location: look each one up first. *)
let check_uses ~defines env file =
  let rec flat = function Ptree.Qident i -> [ i ] | Qdot (q, i) -> flat q @ [ i ] in
  let unknown written position known =
    Diag.error ~loc:(location ~defines position) ?hint:(Diag.did_you_mean written known) "no theory %s" written
  in
  let own =
    match (file : Ptree.mlw_file) with
    | Modules l -> List.map (fun ((i : Ptree.ident), _) -> i.id_str) l
    | Decls _ -> []
  in
  let check qualified =
    match List.rev (flat qualified) with
    | [ theory ] -> if not (List.mem theory.id_str own) then unknown theory.id_str theory.id_loc own
    | theory :: path -> (
        let path = List.rev path in
        let words = List.map (fun i -> i.Ptree.id_str) path in
        match Pmodule.read_module env words theory.id_str with
        | (_ : Pmodule.pmodule) -> ()
        | exception (Env.LibraryNotFound _ | Env.TheoryNotFound _ | Pmodule.ModuleNotFound _) ->
          unknown (full_name (words, theory.id_str)) (Loc.join (List.hd path).id_loc theory.id_loc)
            (List.map full_name library))
    | [] -> ()
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

let is_constant (ld : Ptree.logic_decl) = ld.ld_params = [] && ld.ld_type <> None

let check_defines defines file =
  let of_declaration = function Ptree.Dlogic l -> List.filter is_constant l | _ -> [] in
  let constants =
    List.map (fun (ld : Ptree.logic_decl) -> ld.ld_ident.id_str) (List.concat_map of_declaration (declarations file))
  in
  let mistake (name, _) =
    if List.mem name constants then None
    else
      Some (Diag.make ?hint:(Diag.did_you_mean name constants)
              (Printf.sprintf "--define %s: the specification has no such constant" name))
  in
  let twice (name, _) = List.length (List.filter (fun (n, _) -> n = name) defines) > 1 in
  Option.iter (fun (name, _) -> Diag.error "--define %s is given twice" name) (List.find_opt twice defines);
  match List.filter_map mistake defines with [] -> () | mistakes -> raise (Diag.Error mistakes)

(* The term replaces the body of "constant NAME : TYPE" before typing, so that it is type-checked in its place. *)
let apply_defines defines file =
  check_defines defines file;
  let logic (ld : Ptree.logic_decl) =
    match List.find_opt (fun (name, _) -> name = ld.ld_ident.id_str) defines with
    | Some define when is_constant ld -> { ld with ld_def = Some (parse_define define) }
    | _ -> ld
  in
  let declaration = function Ptree.Dlogic l -> Ptree.Dlogic (List.map logic l) | d -> d in
  match (file : Ptree.mlw_file) with
  | Modules modules -> Ptree.Modules (List.map (fun (i, ds) -> (i, List.map declaration ds)) modules)
  | Decls ds -> Decls (List.map declaration ds)

(* {1 Messages} *)

(* Names that a theory offers, as a specification writes them: "infix @@" is (@@). *)
let offered env (path, theory) =
  let written name =
    match String.index_opt name ' ' with
    | Some i -> "(" ^ String.sub name (i + 1) (String.length name - i - 1) ^ ")"
    | None -> name
  in
  let export = (Pmodule.read_module env path theory).mod_theory.th_export in
  List.map written (Wstdlib.Mstr.keys export.ns_ls @ Wstdlib.Mstr.keys export.ns_ts)

let declared file =
  let of_declaration = function
    | Ptree.Dlogic l -> List.map (fun (ld : Ptree.logic_decl) -> ld.ld_ident.id_str) l
    | Dtype l -> List.map (fun (td : Ptree.type_decl) -> td.td_ident.id_str) l
    | _ -> []
  in
  List.concat_map of_declaration (declarations file)

(* Why3 keeps its exception for an unbound symbol to itself: the name is in the message, between quotes. *)
let hint_unbound env file text =
  match String.split_on_char '\'' text with
  | before :: name :: _ when String.starts_with ~prefix:"unbound" before -> (
      match List.find_opt (fun theory -> List.mem name (offered env theory)) library with
      | Some theory -> Some (Printf.sprintf "it is in %s: use %s" (full_name theory) (full_name theory))
      | None ->
        let near = Diag.nearest name (declared file @ List.concat_map (offered env) library) in
        Option.map (Printf.sprintf "did you mean \"%s\"?") near)
  | _ -> None

(* What is written at a position, as far as its first line goes. *)
let text_at ~defines position =
  let file, line, first, last = Loc.get position in
  let in_line text =
    match List.nth_opt (String.split_on_char '\n' text) (line - 1) with
    | Some l when first <= String.length l -> Some (String.sub l first (min last (String.length l) - first))
    | _ -> None
  in
  match List.find_opt (fun (name, _) -> define_file name = file) defines with
  | Some (_, text) -> in_line text
  | None -> in_line (read_text file)

(* Keywords with a use in the profile say little about why the parser stopped at them. *)
let own_keywords =
  [ "theory"; "end"; "use"; "type"; "constant"; "function"; "predicate"; "goal"; "let"; "in"; "if"; "then"; "else";
    "forall"; "exists"; "not"; "true"; "false" ]

let hint_syntax ~defines position =
  match Option.bind position (text_at ~defines) with
  | Some word when List.mem word Keywords.keywords && not (List.mem word own_keywords) ->
    Printf.sprintf "%s is a keyword of WhyML, it cannot be a name" word
  | _ -> "the text makes no sense from here on: what is missing or wrong stands just before"

(* Why3's own words for an error, on one line; [None] for what it does not know. *)
let message exn =
  match exn with
  | Decl.NoTerminationProof ls ->
    Some (Printf.sprintf "%s calls itself: recursion is outside the profile" ls.ls_name.id_string)
  | exn -> (
      let text = Format.asprintf "@[<h>%a@]" Exn_printer.exn_printer exn in
      match String.concat " " (List.filter (( <> ) "") (String.split_on_char '\n' text)) with
      | "trying to open a module inside another module" -> Some "declarations both inside and outside of a theory"
      | text -> if String.starts_with ~prefix:"anomaly" text then None else Some text)

let position exn =
  match exn with
  | Loc.Located (position, exn) -> (Some position, exn)
  | Decl.NoTerminationProof ls -> (ls.ls_name.id_loc, exn)
  | exn -> (None, exn)

let hint ~defines env file position text =
  if text = "syntax error" then Some (hint_syntax ~defines position)
  else Option.bind file (fun file -> hint_unbound env file text)

(* {1 Reading} *)

let parse file =
  let buffer = Lexing.from_string (read_text file) in
  Loc.set_file file buffer;
  (* Where parameters make no sense, its actions raise the parser's own exception, which has no words and at times no
     place. *)
  try Lexer.parse_mlw_file buffer with
  | (Stack_overflow | Out_of_memory) as exn -> raise exn
  | Loc.Located (at, cause) when message cause = None -> Loc.errorm ~loc:at "syntax error"
  | Loc.Located _ as exn -> raise exn
  | _ -> Loc.errorm ~loc:(Loc.extract (buffer.lex_start_p, buffer.lex_curr_p)) "syntax error"

let in_source_order (a : Theory.theory) (b : Theory.theory) =
  match (a.th_name.id_loc, b.th_name.id_loc) with Some x, Some y -> Loc.compare x y | _ -> 0

let check_is_file file =
  if Sys.file_exists file && Sys.is_directory file then Diag.error "%s is a folder, not a specification" file

let show_warnings ~defines =
  Warning.set_hook (fun ?loc text -> Diag.warn ?loc:(Option.map (location ~defines) loc) "%s" text)

(* Why3's exceptions become messages. *)
let with_messages ~hint ~defines f =
  try f () with
  | Diag.Error _ as mistakes -> raise mistakes
  | Sys_error text -> Diag.error "%s" text
  | exn -> (
      let place, cause = position exn in
      match message cause with
      | Some text ->
        Diag.error ?loc:(Option.map (location ~defines) place) ?hint:(hint place text) "%s" text
      | None -> raise exn)

let tree file =
  check_is_file file;
  let defines = [] in
  show_warnings ~defines;
  with_messages ~defines ~hint:(fun place text -> if text = "syntax error" then Some (hint_syntax ~defines place) else None) (fun () ->
      tree_of ~defines (parse file))

let theories ~defines file =
  check_is_file file;
  show_warnings ~defines;
  let env = Env.create_env [ Lazy.force Theory_files.folder ] in
  let parsed = ref None in
  let hint place text = hint ~defines env !parsed place text in
  with_messages ~defines ~hint (fun () ->
      let file_tree = apply_defines defines (parse file) in
      parsed := Some file_tree;
      let (_ : Sexplib.Sexp.t) = tree_of ~defines file_tree in
      check_uses ~defines env file_tree;
      let modules = Typing.type_mlw_file env [] file file_tree in
      List.stable_sort in_source_order
        (List.map (fun (m : Pmodule.pmodule) -> m.mod_theory) (Wstdlib.Mstr.values modules)))
