type json = Yojson.Safe.t

let string s : json = `String s
let int n : json = `Int n
let list f items : json = `List (List.map f items)
let option f : 'a option -> json = function Some x -> f x | None -> `Null
let float x : json = if Float.is_finite x then `Float x else `Null
let rational q = string (Q.to_string q)

(* {1 Questions} *)

let normalization ({ mean; std } : Query.normalization) : json =
  `Assoc [ ("mean", list rational mean); ("std", list rational std) ]

type place = Here | Anywhere

let row place ({ dataset; array; index } : Query.row) : json =
  let index = match place with Here -> int index | Anywhere -> `Null in
  `Assoc [ ("source", string dataset.source); ("array", string array); ("index", index) ]

(* The sample around which it lies is told where the region stands. *)
let bound place : Query.bound -> json = function
  | Ball { radius; _ } -> `Assoc [ ("kind", string "ball"); ("radius", rational radius) ]
  | Radii { radii; _ } -> `Assoc [ ("kind", string "radii"); ("radii", row place radii) ]
  | Relative { ratio; _ } -> `Assoc [ ("kind", string "relative"); ("ratio", rational ratio) ]
  | Box { lower; upper } -> `Assoc [ ("kind", string "box"); ("lower", row place lower); ("upper", row place upper) ]
  | Range { lower; upper } ->
    `Assoc [ ("kind", string "range"); ("lower", option rational lower); ("upper", option rational upper) ]
  | Feature { index; lower; upper; strict_lower; strict_upper } ->
    `Assoc
      [ ("kind", string "feature"); ("index", int index); ("lower", option rational lower);
        ("upper", option rational upper); ("strict_lower", `Bool strict_lower); ("strict_upper", `Bool strict_upper) ]

let comparison ({ terms; constant; strict } : Query.comparison) : json =
  let term ({ output; weight } : Query.term) : json = `Assoc [ ("output", int output); ("weight", rational weight) ] in
  `Assoc [ ("terms", list term terms); ("constant", rational constant); ("strict", `Bool strict) ]

let property : Query.property -> json = function
  | Within { classes } -> `Assoc [ ("kind", string "within"); ("classes", list int classes) ]
  | Avoid { cases } -> `Assoc [ ("kind", string "avoid"); ("cases", list (list comparison) cases) ]

(* {1 Answers} *)

type files = Kept | Gone

let file files name = match files with Kept -> string name | Gone -> `Null

let witness files ({ file = name; picture; classes; margin; distance; centre } : Verdict.witness) : json =
  `Assoc
    [ ("file", file files name); ("picture", option (file files) picture); ("classes", list int classes);
      ("margin", float margin); ("distance", float distance); ("centre", `Bool centre) ]

let verdict files (v : Verdict.concluded) : json =
  let details =
    match v with
    | Valid | Timeout -> []
    | Invalid (Witness w) -> [ ("witness", witness files w) ]
    | Invalid Proof_of_contrary -> [ ("witness", `Null) ]
    | Unknown reason -> [ ("reason", string reason) ]
    | Failure message -> [ ("message", string message) ]
  in
  `Assoc (("verdict", string (Report_words.verdict v)) :: details)

let outcome files (o : Protocol.outcome) : json =
  `Assoc
    [ ("conclusion", verdict files (Verdict.conclude o.verdict)); ("step", string o.step);
      ("margin", option float o.margin) ]

let diagnostic (d : Diag.t) : json =
  let place (l : Diag.location) : json =
    `Assoc
      [ ("file", string l.file); ("line", int l.line); ("column", int l.column); ("end_line", int l.end_line);
        ("end_column", int l.end_column) ]
  in
  `Assoc [ ("location", option place d.location); ("message", string d.message); ("hint", option string d.hint) ]
