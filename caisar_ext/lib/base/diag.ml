type location = {
  file : string;
  line : int;
  column : int;
  end_line : int;
  end_column : int;
  source : string option;
}

type t = { location : location option; message : string; hint : string option }

exception Error of t list

let make ?loc ?hint message = { location = loc; message; hint }

let error ?loc ?hint fmt =
  Format.kasprintf (fun message -> raise (Error [ make ?loc ?hint message ])) fmt

let read_text file =
  let ic = open_in_bin file in
  Fun.protect ~finally:(fun () -> close_in ic) (fun () ->
      try really_input_string ic (in_channel_length ic) with End_of_file | Sys_error _ -> "")

(* Lines of files, as they were at a time and size: locations are made for every term that could go wrong. *)
let known : (string, (float * int) * string array) Hashtbl.t = Hashtbl.create 4

let lines file =
  match Unix.stat file with
  | exception Unix.Unix_error _ -> [||]
  | { st_mtime; st_size; _ } -> (
      match Hashtbl.find_opt known file with
      | Some (stamp, lines) when stamp = (st_mtime, st_size) -> lines
      | _ ->
        let lines = try Array.of_list (String.split_on_char '\n' (read_text file)) with Sys_error _ -> [||] in
        Hashtbl.replace known file ((st_mtime, st_size), lines);
        lines)

let source_line ?source file number =
  match source with
  | Some text -> List.nth_opt (String.split_on_char '\n' text) (number - 1)
  | None ->
    let lines = lines file in
    if number >= 1 && number <= Array.length lines then Some lines.(number - 1) else None

(* Continuation bytes of UTF-8 do not start a code point. *)
let code_points text bytes =
  let n = ref 0 in
  String.iteri (fun i c -> if i < bytes && Char.code c land 0xC0 <> 0x80 then incr n) text;
  !n

let column ?source file line bytes =
  match source_line ?source file line with
  | Some text -> code_points text bytes + max 0 (bytes - String.length text)
  | None -> bytes

let of_bytes ?source ~file ~line ~first ~last () =
  let column = column ?source file line in
  let first = column first and last = column last in
  { file; line; column = first + 1; end_line = line; end_column = max last (first + 1); source }

let of_lexing ?source (a : Lexing.position) (b : Lexing.position) =
  let column = column ?source a.pos_fname in
  let first = column a.pos_lnum (a.pos_cnum - a.pos_bol) in
  let last = column b.pos_lnum (b.pos_cnum - b.pos_bol) in
  let end_column = if a.pos_lnum = b.pos_lnum then max last (first + 1) else max last 1 in
  { file = a.pos_fname; line = a.pos_lnum; column = first + 1; end_line = b.pos_lnum; end_column; source }

(* Damerau-Levenshtein distance (optimal string alignment): insert, delete, substitute, swap neighbours. *)
let distance a b =
  let n = String.length a and m = String.length b in
  let d = Array.make_matrix (n + 1) (m + 1) 0 in
  for i = 0 to n do d.(i).(0) <- i done;
  for j = 0 to m do d.(0).(j) <- j done;
  for i = 1 to n do
    for j = 1 to m do
      let cost = if a.[i - 1] = b.[j - 1] then 0 else 1 in
      let best = min (min (d.(i - 1).(j) + 1) (d.(i).(j - 1) + 1)) (d.(i - 1).(j - 1) + cost) in
      let swapped = i > 1 && j > 1 && a.[i - 1] = b.[j - 2] && a.[i - 2] = b.[j - 1] in
      d.(i).(j) <- (if swapped then min best (d.(i - 2).(j - 2) + 1) else best)
    done
  done;
  d.(n).(m)

let nearest name known =
  let name' = String.lowercase_ascii name in
  let ranked = List.map (fun k -> (distance name' (String.lowercase_ascii k), k)) known in
  match List.stable_sort (fun (a, _) (b, _) -> compare a b) ranked with
  | (d, k) :: _ when d <= max 1 (String.length name / 3) -> Some k
  | _ -> None

let did_you_mean name known =
  match nearest name known with
  | Some k -> Some (Printf.sprintf "did you mean \"%s\"?" k)
  | None when known <> [] && List.length known <= 20 -> Some ("known here: " ^ String.concat ", " known)
  | None -> None

let pp_location ppf l =
  if l.line <> l.end_line then
    Format.fprintf ppf "%s:%d:%d-%d:%d" l.file l.line l.column l.end_line l.end_column
  else if l.column = l.end_column then Format.fprintf ppf "%s:%d:%d" l.file l.line l.column
  else Format.fprintf ppf "%s:%d:%d-%d" l.file l.line l.column l.end_column

(* A long line is shown up to this width: a generated specification may have one of thousands of characters. *)
let excerpt_width = 160

(* Tabs would misplace the underline, and control characters do not belong on a terminal. *)
let printable = String.map (fun c -> if Char.code c < 0x20 || c = '\127' then ' ' else c)

let pp_excerpt ppf l =
  match source_line ?source:l.source l.file l.line with
  | Some text when l.column <= excerpt_width ->
    let text = printable text in
    let length = code_points text (String.length text) in
    let text = if String.length text > excerpt_width then String.sub text 0 excerpt_width ^ "..." else text in
    let last = if l.end_line > l.line then length else l.end_column in
    let last = max l.column (min last excerpt_width) in
    Format.fprintf ppf "@,%5d | %s@,      | %s%s" l.line text
      (String.make (l.column - 1) ' ')
      (String.make (last - l.column + 1) '^')
  | _ -> ()

let pp_kind kind ppf d =
  Format.fprintf ppf "@[<v>";
  Option.iter (Format.fprintf ppf "%a: " pp_location) d.location;
  Format.fprintf ppf "%s: %s" kind d.message;
  Option.iter (pp_excerpt ppf) d.location;
  Option.iter (Format.fprintf ppf "@,      = %s") d.hint;
  Format.fprintf ppf "@]"

let pp ppf d = pp_kind "error" ppf d

let issued : t list ref = ref []

let warn ?loc ?hint fmt =
  Format.kasprintf
    (fun message ->
       let d = make ?loc ?hint message in
       if not (List.mem d !issued) then begin
         issued := d :: !issued;
         Format.eprintf "%a@." (pp_kind "warning") d
       end)
    fmt

let warnings () = List.rev !issued
