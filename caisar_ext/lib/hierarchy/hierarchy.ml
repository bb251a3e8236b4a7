module Classes = Set.Make (Int)

type node = int
type kind = Class of int | Group | Overlay
type level = Up of int | Cut of string

type entry = {
  name : Hierarchy_syntax.name;
  kind : kind;
  parent : node option;
  children : node list;
  extension : Classes.t;
  height : int;  (** of a tree node *)
}

type t = {
  file : string;
  source : string option;
  entries : entry array;  (** the tree in preorder, the root first, then the overlays *)
  overlays : node list;
  leaves : node array;  (** by class *)
  by_name : (string, node) Hashtbl.t;
  cuts : (string * node list) list;
  never : (node * node) list;
  forbidden : Classes.t array;  (** by reference *)
}

(* {1 Building} *)

let union_of extensions = List.fold_left Classes.union Classes.empty extensions

(* Nodes are numbered as they are met; an entry is complete only after its children. *)
type builder = { names : (string, node) Hashtbl.t; mutable count : int; mutable finished : (node * entry) list }

let add b (name : Hierarchy_syntax.name) make =
  let node = b.count in
  b.count <- node + 1;
  Hashtbl.add b.names name.text node;
  let entry = make node in
  b.finished <- (node, entry) :: b.finished;
  (node, entry)

let rec add_group b parent name members =
  add b name (fun node ->
      let children = List.map (add_member b (Some node)) members in
      let extension = union_of (List.map (fun (_, e) -> e.extension) children) in
      let height = 1 + List.fold_left (fun h (_, e) -> max h e.height) 0 children in
      { name; kind = Group; parent; children = List.map fst children; extension; height })

and add_member b parent = function
  | Hierarchy_syntax.Group (name, members) -> add_group b parent name members
  | Class (name, { value; _ }) ->
    add b name (fun _ ->
        { name; kind = Class value; parent; children = []; extension = Classes.singleton value; height = 0 })

let add_overlay b name members =
  let extension_of (member : Hierarchy_syntax.name) =
    (List.assoc (Hashtbl.find b.names member.text) b.finished).extension
  in
  let extension = union_of (List.map extension_of members) in
  fst (add b name (fun _ -> { name; kind = Overlay; parent = None; children = []; extension; height = 0 }))

let by_class entries =
  let leaf node entry = match entry.kind with Class c -> Some (c, node) | Group | Overlay -> None in
  let leaves = List.filter_map Fun.id (Array.to_list (Array.mapi leaf entries)) in
  Array.of_list (List.map snd (List.sort compare leaves))

let of_syntax ?source ~file (syntax : Hierarchy_syntax.t) =
  let b = { names = Hashtbl.create 64; count = 0; finished = [] } in
  let declarations = syntax.declarations in
  let members = List.filter_map (function Hierarchy_syntax.Member m -> Some m | _ -> None) declarations in
  ignore (add_group b None syntax.name members);
  let overlays =
    List.filter_map (function Hierarchy_syntax.Overlay (n, l) -> Some (add_overlay b n l) | _ -> None) declarations
  in
  let entries = Array.of_list (List.map snd (List.sort (fun (a, _) (b, _) -> compare a b) b.finished)) in
  let node (name : Hierarchy_syntax.name) = Hashtbl.find b.names name.text in
  let cuts =
    List.filter_map
      (function Hierarchy_syntax.Cut (n, l) -> Some (n.text, List.map node l) | _ -> None)
      declarations
  in
  let never =
    List.filter_map (function Hierarchy_syntax.Never (r, a) -> Some (node r, node a) | _ -> None) declarations
  in
  let leaves = by_class entries in
  let forbidden = Array.make (Array.length leaves) Classes.empty in
  let forbid (reference, answer) =
    Classes.iter
      (fun c -> forbidden.(c) <- Classes.union forbidden.(c) entries.(answer).extension)
      entries.(reference).extension
  in
  List.iter forbid never;
  { file; source; entries; overlays; leaves; by_name = b.names; cuts; never; forbidden }

(* {1 Nodes and names} *)

let root _ = 0
let equal = Int.equal
let file t = t.file
let overlays t = t.overlays
let node_name t node = t.entries.(node).name.text
let name t = node_name t 0
let kind t node = t.entries.(node).kind
let extension t node = t.entries.(node).extension
let children t node = t.entries.(node).children
let class_count t = Array.length t.leaves

let height t node =
  if kind t node = Overlay then invalid_arg "Hierarchy.height: an overlay";
  t.entries.(node).height

let leaf t c =
  if c < 0 || c >= class_count t then invalid_arg (Printf.sprintf "Hierarchy: class %d out of range" c);
  t.leaves.(c)

let class_name t c = node_name t (leaf t c)

let location t node =
  let first, last = t.entries.(node).name.place in
  Diag.of_lexing ?source:t.source first last

let spellings t = List.map (fun e -> e.name.Hierarchy_syntax.text) (Array.to_list t.entries)

let group ?loc t name =
  match Hashtbl.find_opt t.by_name name with
  | Some node -> node
  | None ->
    Diag.error ?loc "unknown group \"%s\" in %s" name t.file ?hint:(Diag.did_you_mean name (spellings t))

let class_of ?loc t name =
  match Option.map (kind t) (Hashtbl.find_opt t.by_name name) with
  | Some (Class c) -> c
  | Some (Group | Overlay) ->
    Diag.error ?loc "\"%s\" is a group in %s, not a class" name t.file ~hint:"write group instead of class_of"
  | None ->
    let names = List.init (class_count t) (class_name t) in
    Diag.error ?loc "unknown class \"%s\" in %s" name t.file ?hint:(Diag.did_you_mean name names)

(* {1 Tree} *)

