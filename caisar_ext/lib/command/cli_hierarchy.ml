open Cmdliner

(* {1 What a file holds} *)

type contents = (Hierarchy.t, Diag.t list) result

let read file : contents =
  match Hierarchy_reader.read_file file with t -> Ok t | exception Diag.Error mistakes -> Error mistakes

let rec groups t node =
  match Hierarchy.kind t node with
  | Class _ | Overlay -> []
  | Group -> node :: List.concat_map (groups t) (Hierarchy.children t node)

(* The root is not counted: a reader counts the lines that say "group". *)
let counts t =
  [ ("class", "classes", Hierarchy.class_count t);
    ("group", "groups", List.length (groups t (Hierarchy.root t)) - 1);
    ("overlay", "overlays", List.length (Hierarchy.overlays t));
    ("cut", "cuts", List.length (Hierarchy.cuts t));
    ("never pair", "never pairs", List.length (Hierarchy.never t)) ]

(* {1 Text} *)

let heading = Fmt.styled `Bold Fmt.string
let faint pp = Fmt.styled `Faint pp

let pp_summary ppf t =
  let pp_count ppf (one, many, n) = Fmt.pf ppf "%d %s" n (if n = 1 then one else many) in
  Fmt.pf ppf "%a, depth %d" (Fmt.list ~sep:(Fmt.any ", ") pp_count) (counts t) (Hierarchy.depth t)

let pp_name = Fmt.of_to_string Hierarchy_reader.spelling

let pp_node t ppf node = pp_name ppf (Hierarchy.node_name t node)

(* [margin] is what stands to the left of the lines below this one. *)
let rec pp_tree t margin ppf node =
  (match Hierarchy.kind t node with
   | Class c -> Fmt.pf ppf "%a %a" (pp_node t) node (faint Fmt.string) (Printf.sprintf "= %d" c)
   | Group | Overlay -> Fmt.styled `Bold (pp_node t) ppf node);
  let rec below = function
    | [] -> ()
    | [ last ] -> branch "└── " "    " last
    | node :: others ->
      branch "├── " "│   " node;
      below others
  and branch stem next node =
    Fmt.pf ppf "@\n%a%a" (faint Fmt.string) (margin ^ stem) (pp_tree t (margin ^ next)) node
  in
  below (Hierarchy.children t node)

let pp_set pp ppf items = Fmt.pf ppf "{ %a }" (Fmt.list ~sep:(Fmt.any ", ") pp) items

let pp_class t ppf c = pp_name ppf (Hierarchy.class_name t c)

let pp_hierarchy ppf t =
  let overlay ppf node =
    let classes = Hierarchy.(Classes.elements (extension t node)) in
    Fmt.pf ppf "@\n%a %a = %a" heading "overlay" (pp_node t) node (pp_set (pp_class t)) classes
  in
  let cut ppf (name, blocks) = Fmt.pf ppf "@\n%a %a = %a" heading "cut" pp_name name (pp_set (pp_node t)) blocks in
  let never ppf (reference, answer) =
    Fmt.pf ppf "@\n%a %a -> %a" heading "never" (pp_node t) reference (pp_node t) answer
  in
  let each pp ppf items = List.iter (pp ppf) items in
  Fmt.pf ppf "%a%a%a%a@\n%a@." (pp_tree t "") (Hierarchy.root t) (each overlay) (Hierarchy.overlays t) (each cut)
    (Hierarchy.cuts t) (each never) (Hierarchy.never t) (faint pp_summary) t

(* {1 JSON} *)

let json_of_diag (d : Diag.t) : Yojson.Safe.t =
  let place (l : Diag.location) =
    [ ("line", `Int l.line); ("column", `Int l.column); ("end_line", `Int l.end_line);
      ("end_column", `Int l.end_column) ]
  in
  let hint = Option.fold ~none:`Null ~some:(fun h -> `String h) d.hint in
  `Assoc (Option.fold ~none:[] ~some:place d.location @ [ ("message", `String d.message); ("hint", hint) ])

let json_of_contents file details (contents : contents) : Yojson.Safe.t =
  let fields =
    match contents with
    | Ok t -> [ ("ok", `Bool true); ("mistakes", `List []) ] @ details t
    | Error mistakes -> [ ("ok", `Bool false); ("mistakes", `List (List.map json_of_diag mistakes)) ]
  in
  `Assoc (("file", `String file) :: fields)

let summary t =
  List.map (fun (_, many, n) -> (String.map (fun c -> if c = ' ' then '_' else c) many, `Int n)) (counts t)
  @ [ ("depth", `Int (Hierarchy.depth t)) ]

let details t =
  let node v = `String (Hierarchy.node_name t v) in
  let classes v = `List (List.map (fun c -> `Int c) Hierarchy.(Classes.elements (extension t v))) in
  let rec tree v =
    match Hierarchy.kind t v with
    | Class c -> `Assoc [ ("class", node v); ("index", `Int c) ]
    | Group | Overlay -> `Assoc [ ("group", node v); ("members", `List (List.map tree (Hierarchy.children t v))) ]
  in
  let overlay v = `Assoc [ ("overlay", node v); ("classes", classes v) ] in
  let cut (name, blocks) = `Assoc [ ("cut", `String name); ("blocks", `List (List.map node blocks)) ] in
  let never (reference, answer) = `Assoc [ ("reference", node reference); ("answer", node answer) ] in
  [ ("depth", `Int (Hierarchy.depth t)); ("tree", tree (Hierarchy.root t));
    ("overlays", `List (List.map overlay (Hierarchy.overlays t))); ("cuts", `List (List.map cut (Hierarchy.cuts t)));
    ("never", `List (List.map never (Hierarchy.never t))) ]

(* {1 Commands} *)

type form = Text | Json | Sexp

let print_json json = print_endline (Yojson.Safe.pretty_to_string ~std:true json)

let print_mistakes mistakes = List.iter (Fmt.epr "%a@." Diag.pp) mistakes

let code (contents : contents) = match contents with Ok _ -> 0 | Error _ -> 3

let check form files =
  Fmt_tty.setup_std_outputs ();
  let read_one file = (file, read file) in
  let all = List.map read_one files in
  let tell (file, contents) =
    match contents with
    | Ok t -> Fmt.pr "%s: %a@." file pp_summary t
    | Error mistakes -> print_mistakes mistakes
  in
  (match form with
   | Json -> print_json (`List (List.map (fun (file, contents) -> json_of_contents file summary contents) all))
   | Text | Sexp -> List.iter tell all);
  List.fold_left (fun worst (_, contents) -> max worst (code contents)) 0 all

