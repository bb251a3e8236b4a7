type subject = {
  dataset : Query.dataset;
  index : int;
  truth : int;
  reference : (Hierarchy.t * int) option;
}

type leaf =
  | Asked of { query : int; property : int }
  | Undecided of { reason : string; subject : subject option }

type query = { query : Query.t; network : Query.network; domain : string option; subject : subject option }
type goal = { goal : Spec.goal; formula : leaf Formula.t }
type t = { goals : goal list; queries : query array }

(* A query that may still get properties; they are kept in reverse. *)
type growing = { number : int; mutable properties : Query.property list; mutable rest : query }

module Table = Hashtbl.Make (struct
    type t = Query.bound list * string option * Query.network

    let equal = ( = )

    (* Deep enough to reach the sample's index, which is all that differs among most keys. *)
    let hash = Hashtbl.hash_param 64 256
  end)

type builder = { table : growing Table.t; mutable all : growing list }

let builder () = { table = Table.create 1024; all = [] }

let growing builder ~network ~domain ~subject region =
  let key = (region, domain, network) in
  match Table.find_opt builder.table key with
  | Some g -> g
  | None ->
    let number = Table.length builder.table in
    let query : Query.t = { query = number; region; properties = [] } in
    let g = { number; properties = []; rest = { query; network; domain; subject } } in
    Table.add builder.table key g;
    builder.all <- g :: builder.all;
    g

(* Position of [p] in a list kept in reverse. *)
let rec position p = function
  | [] -> None
  | q :: rest -> if q = p then Some (List.length rest) else position p rest

let ask builder ~network ~domain ~subject (case : Violation.case) =
  let g = growing builder ~network ~domain ~subject case.region in
  (match g.rest.subject with Some { reference = Some _; _ } -> () | _ -> g.rest <- { g.rest with subject });
  match position case.property g.properties with
  | Some property -> Asked { query = g.number; property }
  | None ->
    let property = List.length g.properties in
    g.properties <- case.property :: g.properties;
    Asked { query = g.number; property }

let finish builder goals =
  let query g = { g.rest with query = { g.rest.query with properties = List.rev g.properties } } in
  { goals; queries = Array.of_list (List.rev_map query builder.all) }

let rec verdict answers (f : leaf Formula.t) : Verdict.concluded =
  match f with
  | True -> Valid
  | False -> Invalid Verdict.Proof_of_contrary
  | Leaf (Asked { query; property }) -> answers query property
  | Leaf (Undecided { reason; _ }) -> Unknown reason
  | Not f -> Verdict.negation (verdict answers f)
  | And fs -> Verdict.conjunction (List.map (verdict answers) fs)
  | Or fs -> Verdict.disjunction (List.map (verdict answers) fs)
