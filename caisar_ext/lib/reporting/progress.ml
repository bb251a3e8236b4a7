type state = { total : int; answered : int; proven : int; refuted : int; planned : float; elapsed : float }

type t = {
  clock : Mtime_clock.counter;
  terminal : bool;
  mutable state : state;
  mutable drawn : float option;  (* seconds since the start, of the last drawing *)
}

(* {1 The line} *)

let bar_width = 24

let bar { total; answered; _ } =
  let full = if total = 0 then bar_width else bar_width * answered / total in
  Printf.sprintf "[%s%s]" (String.make full '#') (String.make (bar_width - full) '.')

(* At the pace since the plan was made. *)
let left { total; answered; planned; elapsed; _ } =
  if answered = 0 || answered = total then ""
  else
    let seconds = (elapsed -. planned) /. Float.of_int answered *. Float.of_int (total - answered) in
    Printf.sprintf ", about %s left" (Report_words.duration seconds)

let line ~width state =
  let counts =
    Printf.sprintf "%d/%d queries, %d proven, %d refuted, %s%s" state.answered state.total state.proven state.refuted
      (Report_words.duration state.elapsed) (left state)
  in
  let whole = bar state ^ " " ^ counts in
  if String.length whole < width then whole else Report_table.shorten (width - 1) counts

(* {1 Drawing} *)

let clear = "\r\027[K"
let default_width = 80
let width () = Option.value ~default:default_width (Report_terminal.columns Unix.stderr)
let now t = Mtime.Span.to_s (Mtime_clock.count t.clock)

let draw t text =
  if t.terminal then begin
    t.drawn <- Some (now t);
    Printf.eprintf "%s%s\r%!" clear text
  end

let create () =
  let dumb = List.mem (Sys.getenv_opt "TERM") [ None; Some ""; Some "dumb" ] in
  let t =
    { clock = Mtime_clock.counter (); terminal = Unix.isatty Unix.stderr && not dumb; drawn = None;
      state = { total = 0; answered = 0; proven = 0; refuted = 0; planned = 0.; elapsed = 0. } }
  in
  draw t "starting the prover, planning ...";
  t

let before_the_bar = 2.
let between_drawings = 0.2

let answered state (answer : Protocol.answer) =
  let valid (o : Protocol.outcome) = match o.verdict with Valid -> true | _ -> false in
  let invalid (o : Protocol.outcome) = match o.verdict with Invalid _ -> true | _ -> false in
  let one p = if p then 1 else 0 in
  { state with
    answered = state.answered + 1;
    proven = state.proven + one (List.for_all valid answer.outcomes);
    refuted = state.refuted + one (List.exists invalid answer.outcomes) }

let event t (e : Verification.event) =
  let elapsed = now t in
  let recent = match t.drawn with Some at -> elapsed -. at < between_drawings | None -> false in
  let state =
    match e with
    | Planned plan -> { t.state with total = Array.length plan.queries; planned = elapsed }
    | Answered answer -> answered t.state answer
  in
  t.state <- { state with elapsed };
  if elapsed > before_the_bar && not recent then draw t (line ~width:(width ()) t.state)

let finish t =
  if t.drawn <> None then prerr_string clear;
  flush stderr;
  t.drawn <- None
