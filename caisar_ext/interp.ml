open Spec
module Env = Map.Make (Int)

let error (term : term) ?hint fmt = Diag.error ?loc:(Lazy.force term.loc) ?hint fmt

(* Under [forall x], atoms become literals. *)
let under_input =
  { Eval.atom = (fun context term -> Literal.of_builtin ~outputs:(Eval.outputs context term) context.scope term);
    input = (fun _ _ f _ _ -> error f "a second quantifier over inputs: a goal speaks of one input at a time") }

(* The sample that a region lies around. *)
let subject world ~loc (scope : Literal.scope) region : Plan.subject option =
  let around (b : Query.bound) = match b with Ball { dataset; index; _ } -> Some (dataset, index) | _ -> None in
  match List.find_map around region with
  | None -> None
  | Some (dataset, index) ->
    let info = (world : World.t).oracle.dataset ~loc dataset in
    Option.iter (fun (t, _) -> Hierarchy.check_class_names t info.class_names) scope.reference;
    Some { dataset; index; truth = (World.view world ~loc dataset.source).labels.(index); reference = scope.reference }

(* [forall x. body]: the leaves of its cases. *)
let statement builder domain (context : Eval.context) env (f : term) (x : variable) body : Plan.leaf Formula.t =
  let world = context.world in
  let scope : Literal.scope = { network = None; reference = None } in
  let env = Env.add x.id (lazy (Value.Vector Input)) env in
  match Eval.formula under_input { context with scope = Some scope } env body with
  | True -> True
  | body -> (
      match scope.network with
      | None -> error f ~hint:"use predict net x, or net @@ x" "this says nothing about a network"
      | Some network -> (
          match Violation.cases ~outputs:(Eval.outputs context f network) body with
          | Error reason -> Leaf (Undecided reason)
          | Ok cases ->
            let leaf (case : Violation.case) =
              let subject = subject world ~loc:(Lazy.force f.loc) scope case.region in
              Formula.Leaf (Plan.ask builder ~network ~domain ~subject case)
            in
            Formula.conjunction (List.map leaf cases)))

(* Outside of [forall x] an atom is decided, or cannot be (a tie at a sample). *)
let closed_atom (context : Eval.context) term b args : Plan.leaf Formula.t =
  match Literal.of_builtin ~outputs:(Eval.outputs context term) None term b args with
  | True -> True
  | False -> False
  | Leaf { literal = Undecided reason; _ } -> Leaf (Undecided reason)
  | _ -> error term "this speaks of an input that no quantifier binds"

let plan oracle ~folder ~samples goals =
  let world = World.create oracle ~folder ~samples in
  let builder = Plan.builder () in
  let goal (goal : Spec.goal) : Plan.goal =
    let leaves = { Eval.atom = closed_atom; input = statement builder goal.domain } in
    let formula = Eval.formula leaves { world; scope = None } Env.empty goal.formula in
    (match formula with
     | True -> Diag.warn ?loc:goal.loc "goal %s holds without a question to the prover: check its conditions" goal.name
     | _ -> ());
    { goal; formula }
  in
  let goals = List.map goal goals in
  Plan.finish builder goals
