(* Prints the plan of a specification: what would be asked of a prover, and how the answers make a verdict.

   plan SPEC [NAME:VALUE ...] *)

open Caisar_ext

let rec pp_formula ppf (f : Plan.leaf Formula.t) =
  let several name fs = Fmt.pf ppf "@[<hov 2>(%s@ %a)@]" name Fmt.(list ~sep:sp pp_formula) fs in
  match f with
  | True -> Fmt.string ppf "true"
  | False -> Fmt.string ppf "false"
  | Leaf (Asked { query; property }) -> Fmt.pf ppf "%d.%d" query property
  | Leaf (Undecided { reason; _ }) -> Fmt.pf ppf "undecided: %s" reason
  | Not f -> several "not" [ f ]
  | And fs -> several "and" fs
  | Or fs -> several "or" fs

let pp_linear ppf (c : Query.comparison) =
  let term ppf (t : Query.term) = Fmt.pf ppf "%s*y%d" (Q.to_string t.weight) t.output in
  let relation = if c.strict then ">" else ">=" in
  Fmt.pf ppf "%a + %s %s 0" Fmt.(list ~sep:(any " + ") term) c.terms (Q.to_string c.constant) relation

let pp_row ppf ({ dataset; array; index } : Query.row) = Fmt.pf ppf "%s:%d(%s)" dataset.source index array

let pp_bound ppf : Query.bound -> unit = function
  | Ball { dataset; index; radius } -> Fmt.pf ppf "ball %s:%d %s" dataset.source index (Q.to_string radius)
  | Radii { dataset; index; radii } -> Fmt.pf ppf "radii %s:%d %a" dataset.source index pp_row radii
  | Relative { dataset; index; ratio } ->
    Fmt.pf ppf "relative ball %s:%d %s" dataset.source index (Q.to_string ratio)
  | Box { lower; upper } -> Fmt.pf ppf "box %a..%a" pp_row lower pp_row upper
  | Range { lower; upper } ->
    let side = Option.fold ~none:"" ~some:Q.to_string in
    Fmt.pf ppf "range %s..%s" (side lower) (side upper)
  | Feature f ->
    let side op = Option.iter (fun q -> Fmt.pf ppf " %s %s" op (Q.to_string q)) in
    Fmt.pf ppf "x%d" f.index;
    side (if f.strict_lower then ">" else ">=") f.lower;
    side (if f.strict_upper then "<" else "<=") f.upper

let pp_property ppf : Query.property -> unit = function
  | Within { classes } -> Fmt.pf ppf "within {%a}" Fmt.(list ~sep:(any " ") int) classes
  | Avoid { cases } ->
    let case = Fmt.(brackets (list ~sep:(any ", ") pp_linear)) in
    Fmt.pf ppf "avoid %a" Fmt.(list ~sep:(any " or ") case) cases

let pp_network ppf (n : Query.network) =
  let qs = Fmt.(list ~sep:(any " ") (using Q.to_string string)) in
  Fmt.string ppf (Filename.basename n.path);
  let normalization (z : Query.normalization) = Fmt.pf ppf " after (x - (%a)) / (%a)" qs z.mean qs z.std in
  Option.iter normalization n.normalization

let pp_query ppf (q : Plan.query) =
  Fmt.pf ppf "%d: %a%a on %a" q.query.query pp_network q.network Fmt.(option (any ", domain " ++ string)) q.domain
    Fmt.(list ~sep:(any ", ") pp_bound) q.query.region;
  List.iteri (fun i p -> Fmt.pf ppf "@,  %d.%d %a" q.query.query i pp_property p) q.query.properties

let pp ppf (plan : Plan.t) =
  let goal ppf (g : Plan.goal) = Fmt.pf ppf "%s.%s = %a" g.goal.theory g.goal.name pp_formula g.formula in
  Fmt.pf ppf "@[<v>%a%a@]@." (Fmt.list goal) plan.goals Fmt.(array ~sep:nop (cut ++ pp_query)) plan.queries

let () = Described.planned (fun _ plan -> pp Format.std_formatter plan)
