module Parser = Hierarchy_parser
module Lexer = Hierarchy_lexer
module Interpreter = Parser.MenhirInterpreter

(* Every token, in the order in which a message lists them. *)
let tokens =
  [ (Parser.HIERARCHY, "\"hierarchy\""); (GROUP, "\"group\""); (CLASS, "\"class\""); (OVERLAY, "\"overlay\"");
    (CUT, "\"cut\""); (NEVER, "\"never\""); (NAME "", "a name"); (INDEX 0, "an index"); (EQUAL, "\"=\"");
    (LEFT, "\"{\""); (RIGHT, "\"}\""); (COMMA, "\",\""); (ARROW, "\"->\""); (EOF, "the end of the file") ]

let rec one_of = function
  | [] -> "nothing"
  | [ one ] -> one
  | [ one; other ] -> one ^ " or " ^ other
  | one :: others -> one ^ ", " ^ one_of others

let label token =
  match token with
  | Parser.NAME text -> Printf.sprintf "the name \"%s\"" text
  | INDEX value -> Printf.sprintf "the index %d" value
  | EOF -> "the end of the file"
  | _ -> List.assoc token tokens

let is_keyword = function Parser.HIERARCHY | GROUP | CLASS | OVERLAY | CUT | NEVER -> true | _ -> false

let syntax_error ~source checkpoint token (first, last) =
  let accepts token = Interpreter.acceptable checkpoint token first in
  let expected = one_of (List.filter_map (fun (token, text) -> if accepts token then Some text else None) tokens) in
  let hint =
    if is_keyword token && accepts (NAME "") then Some "to use a keyword as a name, put it between double quotes"
    else if token = EOF && accepts RIGHT then Some "a { is not closed"
    else None
  in
  Diag.error ~loc:(Diag.of_lexing ~source first last) ?hint "syntax error: expected %s, found %s" expected (label token)

(* The incremental parser tells which tokens would have been accepted. [previous] is the last token's place: the end of
   a file has no line to show. *)
let parse ~source lexbuf =
  let rec step checkpoint last_input ((token, place, previous) as read) =
    match (checkpoint : Hierarchy_syntax.t Interpreter.checkpoint) with
    | InputNeeded _ ->
      let token = Lexer.token lexbuf in
      let next = (lexbuf.Lexing.lex_start_p, lexbuf.Lexing.lex_curr_p) in
      step (Interpreter.offer checkpoint (token, fst next, snd next)) checkpoint (token, next, place)
    | Shifting _ | AboutToReduce _ -> step (Interpreter.resume checkpoint) last_input read
    | HandlingError _ | Rejected -> syntax_error ~source last_input token (if token = EOF then previous else place)
    | Accepted syntax -> syntax
  in
  let start = lexbuf.Lexing.lex_curr_p in
  let checkpoint = Parser.Incremental.file start in
  try step checkpoint checkpoint (EOF, (start, start), (start, start))
  with Lexer.Error ((first, last), message, hint) ->
    Diag.error ~loc:(Diag.of_lexing ~source first last) ?hint "%s" message

let check_encoding ~file source =
  match Lexer.first_invalid_byte (Lexing.from_string source) with
  | None -> ()
  | Some offset ->
    let lines = String.split_on_char '\n' (String.sub source 0 offset) in
    let line = List.length lines and first = String.length (List.nth lines (List.length lines - 1)) in
    let loc = Diag.of_bytes ~source ~file ~line ~first ~last:(first + 1) () in
    Diag.error ~loc "the text is not UTF-8" ~hint:"save the file in UTF-8"

let refuse = function
  | [] -> ()
  | mistakes ->
    let place (d : Diag.t) = Option.map (fun (l : Diag.location) -> (l.line, l.column)) d.location in
    raise (Diag.Error (List.stable_sort (fun a b -> compare (place a) (place b)) mistakes))

let of_string ~file source =
  check_encoding ~file source;
  let lexbuf = Lexing.from_string source in
  Lexing.set_filename lexbuf file;
  let syntax = parse ~source lexbuf in
  let locate (first, last) = Diag.of_lexing ~source first last in
  refuse (Hierarchy_names.check ~locate syntax);
  let t = Hierarchy.of_syntax ~source ~file syntax in
  refuse (Hierarchy_extensions.check ~locate t syntax);
  t

let read_file file =
  let read_all channel =
    Fun.protect
      ~finally:(fun () -> close_in channel)
      (fun () -> really_input_string channel (in_channel_length channel))
  in
  if Sys.file_exists file && Sys.is_directory file then Diag.error "cannot read %s: it is a directory" file;
  match read_all (open_in_bin file) with
  | source -> of_string ~file source
  | exception Sys_error reason -> Diag.error "cannot read %s" reason

let spelling name =
  match Lexer.token (Lexing.from_string name) with
  | NAME text when text = name -> name
  | _ | (exception Lexer.Error _) ->
    let escape c = match c with '"' | '\\' -> Printf.sprintf "\\%c" c | _ -> String.make 1 c in
    Printf.sprintf "\"%s\"" (String.concat "" (List.map escape (List.of_seq (String.to_seq name))))
