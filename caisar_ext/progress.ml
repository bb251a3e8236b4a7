type t = {
  clock : Mtime_clock.counter;
  shown : bool;  (* on a terminal *)
  mutable total : int;
  mutable answered : int;
  mutable refuted : int;
  mutable last : float;  (* seconds when the line was last drawn *)
}

let create () =
  { clock = Mtime_clock.counter (); shown = Unix.isatty Unix.stderr; total = 0; answered = 0; refuted = 0; last = 2. }

let width = 30

let draw t now =
  let full = if t.total = 0 then 0 else width * t.answered / t.total in
  Printf.eprintf "\r\027[K[%s%s] %d/%d queries, %d refuted, %.0f s%!" (String.make full '#')
    (String.make (width - full) '.') t.answered t.total t.refuted now

let event t (e : Verification.event) =
  (match e with
   | Planned plan -> t.total <- Array.length plan.queries
   | Answered answer ->
     t.answered <- t.answered + 1;
     let invalid (o : Protocol.outcome) = match o.verdict with Invalid _ -> true | _ -> false in
     if List.exists invalid answer.outcomes then t.refuted <- t.refuted + 1);
  let now = Mtime.Span.to_s (Mtime_clock.count t.clock) in
  if t.shown && now -. t.last > 0.2 then begin
    t.last <- now;
    draw t now
  end

let finish t = if t.shown && t.last > 2. then prerr_string "\r\027[K"
