let print _ (result : Verification.result) =
  let goal (g : Aggregate.goal) = `Assoc [ ("name", `String g.goal.name) ] in
  print_endline (Yojson.Safe.pretty_to_string (`Assoc [ ("goals", `List (List.map goal result.conclusions.goals)) ]))
