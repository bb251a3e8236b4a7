open Why3

(* Must exist before any file is read. *)
let meta_builtin =
  Theory.register_meta ~desc:"interpreted@ by@ the@ orchestrator" "caisar_ext:builtin" Theory.[ MTlsymbol; MTstring ]

let read_text file =
  let ic = try open_in_bin file with Sys_error _ -> Diag.error "no specification %s" file in
  Fun.protect ~finally:(fun () -> close_in ic) (fun () -> really_input_string ic (in_channel_length ic))

(* {1 Our theories} *)

(* Why3 reads theories from folders only: write them out, once a process. *)
let theories_folder =
  lazy
    (let root =
       try Filename.temp_file "caisar-ext" ".theories"
       with Sys_error text -> Diag.error ~hint:"set TMPDIR" "no temporary folder: %s" text
     in
     Sys.remove root;
     let written = ref [] in
     let folder path =
       if not (Sys.file_exists path) then begin
         Unix.mkdir path 0o700;
         written := path :: !written
       end
     in
     let theory (path, text) =
       let path = Filename.concat root path in
       folder (Filename.dirname path);
       let oc = open_out_bin path in
       output_string oc text;
       close_out oc;
       written := path :: !written
     in
     let remove path =
       try if Sys.is_directory path then Unix.rmdir path else Sys.remove path
       with Sys_error _ | Unix.Unix_error _ -> ()
     in
     at_exit (fun () -> List.iter remove !written);
     folder root;
     List.iter theory Theories.files;
     root)

let library =
  [ ([ "int" ], "Int"); ([ "real" ], "Real"); ([ "real" ], "RealInfix"); ([ "caisar_ext"; "types" ], "Vector");
    ([ "caisar_ext"; "model" ], "Model"); ([ "caisar_ext"; "dataset" ], "Dataset");
    ([ "caisar_ext"; "hierarchy" ], "Hierarchy"); ([ "caisar_ext"; "safety" ], "AbstractSafety") ]

let full_name (path, theory) = String.concat "." (path @ [ theory ])

let shipped position =
  let file, _, _, _ = Loc.get position in
  String.starts_with ~prefix:(Lazy.force theories_folder) file

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

(* {1 The profile, on the parse tree} *)

let hint_profile = "a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md"

let declarations (file : Ptree.mlw_file) =
  match file with Modules modules -> List.concat_map snd modules | Decls ds -> ds

(* What is outside of the profile in a declaration, and where. *)
let stranger (d : Ptree.decl) =
  match d with
  | Dlogic _ | Duseexport _ | Duseimport _ | Dprop (Decl.Pgoal, _, _) -> None
  | Dtype types ->
    let structured (t : Ptree.type_decl) = match t.td_def with TDalias _ | TDrecord [] -> false | _ -> true in
    Option.map
      (fun (t : Ptree.type_decl) -> (t.td_loc, "a type other than an abstract one or an alias"))
      (List.find_opt structured types)
  | Dprop (Decl.Paxiom, name, _) -> Some (name.id_loc, "an axiom")
  | Dprop (_, name, _) -> Some (name.id_loc, "a lemma")
  | Dind (_, { in_loc; _ } :: _) -> Some (in_loc, "an inductive predicate")
  | Dlet (name, _, _, _) | Drec ((name, _, _, _, _, _, _, _, _) :: _) -> Some (name.id_loc, "a program")
  | Dexn (name, _, _) -> Some (name.id_loc, "an exception")
  | Dmeta (name, _) -> Some (name.id_loc, "a meta")
  | Dcloneexport (position, _, _) | Dcloneimport (position, _, _, _, _) -> Some (position, "clone")
  | Dscope (position, _, _, _) -> Some (position, "a scope")
  | Dimport (Qident name | Qdot (_, name)) -> Some (name.id_loc, "import")
  | Dind (_, []) | Drec [] -> None

let position_of : Ptree.decl -> Loc.position option = function
  | Dlogic ({ ld_loc; _ } :: _) -> Some ld_loc
  | Dtype ({ td_loc; _ } :: _) -> Some td_loc
  | Dprop (_, { id_loc; _ }, _) -> Some id_loc
  | Duseimport (position, _, _) -> Some position
  | _ -> None

let check_profile ~defines (file : Ptree.mlw_file) =
  (match file with
   | Modules _ | Decls [] -> ()
   | Decls (first :: _) ->
     Diag.error ?loc:(Option.map (location ~defines) (position_of first)) ~hint:"write: theory NAME ... end"
       "declarations stand in a theory");
  let refused (position, what) =
    Diag.make ~loc:(location ~defines position) ~hint:hint_profile (what ^ " is outside the profile")
  in
  match List.filter_map stranger (declarations file) with
  | [] -> ()
  | strangers -> raise (Diag.Error (List.map refused strangers))

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
  Lexer.parse_mlw_file buffer

let in_source_order (a : Theory.theory) (b : Theory.theory) =
  match (a.th_name.id_loc, b.th_name.id_loc) with Some x, Some y -> Loc.compare x y | _ -> 0

let theories ~defines file =
  if Sys.file_exists file && Sys.is_directory file then Diag.error "%s is a folder, not a specification" file;
  Warning.set_hook (fun ?loc text -> Diag.warn ?loc:(Option.map (location ~defines) loc) "%s" text);
  let env = Env.create_env [ Lazy.force theories_folder ] in
  let tree = ref None in
  try
    let parsed = apply_defines defines (parse file) in
    tree := Some parsed;
    check_profile ~defines parsed;
    check_uses ~defines env parsed;
    let modules = Typing.type_mlw_file env [] file parsed in
    List.stable_sort in_source_order
      (List.map (fun (m : Pmodule.pmodule) -> m.mod_theory) (Wstdlib.Mstr.values modules))
  with
  | Diag.Error _ as mistakes -> raise mistakes
  | Sys_error text -> Diag.error "%s" text
  | exn -> (
      let place, cause = position exn in
      match message cause with
      | Some text ->
        Diag.error ?loc:(Option.map (location ~defines) place) ?hint:(hint ~defines env !tree place text) "%s" text
      | None -> raise exn)
