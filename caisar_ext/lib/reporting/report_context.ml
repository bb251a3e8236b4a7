type detail = Brief | Full
type t = { width : int; detail : detail; witnesses : string option; result : Verification.result }

let goal_name context (goal : Spec.goal) =
  let theories = List.map (fun (g : Plan.goal) -> g.goal.theory) context.result.plan.goals in
  if List.for_all (String.equal goal.theory) theories then goal.name else goal.theory ^ "." ^ goal.name

let named_by_dataset context (subject : Plan.subject option) c =
  let description (s : Plan.subject) = List.assoc_opt s.dataset context.result.datasets in
  Option.bind (Option.bind subject description) (fun (d : Protocol.dataset) -> List.nth_opt d.class_names c)

let class_name context (subject : Plan.subject option) c =
  match Option.bind subject (fun s -> s.reference) with
  | Some (hierarchy, _) -> Hierarchy.class_name hierarchy c
  | None -> Option.value (named_by_dataset context subject c) ~default:(Printf.sprintf "class %d" c)

let answers context subject classes = String.concat " or " (List.map (class_name context subject) classes)

let sample context (s : Plan.subject) =
  if List.length context.result.datasets <= 1 then Printf.sprintf "#%d" s.index
  else Printf.sprintf "%s #%d" s.dataset.source s.index

let at_most n context items =
  match context.detail with
  | Full -> (items, 0)
  | Brief -> (List.filteri (fun i _ -> i < n) items, max 0 (List.length items - n))

let heading title ppf () = Fmt.pf ppf "@\n%a@\n" Fmt.(styled `Bold string) (Report_table.printable title)

let paragraph ?style ~indent context text ppf () =
  let words = String.split_on_char ' ' (Report_table.printable text) in
  let lines = Report_table.pack ~width:(context.width - indent - 2) ~sep:" " words in
  let styled = Option.fold ~none:Fun.id ~some:Fmt.styled style Fmt.string in
  let margin i = String.make (if i = 0 then indent else indent + 2) ' ' in
  List.iteri (fun i text -> Fmt.pf ppf "%s%a@\n" (margin i) styled text) lines
