type t = {
  oracle : World.oracle;
  mutable hierarchies : Hierarchy.t list;
  mutable networks : Query.network list;
  mutable datasets : Query.dataset list;
}

let create oracle = { oracle; hierarchies = []; networks = []; datasets = [] }

let check_network t hierarchy network =
  Hierarchy.check_outputs hierarchy ~network_outputs:(t.oracle.network ~loc:None network).outputs

let check_dataset t hierarchy dataset =
  Hierarchy.check_class_names hierarchy (t.oracle.dataset ~loc:None dataset).class_names

(* Things are few and come up at every sample: physical equality finds nearly all of them. *)
let known x l = List.memq x l || List.mem x l

let hierarchy t h =
  if not (List.memq h t.hierarchies) then begin
    List.iter (check_network t h) t.networks;
    List.iter (check_dataset t h) t.datasets;
    t.hierarchies <- h :: t.hierarchies
  end

let network t n =
  if not (known n t.networks) then begin
    List.iter (fun h -> check_network t h n) t.hierarchies;
    t.networks <- n :: t.networks
  end

let dataset t d =
  if not (known d t.datasets) then begin
    List.iter (fun h -> check_dataset t h d) t.hierarchies;
    t.datasets <- d :: t.datasets
  end

let again t { hierarchies; networks; datasets; _ } =
  List.iter (hierarchy t) hierarchies;
  List.iter (network t) networks;
  List.iter (dataset t) datasets

(* Axes of length 1 do not count, and a flat input takes any shape. Channels last would be a silent shuffling. *)
let fits sample input =
  let axes = List.filter (( <> ) 1) and size = List.fold_left ( * ) 1 in
  axes sample = axes input || (List.length (axes input) <= 1 && size sample = size input)

let check_shape ~loc (dataset : Query.dataset) ~sample ~input =
  if not (fits sample input) then
    let pp = Fmt.(list ~sep:(any "x") int) in
    Diag.error ?loc "samples of %s have shape %a, the network's input %a" dataset.source pp sample pp input
