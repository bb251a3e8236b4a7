let verdict ppf (v : Verdict.concluded) =
  match v with
  | Valid -> Fmt.(styled `Green string) ppf "Valid"
  | Invalid _ -> Fmt.(styled `Red string) ppf "Invalid"
  | Unknown reason -> Fmt.pf ppf "%a (%s)" Fmt.(styled `Yellow string) "Unknown" reason
  | Timeout -> Fmt.(styled `Yellow string) ppf "Timeout"
  | Failure message -> Fmt.pf ppf "%a (%s)" Fmt.(styled `Magenta string) "Failure" message

let goal ppf (g : Aggregate.goal) =
  Fmt.pf ppf "%-24s %a: proven %d, refuted %d (wrong at the centre: %d), open %d@." g.goal.name verdict g.verdict
    g.counts.proven g.counts.refuted g.counts.wrong_at_centre g.counts.undecided

let print _options (result : Verification.result) =
  Fmt_tty.setup_std_outputs ();
  List.iter (goal Fmt.stdout) result.conclusions.goals
