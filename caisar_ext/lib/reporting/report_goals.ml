open Report_table

type context = Report_context.t

(* What is known of a goal: the question, and its conclusion. *)
type goal = { plan : Plan.goal; conclusion : Aggregate.goal; radius : Q.t option }

let queries (context : context) (goal : Plan.goal) =
  let query = function
    | Plan.Asked { query; _ } -> Some context.result.plan.queries.(query).query
    | Plan.Undecided _ -> None
  in
  List.filter_map query (Formula.leaves goal.formula)

let goal context plan conclusion =
  let radius = List.find_map (fun (q : Query.t) -> Report_words.radius q.region) (queries context plan) in
  { plan; conclusion; radius }

(* {1 The table} *)

let columns goals =
  let counts = [ right "proven"; right ""; right "refuted"; right "at centre"; right "open" ] in
  let sampled = List.exists (fun { conclusion; _ } -> conclusion.samples <> []) goals in
  [ name "goal"; name "region"; left "verdict" ] @ if sampled then counts else []

(* The kinds of region that a goal asks about. *)
let regions context plan =
  let region ({ region; _ } : Query.t) = Report_words.(region_kind ~radius:(radius region) region) in
  match List.sort_uniq compare (List.map region (queries context plan)) with
  | [] -> "-"
  | [ one ] -> one
  | first :: others -> Printf.sprintf "%s and %d more" first (List.length others)

let row context { plan; conclusion = g; _ } =
  let verdict = cell ~style:(Report_words.verdict_style g.verdict) (Report_words.verdict g.verdict) in
  let first = [ cell ~style:`Bold (Report_context.goal_name context g.goal); cell (regions context plan); verdict ] in
  let { Aggregate.proven; refuted; wrong_at_centre; undecided } = g.counts in
  if g.samples = [] then first
  else
    first
    @ [ count ~style:`Green proven; cell (Report_words.percentage proven (List.length g.samples));
        count ~style:`Red refuted; count ~style:`Red wrong_at_centre; count ~style:`Yellow undecided ]

(* {1 Samples that decide a goal} *)

let witness (v : Verdict.concluded) = match v with Invalid (Witness w) -> Some w | _ -> None
let is_refuted (s : Aggregate.sample_verdict) = match s.verdict with Invalid _ -> true | _ -> false
let is_undecided (s : Aggregate.sample_verdict) = not (Verdict.is_decided s.verdict)

(* Without a hierarchy all mistakes are alike. *)
let severity (s : Aggregate.sample_verdict) =
  Option.fold ~none:0 ~some:(fun (_, (found : Aggregate_levels.severity)) -> found.height) (Aggregate_levels.of_verdict s)

(* With the group inside which the reference and the answer still are. *)
let severity_text (s : Aggregate.sample_verdict) =
  match Aggregate_levels.of_verdict s with
  | Some (hierarchy, { height; forbidden; within; _ }) ->
    let place = if forbidden then "never allowed" else Hierarchy.node_name hierarchy within in
    Printf.sprintf "severity %d, %s" height place
  | None -> ""

(* The class that is meant, and the true one where they differ. *)
let reference context (subject : Plan.subject) =
  let name = Report_context.class_name context (Some subject) in
  match subject.reference with
  | Some (_, c) when c <> subject.truth -> Printf.sprintf "%s (truth %s)" (name c) (name subject.truth)
  | _ -> name subject.truth

let step (s : Aggregate.sample_verdict) = Option.fold ~none:"" ~some:(fun (o : Protocol.outcome) -> o.step) s.outcome

let place radius (w : Verdict.witness) =
  if w.centre then "at the centre" else Printf.sprintf "at distance %s" (Report_words.distance ~radius w.distance)

let kept (context : context) (w : Verdict.witness) =
  if context.witnesses = None then [] else [ cell ~style:`Faint (Filename.basename w.file) ]

let refuted_row context radius (s : Aggregate.sample_verdict) =
  let sample = cell (Report_context.sample context s.subject) in
  match witness s.verdict with
  | None -> [ sample; cell (reference context s.subject); cell "a proof of the contrary" ]
  | Some w ->
    let answers = Report_context.answers context (Some s.subject) w.classes in
    [ sample; cell ~style:`Red (Printf.sprintf "%s -> %s" (reference context s.subject) answers);
      cell (severity_text s); cell (place radius w); cell ~style:`Faint (if w.centre then "" else step s) ]
    @ kept context w

let best_margin (s : Aggregate.sample_verdict) = Option.bind s.outcome (fun o -> o.margin)

