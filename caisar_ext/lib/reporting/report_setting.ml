open Report_table

type context = Report_context.t

let subheading title ppf () = Fmt.pf ppf "@\n  %a@\n" Fmt.(styled `Underline string) (printable title)

(* Open is no failure where nothing was asked. *)
let note ~asked ~open_ = cell ~style:`Faint (if open_ > 0 && not asked then "not asked" else "")

(* {1 Levels} *)

let level_name (hierarchy : Hierarchy.t) (level : Hierarchy.level) =
  match level with
  | Up 0 -> "up 0, the class itself"
  | Up k when k = Hierarchy.depth hierarchy -> Printf.sprintf "up %d, all but never pairs" k
  | level -> Fmt.str "%a" Hierarchy.pp_level level

let levels (context : context) (setting : Aggregate.setting) ppf () =
  let columns = [ name "all answers stay within"; right "proven"; right ""; right "refuted"; right "open"; left "" ] in
  let row (r : Aggregate_levels.row) =
    [ cell (level_name setting.hierarchy r.level); count ~style:`Green r.proven;
      cell (Report_words.percentage r.proven (List.length setting.samples)); count ~style:`Red r.refuted;
      count ~style:`Yellow r.open_; note ~asked:(r.asked > 0) ~open_:r.open_ ]
  in
  subheading "Levels" ppf ();
  pp ~width:context.width ~indent:4 columns (List.map row (Aggregate_levels.rows context.result.plan setting)) ppf ()

(* {1 Intervals} *)

let height ~none = function Some k -> cell (Printf.sprintf "up %d" k) | None -> cell ~style:`Faint none

let intervals (context : context) (setting : Aggregate.setting) ppf () =
  let columns = [ left "finest level proven"; left "coarsest level refuted"; right "samples" ] in
  let row (i : Aggregate_levels.interval) =
    [ height ~none:"none" i.finest_proven; height ~none:"none" i.coarsest_refuted; cell (string_of_int i.samples) ]
  in
  subheading "Samples by interval: what is proven, what is refuted, open in between" ppf ();
  pp ~width:context.width ~indent:4 columns (List.map row (Aggregate_levels.intervals setting)) ppf ()

let each_sample (context : context) (setting : Aggregate.setting) ppf () =
  let columns = [ right "sample"; name "class"; name "finest proven"; name "coarsest refuted"; right "CPU s" ] in
  let node n = cell (Option.fold ~none:"-" ~some:(Hierarchy.node_name setting.hierarchy) n) in
  let row (s : Aggregate.sample) =
    [ cell (Report_context.sample context s.subject); cell (Hierarchy.class_name setting.hierarchy s.reference);
      node s.finest_proven; node s.coarsest_refuted; cell (Printf.sprintf "%.2f" s.answer.seconds) ]
  in
  subheading "Each sample" ppf ();
  pp ~width:context.width ~indent:4 columns (List.map row setting.samples) ppf ()

(* {1 Groups} *)

(* Indented by its depth in the tree. *)
let group_name hierarchy node =
  let name = Hierarchy.node_name hierarchy node in
  let rec depth = function [] -> 0 | n :: above -> if Hierarchy.equal n node then List.length above else depth above in
  match Hierarchy.kind hierarchy node with
  | Overlay -> name ^ " (overlay)"
  | Class _ | Group ->
    let least = Hierarchy.(Classes.min_elt (extension hierarchy node)) in
    String.make (2 * (depth (Hierarchy.ancestors hierarchy least) - 1)) ' ' ^ name

(* Names of the groups that some goal asks about, for some sample. *)
let asked_groups (plan : Plan.t) (setting : Aggregate.setting) =
  let asked = Hashtbl.create 16 in
  let add s (node, _) =
    let name = Hierarchy.node_name setting.hierarchy node in
    if (not (Hashtbl.mem asked name)) && Aggregate_levels.is_asked plan setting.hierarchy s node then
      Hashtbl.add asked name ()
  in
  List.iter (fun (s : Aggregate.sample) -> List.iter (add s) (s.levels @ s.overlays)) setting.samples;
  asked

let groups (context : context) (setting : Aggregate.setting) ppf () =
  let columns = [ name "group"; right "samples"; right "proven"; right "refuted"; right "open"; left "" ] in
  let asked = asked_groups context.result.plan setting in
  let row (g : Aggregate.group) =
    let asked = Hashtbl.mem asked (Hierarchy.node_name setting.hierarchy g.node) in
    [ cell (group_name setting.hierarchy g.node);
      cell (string_of_int (g.proven + g.refuted + g.open_)); count ~style:`Green g.proven; count ~style:`Red g.refuted;
      count ~style:`Yellow g.open_; note ~asked ~open_:g.open_ ]
  in
  subheading "Groups: do answers stay inside?" ppf ();
  pp ~width:context.width ~indent:4 columns (List.map row setting.groups) ppf ()

(* {1 Matrices} *)

let matrix_cell ~diagonal (c : Aggregate.cell) =
  match c with
  | No_sample -> cell ~style:`Faint "-"
  | _ when diagonal -> cell ~style:`Faint "own"
  | Witnessed n -> cell ~style:`Red (Printf.sprintf "%d seen" n)
  | Impossible -> cell ~style:`Green "never"
  | Undecided -> cell ~style:`Yellow "?"

let legend =
  "Rows: the sample's group; columns: the answer's. never: proven for every sample; 1 seen: samples with a replayed \
   witness; ?: open; own: the same group; -: no sample."

let block_names (setting : Aggregate.setting) (m : Aggregate.matrix) =
  List.map (Hierarchy.node_name setting.hierarchy) m.blocks

let widest_cell = 7
let table_width rows columns = List.fold_left (fun w n -> w + 2 + max widest_cell n) (4 + rows) columns

(* One column a block, headed by its name, or by its number where names are too long; [None] when neither fits. *)
let as_table (context : context) setting (m : Aggregate.matrix) =
  let names = block_names setting m in
  let numbered = List.mapi (fun i n -> Printf.sprintf "%d %s" (i + 1) n) names in
  let numbers = List.mapi (fun i _ -> string_of_int (i + 1)) names in
  let fits (rows, columns) =
    let longest = List.fold_left (fun w n -> max w (length n)) 0 rows in
    table_width longest (List.map length columns) <= context.width
  in
  let table (rows, columns) =
    let cells i row = List.mapi (fun j c -> matrix_cell ~diagonal:(i = j) c) row in
    let line i row = cell (List.nth rows i) :: cells i row in
    pp ~width:context.width ~indent:4 (left "" :: List.map right columns) (List.mapi line m.rows)
  in
  Option.map table (List.find_opt fits [ (names, names); (numbered, numbers) ])

(* One line a row: whom it is confused with. *)
let as_list (context : context) setting (m : Aggregate.matrix) ppf () =
  let names = block_names setting m in
  let row i cells =
    let others = List.filteri (fun j _ -> j <> i) (List.combine names cells) in
    let seen_in = function n, Aggregate.Witnessed k -> Some (Printf.sprintf "%s (%d seen)" n k) | _ -> None in
    let number state = List.length (List.filter (fun (_, c) -> c = state) others) in
    [ cell (List.nth names i); cell ~style:`Red (String.concat ", " (List.filter_map seen_in others));
      count ~style:`Green (number Aggregate.Impossible); count ~style:`Yellow (number Aggregate.Undecided) ]
  in
  let sampled cells = not (List.mem Aggregate.No_sample cells) in
  let rows = List.filteri (fun i _ -> sampled (List.nth m.rows i)) (List.mapi row m.rows) in
  let columns = [ name "group"; name "answered as"; right "never"; right "open" ] in
  pp ~width:context.width ~indent:4 columns rows ppf ()

let matrix (context : context) (setting : Aggregate.setting) ppf (m : Aggregate.matrix) =
  subheading (Printf.sprintf "Answers by group: cut \"%s\"" m.cut) ppf ();
  match as_table context setting m with
  | Some table -> table ppf ()
  | None -> as_list context setting m ppf ()

let has_open_cells (setting : Aggregate.setting) =
  let off_diagonal i row = List.exists Fun.id (List.mapi (fun j c -> i <> j && c = Aggregate.Undecided) row) in
  List.exists (fun (m : Aggregate.matrix) -> List.exists Fun.id (List.mapi off_diagonal m.rows)) setting.matrices

(* {1 All} *)

let title (setting : Aggregate.setting) =
  let base = Filename.basename in
  let region = Report_words.region_kind ~radius:setting.radius setting.bounds in
  let domain = Option.fold ~none:"" ~some:(fun d -> ", domain " ^ d) setting.domain in
  Printf.sprintf "%s: %s around %s, groups of %s%s" (base setting.network.path) region
    (Report_words.plural (List.length setting.samples) "sample") (base (Hierarchy.file setting.hierarchy)) domain

let pp context (setting : Aggregate.setting) ppf () =
  Report_context.heading (title setting) ppf ();
  levels context setting ppf ();
  intervals context setting ppf ();
  if context.detail = Full then each_sample context setting ppf ();
  if setting.groups <> [] then groups context setting ppf ();
  List.iter (matrix context setting ppf) setting.matrices;
  Report_context.paragraph ~style:`Faint ~indent:4 context legend ppf ()
