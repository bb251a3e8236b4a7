open Cmdliner
open Sexplib

let read file = match Whyml.tree file with tree -> Ok tree | exception Diag.Error mistakes -> Error mistakes

(* {1 S-expressions: one line a file} *)

let field name value = Sexp.List [ Atom name; value ]

let sexp_of_mistake (d : Diag.t) =
  let place (l : Diag.location) =
    let number name n = field name (Sexp.Atom (string_of_int n)) in
    [ number "line" l.line; number "column" l.column; number "end_line" l.end_line; number "end_column" l.end_column ]
  in
  Sexp.List (Option.fold d.location ~none:[] ~some:place @ [ field "message" (Sexp.Atom d.message) ])

let print_sexp file contents =
  let contents =
    match contents with
    | Ok tree -> field "tree" tree
    | Error mistakes -> field "mistakes" (Sexp.List (List.map sexp_of_mistake mistakes))
  in
  print_endline (Sexp.to_string_mach (Sexp.List [ field "file" (Sexp.Atom file); contents ]))

(* {1 Text} *)

let print_text file contents =
  match contents with
  | Ok _ -> Fmt.pr "%s: in the profile@." file
  | Error mistakes -> List.iter (Fmt.epr "%a@." Diag.pp) mistakes

(* {1 Command} *)

let check print files =
  Fmt_tty.setup_std_outputs ();
  let one worst file =
    let contents = read file in
    print file contents;
    match contents with Ok _ -> worst | Error _ -> 3
  in
  List.fold_left one 0 files

let cmd =
  let doc = "check the syntax of specifications, without types, networks or data" in
  let files = Arg.(non_empty & pos_all string [] & info [] ~docv:"FILE" ~doc:"Specifications ($(b,.mlw)).") in
  let form =
    let doc = "Print one s-expression a line for each file: its syntax tree, or its mistakes; see $(b,grammar/whyml.md)." in
    Arg.(value & vflag print_text [ (print_sexp, info [ "sexp" ] ~doc) ])
  in
  let exits =
    [ Cmd.Exit.info 0 ~doc:"every file is right."; Cmd.Exit.info 3 ~doc:"a file has a mistake, or bad usage.";
      Cmd.Exit.info 4 ~doc:"a bug of $(mname)." ]
  in
  Cmd.v (Cmd.info "spec" ~doc ~exits) Term.(const check $ form $ files)
