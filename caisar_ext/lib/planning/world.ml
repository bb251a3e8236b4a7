type oracle = {
  network : loc:Diag.location option -> Query.network -> Protocol.network;
  dataset : loc:Diag.location option -> Query.dataset -> Protocol.dataset;
  predict : loc:Diag.location option -> Protocol.predict -> int list list;
}

type t = {
  oracle : oracle;
  folder : string;
  samples : (int * int) option;
  hierarchies : (string, Hierarchy.t) Hashtbl.t;
  views : (string, Value.view) Hashtbl.t;
  answers : (Query.network * Query.dataset, (int, int list) Hashtbl.t) Hashtbl.t;
}

let create oracle ~folder ~samples =
  { oracle; folder; samples; hierarchies = Hashtbl.create 4; views = Hashtbl.create 4; answers = Hashtbl.create 4 }

let memo table key make =
  match Hashtbl.find_opt table key with
  | Some v -> v
  | None ->
    let v = make () in
    Hashtbl.add table key v;
    v

let oracle world = world.oracle

let path world p = if Filename.is_relative p then Filename.concat world.folder p else p

let hierarchy world ~loc p =
  let file = path world p in
  memo world.hierarchies file (fun () ->
      if not (Sys.file_exists file) then Diag.error ?loc "no hierarchy %s" file;
      Hierarchy_reader.read_file file)


let view world ~loc source : Value.view =
  memo world.views source (fun () ->
      let dataset : Query.dataset = { source; base = world.folder } in
      let info = world.oracle.dataset ~loc dataset in
      let first, last = Option.value ~default:(0, info.length) world.samples in
      let first = min first info.length and last = min last info.length in
      ({ dataset; labels = Array.of_list info.labels; first; length = max 0 (last - first) } : Value.view))


let answer world ~loc network ({ view; index } as sample : Value.sample) : Value.t =
  let known = memo world.answers (network, view.dataset) (fun () -> Hashtbl.create view.length) in
  if not (Hashtbl.mem known index) then begin
    let indices = List.init view.length (fun i -> view.first + i) in
    List.iter2 (Hashtbl.replace known) indices (world.oracle.predict ~loc { network; dataset = view.dataset; indices })
  end;
  match Hashtbl.find known index with
  | [ c ] -> Int (Z.of_int c)
  | classes -> Tie { sample; classes }
