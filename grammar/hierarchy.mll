(* The tokens of a class hierarchy. Twin of the terminals in hierarchy.lark. *)

{
open Hierarchy_parser

(* A mistake in the text itself: where, what, what to do next. *)
exception Error of Hierarchy_syntax.place * string * string option

let here lexbuf = (Lexing.lexeme_start_p lexbuf, Lexing.lexeme_end_p lexbuf)
let error ?hint place message = raise (Error (place, message, hint))

let keywords =
  [ ("hierarchy", HIERARCHY); ("group", GROUP); ("class", CLASS); ("overlay", OVERLAY); ("cut", CUT); ("never", NEVER) ]

let word text = match List.assoc_opt text keywords with Some token -> token | None -> NAME text

(* Nine digits fit everywhere, and no network has more outputs. *)
let index lexbuf digits =
  if String.length digits > 9 then error (here lexbuf) "this index is too large";
  INDEX (int_of_string digits)

(* The stretch of [length] bytes that starts [offset] bytes into the lexeme. *)
let within lexbuf offset length =
  let first = Lexing.lexeme_start_p lexbuf in
  let first = { first with Lexing.pos_cnum = first.Lexing.pos_cnum + offset } in
  (first, { first with Lexing.pos_cnum = first.Lexing.pos_cnum + length })

(* The name in a quoted lexeme, quotes included: only the quote and the backslash are escaped. *)
let unquote lexbuf lexeme =
  let text = Buffer.create 16 in
  let rec go i =
    if i < String.length lexeme - 1 then
      match lexeme.[i] with
      | '\\' when lexeme.[i + 1] = '"' || lexeme.[i + 1] = '\\' ->
        Buffer.add_char text lexeme.[i + 1];
        go (i + 2)
      | '\\' -> error (within lexbuf i 1) "a backslash in a name is followed by \" or \\"
      | '\000' .. '\031' | '\127' -> error (within lexbuf i 1) "a name has no control characters"
      | c ->
        Buffer.add_char text c;
        go (i + 1)
  in
  go 1;
  if Buffer.length text = 0 then error (here lexbuf) "a name has at least one character";
  Buffer.contents text

let unexpected lexbuf text =
  let message =
    match text.[0] with
    | '!' .. '~' -> Printf.sprintf "unexpected character '%c'" text.[0]
    | _ -> "unexpected character"
  in
  error
    (within lexbuf 0 (String.length text))
    message ~hint:"a name with other characters than letters, digits, _ and ' goes between double quotes"
}

let continuation = ['\x80'-'\xbf']
let character =
    ['\x00'-'\x7f']
  | ['\xc2'-'\xdf'] continuation
  | '\xe0' ['\xa0'-'\xbf'] continuation
  | ['\xe1'-'\xec' '\xee' '\xef'] continuation continuation
  | '\xed' ['\x80'-'\x9f'] continuation
  | '\xf0' ['\x90'-'\xbf'] continuation continuation
  | ['\xf1'-'\xf3'] continuation continuation continuation
  | '\xf4' ['\x80'-'\x8f'] continuation continuation

rule token = parse
  | '\n' { Lexing.new_line lexbuf; token lexbuf }
  | [' ' '\t' '\r']+ { token lexbuf }
  | "(*)" { unexpected lexbuf "(" }
  | "(*" { comment (here lexbuf) 1 lexbuf; token lexbuf }
  | ['A'-'Z' 'a'-'z' '_'] ['A'-'Z' 'a'-'z' '0'-'9' '_' '\'']* as text { word text }
  | ['0'-'9']+ as digits { index lexbuf digits }
  | '"' ([^ '"' '\\' '\n'] | '\\' [^ '\n'])* '"' as lexeme { NAME (unquote lexbuf lexeme) }
  | '"' { error (here lexbuf) "this name is not closed" ~hint:"end it with \" on the same line" }
  | '=' { EQUAL }
  | '{' { LEFT }
  | '}' { RIGHT }
  | ',' { COMMA }
  | "->" { ARROW }
  | eof { EOF }
  | character as text { unexpected lexbuf text }

(* Nested comments, as in WhyML: inside one, the operator "(*)" opens and closes nothing. *)
and comment start depth = parse
  | '\n' { Lexing.new_line lexbuf; comment start depth lexbuf }
  | "(*)" { comment start depth lexbuf }
  | "(*" { comment start (depth + 1) lexbuf }
  | "*)" { if depth > 1 then comment start (depth - 1) lexbuf }
  | eof { error start "this comment is not closed" ~hint:"end it with *)" }
  | _ { comment start depth lexbuf }

(* The offset of the first byte that is not UTF-8, if any. *)
and first_invalid_byte = parse
  | character+ { first_invalid_byte lexbuf }
  | eof { None }
  | _ { Some (Lexing.lexeme_start lexbuf) }
