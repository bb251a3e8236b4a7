type t =
  | Holds of bool
  | Phrase of { positive : string; negative : string }
  | All of t list
  | Any of t list
  | If of t list * t
  | Exactly_when of t * t
  | Each of { heading : string; such_that : t list; claim : t }
  | One of { heading : string; claim : t }
  | Not of t

(* {1 Construction} *)

let holds b = Holds b
let phrase positive negative = Phrase { positive; negative }

(* [unit] vanishes, its contrary absorbs. *)
let joined ~unit parts make sentences =
  let parts = List.concat_map parts sentences in
  if List.mem (Holds (not unit)) parts then Holds (not unit)
  else match List.filter (( <> ) (Holds unit)) parts with [] -> Holds unit | [ one ] -> one | several -> make several

let conjuncts = function All ts -> ts | t -> [ t ]
let all = joined ~unit:true conjuncts (fun ts -> All ts)
let any = joined ~unit:false (function Any ts -> ts | t -> [ t ]) (fun ts -> Any ts)

let rec negation = function
  | Holds b -> Holds (not b)
  | Phrase { positive; negative } -> Phrase { positive = negative; negative = positive }
  | All ts -> any (List.map negation ts)
  | Any ts -> all (List.map negation ts)
  | If (premises, t) -> all (premises @ [ negation t ])
  | Exactly_when (a, b) -> Exactly_when (a, negation b)
  | Not t -> t
  | (Each _ | One _) as t -> Not t

let implies a b =
  match (a, b) with
  | Holds true, b -> b
  | Holds false, _ | _, Holds true -> Holds true
  | a, Holds false -> negation a
  | a, If (premises, b) -> If (conjuncts a @ premises, b)
  | a, b -> If (conjuncts a, b)

let exactly_when a b =
  match (a, b) with
  | Holds true, t | t, Holds true -> t
  | Holds false, t | t, Holds false -> negation t
  | a, b -> Exactly_when (a, b)

let each ~heading such_that claim =
  match (all such_that, claim) with
  | Holds false, _ | _, Holds true -> Holds true
  | Holds true, claim -> Each { heading; such_that = []; claim }
  | premise, claim -> Each { heading; such_that = conjuncts premise; claim }

let one ~heading = function Holds false -> Holds false | claim -> One { heading; claim }

(* {1 Text} *)

let rec text = function
  | Holds true -> "true, whatever the network"
  | Holds false -> "false, whatever the network"
  | Phrase { positive; _ } -> positive
  | All ts -> String.concat ", and " (List.map part ts)
  | Any ts -> String.concat ", or " (List.map part ts)
  | If (premises, t) -> Printf.sprintf "if %s, then %s" (premises_text premises) (conclusion t)
  | Exactly_when (a, b) -> Printf.sprintf "%s exactly when %s" (part a) (part b)
  | Each { heading; such_that = []; claim = Each _ as claim } -> Printf.sprintf "%s, %s" heading (text claim)
  | Each { heading; such_that = []; claim } -> Printf.sprintf "%s: %s" heading (text claim)
  | Each { heading; such_that; claim } ->
    Printf.sprintf "%s such that %s: %s" heading (premises_text such_that) (text claim)
  | One { heading; claim } -> Printf.sprintf "%s: %s" heading (text claim)
  | Not t -> Printf.sprintf "it is not so that %s" (part t)

and part t = match t with Phrase _ -> text t | t -> "(" ^ text t ^ ")"
and premises_text premises = String.concat " and " (List.map part premises)

(* It goes to the end of its sentence, or of its parentheses. *)
and conclusion t = match t with Phrase _ | All _ | Each _ | One _ | Not _ -> text t | t -> part t
