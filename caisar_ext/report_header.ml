open Report_table

type context = Report_context.t

(* Enough to tell two files apart. *)
let short_digest digest = String.sub digest 0 (min 12 (String.length digest))

let normalization (n : Protocol.network) =
  match n.normalization_source with
  | None -> "input as given"
  | Some "specification" -> "input normalised by the specification"
  | Some card -> "input normalised by " ^ Filename.basename card

let network ((n, d) : Query.network * Protocol.network) =
  let facts =
    [ Printf.sprintf "%s -> %d" (Report_words.shape d.input_shape) d.outputs; Report_words.plural d.neurons "neuron";
      normalization d; "sha256 " ^ short_digest d.digest ]
  in
  [ cell ~style:`Faint "network"; cell ~style:`Bold (Filename.basename n.path); cell (String.concat ", " facts) ]

let hierarchy t =
  let cuts = List.map (fun (name, _) -> "\"" ^ name ^ "\"") (Hierarchy.cuts t) in
  let cuts = if cuts = [] then [] else [ "cuts " ^ String.concat " " cuts ] in
  let facts = [ Report_words.plural (Hierarchy.class_count t) "class"; Printf.sprintf "depth %d" (Hierarchy.depth t) ] in
  [ cell ~style:`Faint "hierarchy"; cell ~style:`Bold (Filename.basename (Hierarchy.file t));
    cell (String.concat ", " (facts @ cuts)) ]

(* Samples that some query is about. *)
let dataset (context : context) ((dataset, d) : Query.dataset * Protocol.dataset) =
  let index (q : Plan.query) =
    Option.bind q.subject (fun s -> if s.dataset = dataset then Some s.index else None)
  in
  let used = List.sort_uniq compare (List.filter_map index (Array.to_list context.result.plan.queries)) in
  let facts = [ Printf.sprintf "%d of %s" (List.length used) (Report_words.plural d.length "sample");
                Report_words.shape d.shape ] in
  [ cell ~style:`Faint "dataset"; cell ~style:`Bold dataset.source; cell (String.concat ", " facts) ]

let interrupted (context : context) ppf () =
  let { Aggregate.answered; asked; _ } = context.result.conclusions in
  if context.result.completion = Interrupted then
    Fmt.pf ppf "%a@\n@\n"
      Fmt.(styled `Bold (styled `Yellow string))
      (Printf.sprintf "interrupted: %d of %s answered; the rest counts as open" answered
         (Report_words.plural asked "query"))

let pp (context : context) (options : Verification.options) ppf () =
  let { Verification.plan; networks; datasets; conclusions; _ } = context.result in
  interrupted context ppf ();
  Fmt.pf ppf "%a: %s, %s@\n"
    Fmt.(styled `Bold string)
    (printable options.specification)
    (Report_words.plural (List.length plan.goals) "goal")
    (Report_words.plural conclusions.asked "query");
  let rows =
    List.map network networks @ List.map hierarchy (Aggregate_levels.hierarchies conclusions) @ List.map (dataset context) datasets
  in
  pp_rows ~width:context.width ~indent:2 [ left ""; name ""; name "" ] rows ppf ()
