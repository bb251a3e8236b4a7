open Report_table

type context = Report_context.t

(* Enough to tell two files apart. *)
let short_digest digest = String.sub digest 0 (min 12 (String.length digest))

let normalization (n : Protocol.network) =
  match n.normalization_source with
  | None -> []
  | Some "specification" -> [ "normalised by the specification" ]
  | Some card -> [ "normalised by " ^ Filename.basename card ]

(* One thing: its kind, its name, and facts about it. *)
type entry = { kind : string; name : string; facts : string list }

let network ((n, d) : Query.network * Protocol.network) =
  let shapes = Printf.sprintf "%s -> %d" (Report_words.shape d.input_shape) d.outputs in
  let size = Report_words.plural d.neurons "neuron" and digest = "sha256 " ^ short_digest d.digest in
  { kind = "network"; name = Filename.basename n.path; facts = [ shapes; size ] @ normalization d @ [ digest ] }

let hierarchy t =
  let cuts = List.map (fun (name, _) -> Printf.sprintf "cut \"%s\"" name) (Hierarchy.cuts t) in
  let size = Report_words.plural (Hierarchy.class_count t) "class" in
  let depth = Printf.sprintf "depth %d" (Hierarchy.depth t) in
  { kind = "hierarchy"; name = Filename.basename (Hierarchy.file t); facts = size :: depth :: cuts }

(* Samples that some query is about. *)
let dataset (context : context) ((dataset, d) : Query.dataset * Protocol.dataset) =
  let index (q : Plan.query) =
    Option.bind q.subject (fun s -> if s.dataset = dataset then Some s.index else None)
  in
  let used = List.sort_uniq compare (List.filter_map index (Array.to_list context.result.plan.queries)) in
  let size = Printf.sprintf "%d of %s" (List.length used) (Report_words.plural d.length "sample") in
  { kind = "dataset"; name = dataset.source; facts = [ size; Report_words.shape d.shape ] }

(* Facts that do not fit on the line of their entry go on below. *)
let rows (context : context) entries =
  let longest = List.fold_left (fun w e -> max w (length e.kind + length e.name)) 0 entries in
  let row e =
    match pack ~width:(context.width - longest - 6) ~sep:", " e.facts with
    | [] -> []
    | first :: others ->
      [ cell ~style:`Faint e.kind; cell ~style:`Bold e.name; cell first ]
      :: List.map (fun facts -> [ cell ""; cell ""; cell facts ]) others
  in
  List.concat_map row entries

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
  let entries =
    List.map network networks
    @ List.map hierarchy (Aggregate_levels.hierarchies conclusions)
    @ List.map (dataset context) datasets
  in
  pp_rows ~width:context.width ~indent:2 [ left ""; name ""; name "" ] (rows context entries) ppf ()
