type context = Report_context.t

let line ?style context ppf text = Report_context.paragraph ?style ~indent:0 context text ppf ()

(* {1 Verdicts} *)

(* Of samples; of goals where they have none. *)
let verdicts (context : context) =
  let of_goal (g : Aggregate.goal) =
    if g.samples = [] then [ g.verdict ] else List.map (fun (s : Aggregate.sample_verdict) -> s.verdict) g.samples
  in
  List.concat_map of_goal context.result.conclusions.goals

let goals (context : context) ppf =
  let all = List.map (fun (g : Aggregate.goal) -> g.verdict) context.result.conclusions.goals in
  let words = List.map Report_words.verdict all in
  let count word = List.length (List.filter (String.equal word) words) in
  let part word = if count word = 0 then None else Some (Printf.sprintf "%d %s" (count word) word) in
  let parts = List.filter_map part [ "Valid"; "Invalid"; "Unknown"; "Timeout"; "Failure" ] in
  Fmt.pf ppf "@\n";
  line ~style:`Bold context ppf
    (Printf.sprintf "%s: %s" (Report_words.plural (List.length all) "goal") (String.concat ", " parts))

let meaning (context : context) ppf =
  let some p = List.exists p (verdicts context) in
  if some (fun v -> v = Verdict.Valid) then
    line context ppf (Printf.sprintf "Proofs hold %s." context.result.rounding);
  if some (function Verdict.Invalid (Witness _) -> true | _ -> false) then
    line context ppf "Each witness lies in its region by exact rationals and was replayed in ONNX Runtime."

(* {1 Cost} *)

let cost (context : context) ppf =
  let { Verification.conclusions; statistics = s; wall_seconds; _ } = context.result in
  line context ppf
    (Printf.sprintf "%s in %s: %s, %s of CPU, %s to start, at most %s each"
       (Report_words.plural conclusions.answered "query")
       (Report_words.duration wall_seconds)
       (Report_words.plural s.started "prover")
       (Report_words.duration s.cpu_seconds)
       (Report_words.duration s.start_up_seconds)
       (Report_words.size s.peak_memory))

(* Told unasked where it cost precision. *)
let noise (context : context) ppf =
  let told (use : Noise_uses.t) = use.coarser > 0 || context.detail = Full in
  List.iter
    (fun use -> line context ppf (Report_words.noise use))
    (List.filter told context.result.conclusions.noise)

(* {1 What went wrong} *)

let failures (context : context) ppf =
  let lost = context.result.statistics.lost in
  let messages = List.filter_map (function Verdict.Failure m -> Some m | _ -> None) (verdicts context) in
  let tell message =
    let times = List.length (List.filter (String.equal message) messages) in
    line ~style:`Magenta context ppf (Printf.sprintf "failure, %s: %s" (Report_words.plural times "time") message)
  in
  if lost > 0 then
    line ~style:`Magenta context ppf
      (Printf.sprintf "%s lost; what they left unanswered was asked once more" (Report_words.plural lost "prover"));
  List.iter tell (List.sort_uniq compare messages)

let warning context ppf (d : Diag.t) =
  let place (l : Diag.location) = Printf.sprintf "%s:%d: " l.file l.line in
  line ~style:`Yellow context ppf ("warning: " ^ Option.fold ~none:"" ~some:place d.location ^ d.message)

(* {1 What to do next} *)

let witnesses (context : context) ppf =
  let witness = function Verdict.Invalid (Verdict.Witness w) -> Some w.file | _ -> None in
  match (List.sort_uniq compare (List.filter_map witness (verdicts context)), context.witnesses) with
  | [], _ -> ()
  | _, None -> line context ppf "Witnesses are not kept: --witnesses DIR keeps them, with a picture of each image."
  | files, Some folder ->
    let count = Report_words.plural (List.length files) "witness file" in
    line context ppf (Printf.sprintf "%s in %s" count folder)

let next (context : context) (options : Verification.options) ppf =
  let some p = List.exists p (verdicts context) in
  let advise text = line context ppf ("Next: " ^ text) in
  let limit = options.time_limit in
  if some (fun v -> v = Verdict.Timeout) then
    advise (Printf.sprintf "more time for each query, --time-limit %g (now %g s)" (4. *. limit) limit);
  if some (fun v -> v = Verdict.Unknown "bound") then
    advise "where the bound is too loose, a smaller region, a coarser level, or certified training";
  let { Verification.completion; conclusions; _ } = context.result in
  let may_be_asked = completion = Completed && not options.full_matrix in
  if may_be_asked && List.exists Report_setting.has_open_cells conclusions.settings then
    advise "--full-matrix asks about the open cells of the matrices"

let pp context options ppf () =
  goals context ppf;
  meaning context ppf;
  cost context ppf;
  noise context ppf;
  failures context ppf;
  List.iter (warning context ppf) (Diag.warnings ());
  witnesses context ppf;
  next context options ppf