let show form file =
  Fmt_tty.setup_std_outputs ();
  let contents = read file in
  (match (form, contents) with
   | Json, _ -> print_json (json_of_contents file details contents)
   | (Text | Sexp), Error mistakes -> print_mistakes mistakes
   | Text, Ok t -> pp_hierarchy Fmt.stdout t
   | Sexp, Ok t -> print_endline (Sexplib.Sexp.to_string_mach (Hierarchy.to_sexp t)));
  code contents

let json = (Json, Arg.info [ "json" ] ~doc:"Print JSON, the mistakes included.")

let sexp =
  (Sexp, Arg.info [ "sexp" ] ~doc:"Print the canonical s-expression: files of the same meaning print the same.")

let exits =
  [ Cmd.Exit.info 0 ~doc:"every file is right."; Cmd.Exit.info 3 ~doc:"a file has a mistake, or bad usage.";
    Cmd.Exit.info 4 ~doc:"a bug of $(mname)." ]

let check_cmd =
  let files = Arg.(non_empty & pos_all string [] & info [] ~docv:"FILE" ~doc:"Hierarchy files ($(b,.hier)).") in
  let form = Arg.(value & vflag Text [ json ]) in
  let doc = "check hierarchy files, and tell every mistake in them" in
  Cmd.v (Cmd.info "check" ~doc ~exits) Term.(const check $ form $ files)

let show_cmd =
  let file = Arg.(required & pos 0 (some string) None & info [] ~docv:"FILE" ~doc:"Hierarchy file ($(b,.hier)).") in
  let form = Arg.(value & vflag Text [ json; sexp ]) in
  let doc = "draw the tree of a hierarchy, with its overlays, cuts and never pairs" in
  Cmd.v (Cmd.info "show" ~doc ~exits) Term.(const show $ form $ file)

let cmd =
  let doc = "check, show and convert class hierarchies" in
  Cmd.group (Cmd.info "hierarchy" ~doc ~exits) [ check_cmd; show_cmd; Cli_convert.cmd ]
