open Spec
module Env = Map.Make (Int)

let error (term : term) ?hint fmt = Diag.error ?loc:(Lazy.force term.loc) ?hint fmt

(* Under [forall x], atoms become literals. *)
let under_input =
  { Eval.atom = (fun context term -> Literal.of_builtin ~outputs:(Eval.outputs context term) context.scope term);
    input = (fun _ _ f _ _ -> error f "a second quantifier over inputs: a goal speaks of one input at a time") }

(* {1 Regions} *)

let size = List.fold_left ( * ) 1

(* Features that the network and the samples have, as the literals of a body name them. *)
let check_features world (network : Query.network) body =
  let oracle = World.oracle world in
  let check_row ~loc ({ dataset; _ } : Query.row) =
    let input = (oracle.network ~loc:None network).input_shape in
    let sample = (oracle.dataset ~loc:None dataset).shape in
    Agreement.check_shape ~loc:(Lazy.force loc) dataset ~sample ~input
  in
  let check ({ literal; loc } : Violation.located) =
    match literal with
    | Bound (Feature { index; _ }) ->
      let features = size (oracle.network ~loc:None network).input_shape in
      if index >= features then
        Diag.error ?loc:(Lazy.force loc) "index %d is out of range 0..%d: the network's input has %d features" index
          (features - 1) features
    | Bound bound -> List.iter (check_row ~loc) (Query.rows bound)
    | Outcome _ | Answer _ | Undecided _ -> ()
  in
  List.iter check (Formula.leaves body)

(* No prover can say much about an input without bounds. *)
let check_bounded world (f : term) network (region : Query.bound list) =
  let everywhere side =
    let bounded : Query.bound -> bool = function
      | Ball _ | Radii _ | Relative _ | Box _ -> true
      | Range r -> side (r.lower, r.upper) <> None
      | Feature _ -> false
    in
    List.exists bounded region
  in
  let features = lazy (size ((World.oracle world).network ~loc:None network).input_shape) in
  let check name side =
    let bounded = Hashtbl.create 8 in
    List.iter
      (function Query.Feature b when side (b.lower, b.upper) <> None -> Hashtbl.replace bounded b.index () | _ -> ())
      region;
    if not (everywhere side) && Hashtbl.length bounded < Lazy.force features then
      let rec first i = if Hashtbl.mem bounded i then first (i + 1) else i in
      error f "feature %d of the input has no %s bound" (first 0) name
        ~hint:"add a premise: valid_image x, in_ball x (image d[i]) eps, or comparisons such as 0.0 <=. x[0] <=. 1.0"
  in
  check "lower" fst;
  check "upper" snd

(* {1 Statements} *)

let subject world ~loc ~reference (dataset : Query.dataset) index : Plan.subject =
  { dataset; index; truth = (World.view world ~loc dataset.source).labels.(index); reference }

(* The sample that a region lies around. *)
let subject_of_region world ~loc (scope : Literal.scope) region =
  let subject (dataset, index) = subject world ~loc ~reference:scope.reference dataset index in
  Option.map subject (List.find_map Query.around region)

let undecided world ~loc (tie : Value.tie) : Plan.leaf =
  let { view; index } : Value.sample = tie.sample in
  Undecided { reason = Value.describe_tie tie; subject = Some (subject world ~loc ~reference:None view.dataset index) }

(* [forall x. body]: the leaves of its cases. *)
let statement builder domain (context : Eval.context) env (f : term) (x : variable) body : Plan.leaf Formula.t =
  let world = context.world and loc = Lazy.force f.loc in
  let scope : Literal.scope = { network = None; reference = None } in
  let env = Env.add x.id (lazy (Value.Vector Input)) env in
  let body = Eval.formula under_input { context with scope = Some scope } env body in
  match (body, scope.network) with
  | True, _ -> True
  | _, None -> error f ~hint:"use predict net x, or net @@ x" "this says nothing about a network"
  | _, Some network -> (
      check_features world network body;
      match Violation.cases ~loc:f.loc ~outputs:(Eval.outputs context f network) body with
      | Error tie -> Leaf (undecided world ~loc tie)
      | Ok cases ->
        let leaf (case : Violation.case) =
          check_bounded world f network case.region;
          let subject = subject_of_region world ~loc scope case.region in
          Formula.Leaf (Plan.ask builder ~network ~domain ~subject case)
        in
        Formula.conjunction (List.map leaf cases))

(* Outside of [forall x] an atom is decided, or cannot be (a tie at a sample). *)
let closed_atom (context : Eval.context) term b args : Plan.leaf Formula.t =
  match Literal.of_builtin ~outputs:(Eval.outputs context term) None term b args with
  | True -> True
  | False -> False
  | Leaf { literal = Undecided tie; _ } -> Leaf (undecided context.world ~loc:(Lazy.force term.loc) tie)
  | _ -> error term "this speaks of an input that no quantifier binds"

(* {1 Goals} *)

let warn_unasked (goal : Spec.goal) (formula : Plan.leaf Formula.t) =
  let warn = Diag.warn ?loc:(Lazy.force goal.loc) ~hint:"check its conditions" in
  match formula with
  | True -> warn "goal %s holds without a question to the prover" goal.name
  | False -> warn "goal %s is false without a question to the prover" goal.name
  | Leaf _ | Not _ | And _ | Or _ -> ()

let plan world goals =
  let memory = Eval.memory () in
  let builder = Plan.builder () in
  let goal (goal : Spec.goal) : Plan.goal =
    let leaves = { Eval.atom = closed_atom; input = statement builder goal.domain } in
    let formula = Eval.formula leaves (Eval.context world memory) Env.empty goal.formula in
    warn_unasked goal formula;
    { goal; formula }
  in
  let goals = List.map goal goals in
  Plan.finish builder goals
