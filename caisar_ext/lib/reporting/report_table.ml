type align = Left | Right
type column = { heading : string; align : align; shrinks : bool }

let left heading = { heading; align = Left; shrinks = false }
let right heading = { heading; align = Right; shrinks = false }
let name heading = { heading; align = Left; shrinks = true }

(* {1 Text} *)

let is_continuation c = Char.code c land 0xC0 = 0x80

let length text = String.fold_left (fun n c -> if is_continuation c then n else n + 1) 0 text

(* The first [n] code points. *)
let prefix n text =
  let rec stop i seen =
    if i >= String.length text then i
    else if is_continuation text.[i] then stop (i + 1) seen
    else if seen = n then i
    else stop (i + 1) (seen + 1)
  in
  String.sub text 0 (stop 0 0)

let shorten n text = if length text <= n then text else prefix (max 0 (n - 1)) text ^ "~"

(* The control characters of Latin 1 are two bytes in UTF-8: 0xC2, then 0x80 to 0x9F. *)
let printable text =
  let second i = i > 0 && text.[i - 1] = '\xC2' && text.[i] < '\xA0' in
  let first i = text.[i] = '\xC2' && i + 1 < String.length text && second (i + 1) in
  let control i c = c < ' ' || c = '\x7F' || first i || second i in
  String.mapi (fun i c -> if control i c then '?' else c) text

let pack ~width ~sep items =
  let add lines item =
    match lines with
    | line :: rest when length line + length sep + length item <= width -> (line ^ sep ^ item) :: rest
    | _ -> item :: lines
  in
  List.rev (List.fold_left add [] items)

(* {1 Cells} *)

type cell = { text : string; style : Fmt.style option }

let cell ?style text = { text = printable text; style }
let count ?style n = { text = string_of_int n; style = (if n = 0 then Some `Faint else style) }

(* {1 Layout} *)

let gap = 2
let least = 8

let widths columns rows =
  let widest i column =
    let cell_width row = Option.fold ~none:0 ~some:(fun c -> length c.text) (List.nth_opt row i) in
    List.fold_left (fun w row -> max w (cell_width row)) (length column.heading) rows
  in
  List.mapi widest columns

(* Takes the excess from the widest of the columns that shrink, again and again. *)
let rec fit ~available columns widths =
  let total = List.fold_left ( + ) (gap * (List.length widths - 1)) widths in
  let shrinking = List.map2 (fun c w -> if c.shrinks then w else 0) columns widths in
  let widest = List.fold_left max 0 shrinking in
  if total <= available || widest <= least then widths
  else
    let rec narrow = function
      | w :: ws, s :: ss -> if s = widest then (w - 1) :: ws else w :: narrow (ws, ss)
      | ws, _ -> ws
    in
    fit ~available columns (narrow (widths, shrinking))

let spaces n = String.make (max 0 n) ' '

let rec without_empty_end = function
  | { text = ""; _ } :: cells -> without_empty_end cells
  | cells -> List.rev cells

(* Without spaces at the end of the line. *)
let line ~indent columns widths cells ppf () =
  let cells = without_empty_end (List.rev cells) in
  let last = List.length cells - 1 in
  Fmt.string ppf (spaces indent);
  List.iteri
    (fun i { text; style } ->
       let column = List.nth columns i and width = List.nth widths i in
       let text = shorten width text in
       let missing = width - length text in
       let before, after = match column.align with Left -> (0, missing) | Right -> (missing, 0) in
       Fmt.string ppf (spaces (if i = 0 then before else gap + before));
       Option.fold ~none:Fun.id ~some:Fmt.styled style Fmt.string ppf text;
       if i < last then Fmt.string ppf (spaces after))
    cells

(* A column without a heading goes when nothing stands in it. *)
let drop_empty columns rows =
  let is_used i column =
    let filled row = match List.nth_opt row i with Some c -> c.text <> "" | None -> false in
    column.heading <> "" || List.exists filled rows
  in
  let used = List.mapi is_used columns in
  let keep items = List.filteri (fun i _ -> List.nth used i) items in
  (keep columns, List.map keep rows)

let lines ~width ~indent columns rows =
  let columns, rows = drop_empty columns rows in
  let widths = fit ~available:(width - indent) columns (widths columns rows) in
  let headings = List.map (fun c -> cell ~style:`Faint c.heading) columns in
  (line ~indent columns widths headings, List.map (line ~indent columns widths) rows)

let each ppf lines = List.iter (fun line -> Fmt.pf ppf "%a@\n" line ()) lines

let pp ~width ~indent columns rows ppf () =
  let headings, rows = lines ~width ~indent columns rows in
  each ppf (headings :: rows)

let pp_rows ~width ~indent columns rows ppf () = each ppf (snd (lines ~width ~indent columns rows))