let undecided_row context (s : Aggregate.sample_verdict) =
  let margin = Option.fold ~none:"" ~some:(fun m -> "best margin " ^ Report_words.real m) (best_margin s) in
  [ cell (Report_context.sample context s.subject); cell (reference context s.subject);
    cell ~style:(Report_words.verdict_style s.verdict) (Option.value ~default:"" (Report_words.reason s.verdict));
    cell margin; cell ~style:`Faint (step s) ]

let shown = 5
let sublist = [ right ""; name ""; name ""; left ""; left ""; name "" ]

let more context left ppf () =
  let text = Printf.sprintf "and %d more (--verbose lists all)" left in
  if left > 0 then Report_context.paragraph ~style:`Faint ~indent:6 context text ppf ()

let samples (context : context) row ordered ppf () =
  let first, left = Report_context.at_most shown context ordered in
  pp_rows ~width:context.width ~indent:6 sublist (List.map row first) ppf ();
  more context left ppf ()

(* Reasons with their counts, the most frequent first. *)
let reasons (undecided : Aggregate.sample_verdict list) =
  let texts = List.filter_map (fun (s : Aggregate.sample_verdict) -> Report_words.reason s.verdict) undecided in
  let tally text = (List.length (List.filter (String.equal text) texts), text) in
  let tallies = List.rev (List.sort compare (List.map tally (List.sort_uniq compare texts))) in
  String.concat "; " (List.map (fun (n, text) -> Printf.sprintf "%d %s" n text) tallies)

let worst_first (a : Aggregate.sample_verdict) b = compare (- severity a) (- severity b)

(* The nearest to a proof first; those without a margin last. *)
let nearest_first a b =
  let distance s = Option.fold ~none:Float.infinity ~some:Float.neg (best_margin s) in
  compare (distance a) (distance b)

let deciding context { conclusion = g; radius; _ } ppf () =
  let refuted = List.stable_sort worst_first (List.filter is_refuted g.samples) in
  let undecided = List.stable_sort nearest_first (List.filter is_undecided g.samples) in
  if refuted <> [] then samples context (refuted_row context radius) refuted ppf ()
  else samples context (undecided_row context) undecided ppf ();
  if refuted <> [] && undecided <> [] then
    Report_context.paragraph ~style:`Yellow ~indent:6 context ("open: " ^ reasons undecided) ppf ()

(* {1 Goals without samples, and parts of goals that are about none} *)

let verdict_text (context : context) radius (v : Verdict.concluded) =
  match v with
  | Valid -> "proven"
  | Invalid Proof_of_contrary -> "a proof of the contrary"
  | Invalid (Witness w) ->
    let file = if context.witnesses = None then "" else " " ^ Filename.basename w.file in
    let outputs = String.concat " and " (List.map string_of_int w.classes) in
    Printf.sprintf "witness%s: violated by %s, output %s largest, %s" file (Report_words.real w.margin) outputs
      (place radius w)
  | v -> Option.value ~default:"" (Report_words.reason v)

let outcome_text context radius (o : Protocol.outcome) =
  let margin =
    match (o.verdict, o.margin) with
    | Invalid _, _ | _, None -> ""
    | Valid, Some m -> ", margin " ^ Report_words.real m
    | _, Some m -> ", best margin " ^ Report_words.real m
  in
  Printf.sprintf "%s (step %s%s)" (verdict_text context radius (Verdict.conclude o.verdict)) o.step margin

let lines (context : context) texts ppf () =
  let first, left = Report_context.at_most shown context texts in
  List.iter (fun text -> Report_context.paragraph ~indent:6 context text ppf ()) first;
  more context left ppf ()

(* Where the goal is no plain conjunction, its verdict is not that of one of its questions. *)
let outcomes context { plan; conclusion = g; radius } =
  let texts = List.map (outcome_text context radius) g.outcomes in
  let plain = match plan.formula with Leaf _ -> true | _ -> false in
  let numbered = if plain then texts else List.mapi (fun i t -> Printf.sprintf "question %d: %s" (i + 1) t) texts in
  if g.verdict = Invalid Proof_of_contrary then verdict_text context radius g.verdict :: numbered else numbered

let whole context ({ conclusion = g; radius; _ } as goal) ppf () =
  let explained (s : Aggregate.sample_verdict) = compare s.verdict g.verdict = 0 in
  let texts =
    if g.outcomes <> [] then outcomes context goal
    else if g.samples = [] && g.verdict = Valid then [ "nothing to prove: its conditions leave no case" ]
    else if g.verdict <> Valid && not (List.exists explained g.samples) then [ verdict_text context radius g.verdict ]
    else []
  in
  lines context texts ppf ()

(* {1 All} *)

let legend =
  "at centre: wrong on the sample itself; severity: height of the smallest group of the tree that holds both classes"

let pp (context : context) ppf () =
  let goals = List.map2 (goal context) context.result.plan.goals context.result.conclusions.goals in
  let rows = List.map (row context) goals in
  let headings, rows = Report_table.lines ~width:context.width ~indent:2 (columns goals) rows in
  let one goal row =
    Fmt.pf ppf "%a@\n" row ();
    if goal.conclusion.verdict <> Valid then deciding context goal ppf ();
    whole context goal ppf ()
  in
  Fmt.pf ppf "%a%a@\n" (Report_context.heading "Goals") () headings ();
  List.iter2 one goals rows;
  let is_severe s = is_refuted s && severity s > 0 in
  if List.exists (fun { conclusion; _ } -> List.exists is_severe conclusion.samples) goals then
    Report_context.paragraph ~style:`Faint ~indent:2 context legend ppf ()
