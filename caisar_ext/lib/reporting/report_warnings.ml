(* The prover's word for a region without a point: everything holds there. *)
let is_empty (o : Protocol.outcome) = String.equal o.step "empty"

let issue (result : Verification.result) =
  let of_goal (g : Aggregate.goal) =
    let of_samples = List.filter_map (fun (s : Aggregate.sample_verdict) -> s.outcome) g.samples in
    match List.length (List.filter is_empty (of_samples @ g.outcomes)) with
    | 0 -> ()
    | n ->
      Diag.warn ?loc:(Lazy.force g.goal.loc) "goal %s: %s, where anything holds" g.goal.name (Report_words.plural n "empty region")
        ~hint:"do the bounds exclude each other?"
  in
  List.iter of_goal result.conclusions.goals
