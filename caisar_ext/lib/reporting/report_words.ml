(* {1 Numbers} *)

let plural n noun =
  let stem = String.sub noun 0 (String.length noun - 1) in
  let many =
    match noun.[String.length noun - 1] with 'y' -> stem ^ "ies" | 's' -> noun ^ "es" | _ -> noun ^ "s"
  in
  Printf.sprintf "%d %s" n (if n = 1 then noun else many)

let percentage part whole =
  if whole = 0 then "-" else Printf.sprintf "%.1f %%" (Float.of_int (1000 * part / whole) /. 10.)

(* The power of ten that makes [q] an integer, if there is a small one. *)
let decimals ~most q =
  let rec search places q =
    if Z.equal (Q.den q) Z.one then Some places
    else if places = most then None
    else search (places + 1) (Q.mul q (Q.of_int 10))
  in
  search 0 q

let decimal places q = Printf.sprintf "%.*f" places (Q.to_float q)

let rational q =
  let of_255ths = Q.mul q (Q.of_int 255) in
  match (decimals ~most:6 q, decimals ~most:1 of_255ths) with
  | Some places, _ -> decimal places q
  | None, Some places -> decimal places of_255ths ^ "/255"
  | None, None -> Q.to_string q

let real x = Printf.sprintf "%.3g" x

let distance ~radius d =
  match radius with
  | Some r when String.ends_with ~suffix:"/255" (rational r) -> Printf.sprintf "%.2f/255" (d *. 255.)
  | _ -> real d

let duration seconds =
  let whole = Float.to_int (Float.round seconds) in
  if seconds < 59.95 then Printf.sprintf "%.1f s" seconds
  else if whole < 3600 then Printf.sprintf "%d min %d s" (whole / 60) (whole mod 60)
  else Printf.sprintf "%d h %d min" (whole / 3600) (whole mod 3600 / 60)

let size bytes =
  let mebibytes = Float.of_int bytes /. 1048576. in
  if mebibytes < 1024. then Printf.sprintf "%.0f MiB" mebibytes else Printf.sprintf "%.1f GiB" (mebibytes /. 1024.)

(* {1 What was taken} *)

let noise ({ step; queries; most = { storage; reason; predicted; peak; boxed; symbols = _ }; coarser } : Noise_uses.t) =
  let loss =
    if coarser = 0 then ""
    else
      Printf.sprintf "; coarser bounds for %s, up to %.0f %% of an output's width without symbols"
        (plural coarser "query") (100. *. boxed)
  in
  Printf.sprintf "%s, %s: noise %s, %s predicted, %s taken at most; %s%s" step
    (plural queries "query")
    storage (size predicted) (size peak) reason loss

(* {1 What was asked} *)

let radius bounds = List.find_map (function Query.Ball { radius; _ } -> Some radius | _ -> None) bounds

let range ({ lower; upper } : Query.range) =
  match (lower, upper) with
  | Some l, Some u -> Printf.sprintf "in [%s, %s]" (rational l) (rational u)
  | Some l, None -> Printf.sprintf "from %s" (rational l)
  | None, Some u -> Printf.sprintf "up to %s" (rational u)
  | None, None -> "anywhere"

let row ({ dataset; array; _ } : Query.row) = if array = Query.images then dataset.source else array

let by_rows : Query.bound -> string option = function
  | Radii { radii; _ } -> Some (Printf.sprintf "ball with %s" (row radii))
  | Relative { ratio; _ } -> Some (Printf.sprintf "relative ball %s" (rational ratio))
  | Box { lower; upper } -> Some (Printf.sprintf "box [%s, %s]" (row lower) (row upper))
  | Ball _ | Range _ | Feature _ -> None

let region_kind ~radius bounds =
  let ball = Option.map (fun r -> "ball " ^ rational r) radius in
  let ranges = List.filter_map (function Query.Range r -> Some (range r) | _ -> None) bounds in
  let features = List.filter_map (function Query.Feature { index; _ } -> Some index | _ -> None) bounds in
  let box =
    match List.length (List.sort_uniq compare features) with
    | 0 -> None
    | n -> Some (Printf.sprintf "box of %s" (plural n "feature"))
  in
  String.concat " " (Option.to_list ball @ List.filter_map by_rows bounds @ ranges @ Option.to_list box)

let shape dimensions = String.concat "x" (List.map string_of_int dimensions)

(* {1 Verdicts} *)

let verdict : 'r Verdict.t -> string = function
  | Valid -> "Valid"
  | Invalid _ -> "Invalid"
  | Unknown _ -> "Unknown"
  | Timeout -> "Timeout"
  | Failure _ -> "Failure"

let verdict_style : 'r Verdict.t -> Fmt.style = function
  | Valid -> `Green
  | Invalid _ -> `Red
  | Unknown _ | Timeout -> `Yellow
  | Failure _ -> `Magenta

(* The reasons that the protocol's page names, and what the prover says otherwise. *)
let reason : 'r Verdict.t -> string option = function
  | Valid | Invalid _ -> None
  | Unknown "bound" -> Some "bound too loose"
  | Unknown "tie" -> Some "touches a tie"
  | Unknown "rounding" -> Some "hidden by rounding"
  | Unknown "interrupted" -> Some "no answer: interrupted"
  | Unknown other -> Some other
  | Timeout -> Some "out of time"
  | Failure message -> Some message
