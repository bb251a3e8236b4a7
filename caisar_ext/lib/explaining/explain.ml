type goal = {
  goal : Spec.goal;
  says : Sentence.t;
  queries : int;
  samples : int;
  unasked : (string * int) list;
  shared : (Spec.goal * int) list;
}

type t = { goals : goal list; queries : int }

module Numbers = Set.Make (Int)

let queries (g : Plan.goal) =
  let asked = function Plan.Asked { query; _ } -> Some query | Undecided _ -> None in
  Numbers.of_list (List.filter_map asked (Formula.leaves g.formula))

let subjects (plan : Plan.t) (g : Plan.goal) =
  let subject : Plan.leaf -> Plan.subject option = function
    | Asked { query; _ } -> plan.queries.(query).subject
    | Undecided { subject; _ } -> subject
  in
  let key (s : Plan.subject) = (s.dataset, s.index) in
  List.sort_uniq compare (List.map key (List.filter_map subject (Formula.leaves g.formula)))

let reasons (g : Plan.goal) =
  let reason = function Plan.Undecided { reason; _ } -> Some reason | Asked _ -> None in
  let all = List.filter_map reason (Formula.leaves g.formula) in
  List.map (fun r -> (r, List.length (List.filter (String.equal r) all))) (List.sort_uniq compare all)

let explain world (plan : Plan.t) =
  let memory = Eval.memory () in
  let asked = List.map (fun (g : Plan.goal) -> (g, queries g)) plan.goals in
  let one ((g : Plan.goal), own) =
    let with_other ((other : Plan.goal), theirs) =
      let common = Numbers.cardinal (Numbers.inter own theirs) in
      if other == g || common = 0 then None else Some (other.goal, common)
    in
    { goal = g.goal; says = English.goal world memory g.goal.formula; queries = Numbers.cardinal own;
      samples = List.length (subjects plan g); unasked = reasons g; shared = List.filter_map with_other asked }
  in
  { goals = List.map one asked; queries = Array.length plan.queries }

(* {1 Text} *)

let name t (g : Spec.goal) =
  if List.for_all (fun o -> o.goal.theory = g.theory) t.goals then g.name else g.theory ^ "." ^ g.name

let counts t (g : goal) =
  let plural = Report_words.plural in
  let asked = plural g.queries "query" in
  let about = if g.samples = 0 then "" else " about " ^ plural g.samples "sample" in
  let sharing (other, common) =
    Printf.sprintf "%s with %s" (if common = g.queries then "all" else string_of_int common) (name t other)
  in
  let shared = if g.shared = [] then "" else "; shared: " ^ String.concat ", " (List.map sharing g.shared) in
  asked ^ about ^ shared ^ "."

let unasked (reason, n) =
  Printf.sprintf "Cannot be asked%s: %s." (if n = 1 then "" else Printf.sprintf " (%d times)" n) reason

let pp_paragraph ~width ppf text =
  let indent = "    " in
  let add (lines, line) word =
    if line = "" then (lines, indent ^ word)
    else if String.length line + 1 + String.length word <= width then (lines, line ^ " " ^ word)
    else (line :: lines, indent ^ word)
  in
  let lines, last = List.fold_left add ([], "") (String.split_on_char ' ' text) in
  List.iter (Fmt.pf ppf "%s@\n") (List.rev (last :: lines))

let pp ~width ppf t =
  let one g =
    let says = String.capitalize_ascii (Sentence.text g.says) ^ "." in
    let domain = Option.map (Printf.sprintf "Only the abstract domain %s is used.") g.goal.domain in
    Fmt.pf ppf "%a@\n" Fmt.(styled `Bold string) (name t g.goal);
    List.iter (pp_paragraph ~width ppf) ((says :: Option.to_list domain) @ (counts t g :: List.map unasked g.unasked));
    Fmt.pf ppf "@\n"
  in
  List.iter one t.goals;
  let goals = Report_words.plural (List.length t.goals) "goal" in
  Fmt.pf ppf "%s, %s in all@." goals (Report_words.plural t.queries "query")

(* {1 JSON} *)

let to_json t : Yojson.Safe.t =
  let identity (g : Spec.goal) = [ ("theory", `String g.theory); ("name", `String g.name) ] in
  let shared (other, common) : Yojson.Safe.t = `Assoc (identity other @ [ ("queries", `Int common) ]) in
  let unasked (reason, n) : Yojson.Safe.t = `Assoc [ ("reason", `String reason); ("times", `Int n) ] in
  let one g : Yojson.Safe.t =
    let domain = Option.fold ~none:`Null ~some:(fun d -> `String d) g.goal.domain in
    `Assoc
      (identity g.goal
       @ [ ("domain", domain); ("says", `String (Sentence.text g.says)); ("queries", `Int g.queries);
           ("samples", `Int g.samples); ("unasked", `List (List.map unasked g.unasked));
           ("shared", `List (List.map shared g.shared)) ])
  in
  `Assoc [ ("goals", `List (List.map one t.goals)); ("queries", `Int t.queries) ]