let ancestors t c =
  let rec from node = node :: Option.fold ~none:[] ~some:from t.entries.(node).parent in
  from (leaf t c)

let up t k c =
  if k < 0 then invalid_arg "Hierarchy.up: negative k";
  let rec climb k node =
    match t.entries.(node).parent with Some parent when k > 0 -> climb (k - 1) parent | _ -> node
  in
  climb k (leaf t c)

let contains t classes node = Classes.subset classes (extension t node)

let lowest_common_ancestor t classes =
  Option.map (fun c -> List.find (contains t classes) (ancestors t c)) (Classes.min_elt_opt classes)

let minimal_groups t classes =
  match lowest_common_ancestor t classes with
  | None -> []
  | Some ancestor ->
    let candidates = ancestor :: List.filter (contains t classes) t.overlays in
    let strictly_inside a b = (not (equal a b)) && Classes.subset (extension t a) (extension t b) in
    List.filter (fun b -> not (List.exists (fun a -> strictly_inside a b) candidates)) candidates

(* {1 Levels} *)

let pp_level ppf = function Up k -> Fmt.pf ppf "up %d" k | Cut name -> Fmt.pf ppf "cut \"%s\"" name
let cuts t = t.cuts
let depth t = height t (root t)

let check_level ?loc t = function
  | Up k when k < 0 -> Diag.error ?loc "up %d: the level is negative" k ~hint:"up 0 is the class itself"
  | Up k when k >= depth t ->
    Diag.warn ?loc "up %d is the root of %s for every class: only never pairs are left to check" k t.file
      ~hint:(Printf.sprintf "up %d is the coarsest level below the root" (depth t - 1))
  | Up _ -> ()
  | Cut name when List.mem_assoc name t.cuts -> ()
  | Cut name ->
    let known = List.map fst t.cuts in
    let none = if known = [] then Some "this hierarchy declares no cut" else None in
    let hint = if known = [] then none else Diag.did_you_mean name known in
    Diag.error ?loc "unknown cut \"%s\" in %s" name t.file ?hint

let at_level t level c =
  match level with
  | Up k -> up t k c
  | Cut name -> List.find (contains t (Classes.singleton c)) (List.assoc name t.cuts)

let within t level ~reference ~answer = Classes.mem answer (extension t (at_level t level reference))

(* {1 Safety} *)

let never t = t.never

let forbidden_answers t c =
  ignore (leaf t c);
  t.forbidden.(c)

let forbidden t ~reference ~answer = Classes.mem answer (forbidden_answers t reference)
let allowed t level c = Classes.diff (extension t (at_level t level c)) (forbidden_answers t c)

let severity t ~reference ~answer =
  if forbidden t ~reference ~answer then depth t + 1
  else Option.fold ~none:0 ~some:(height t) (lowest_common_ancestor t (Classes.of_list [ reference; answer ]))

(* {1 Agreement with a network and a dataset} *)

let check_outputs t ~network_outputs =
  let count = class_count t in
  let beyond c =
    Diag.make ~loc:(location t (leaf t c))
      (Printf.sprintf "class \"%s\" has index %d, but the network has %d outputs" (class_name t c) c network_outputs)
      ~hint:"remove the class, or use the network that it belongs to"
  in
  if network_outputs > count then
    Diag.error ~loc:(location t (root t)) "the network has %d outputs, but \"%s\" has %d classes" network_outputs
      (name t) count
      ~hint:(Printf.sprintf "declare a class for each output from %d to %d" count (network_outputs - 1));
  if network_outputs < count then
    raise (Diag.Error (List.init (count - network_outputs) (fun i -> beyond (network_outputs + i))))

let check_class_names t names =
  let count = class_count t in
  if names <> [] && List.length names <> count then
    Diag.error ~loc:(location t (root t)) "the dataset names %d classes, but \"%s\" has %d" (List.length names) (name t)
      count ~hint:"give each class of the dataset its name and index in the hierarchy";
  let mistake c expected =
    let found = class_name t c in
    if found = expected then None
    else
      Some
        (Diag.make ~loc:(location t (leaf t c))
           (Printf.sprintf "class \"%s\" has index %d, but class %d of the dataset is \"%s\"" found c c expected)
           ~hint:"classes of the hierarchy and of the dataset agree in name and index")
  in
  match List.filter_map Fun.id (List.mapi mistake names) with [] -> () | mistakes -> raise (Diag.Error mistakes)

(* {1 Output} *)

let to_sexp t : Sexplib.Sexp.t =
  let list items : Sexplib.Sexp.t = List items in
  let atom node : Sexplib.Sexp.t = Atom (node_name t node) in
  let number c : Sexplib.Sexp.t = Atom (string_of_int c) in
  let numbers classes = list (List.map number (Classes.elements classes)) in
  let least node = Classes.min_elt (extension t node) in
  let by_class = List.sort (fun a b -> compare (least a) (least b)) in
  let by_name name = List.sort (fun a b -> compare (name a) (name b)) in
  let rec tree node =
    match kind t node with
    | Class c -> list [ atom node; number c ]
    | Group | Overlay -> list [ atom node; list (List.map tree (by_class (children t node))) ]
  in
  let overlay node = list [ atom node; numbers (extension t node) ] in
  let cut (name, blocks) = list [ Atom name; list (List.map atom (by_class blocks)) ] in
  let pairs c = List.map (fun a -> list [ number c; number a ]) (Classes.elements (forbidden_answers t c)) in
  list
    [ list [ Atom "hierarchy"; tree (root t) ];
      list [ Atom "overlays"; list (List.map overlay (by_name (node_name t) t.overlays)) ];
      list [ Atom "cuts"; list (List.map cut (by_name fst t.cuts)) ];
      list [ Atom "never"; list (List.concat_map pairs (List.init (class_count t) Fun.id)) ] ]
