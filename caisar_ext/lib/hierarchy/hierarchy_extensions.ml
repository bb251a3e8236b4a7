let quoted t node = Printf.sprintf "\"%s\"" (Hierarchy.node_name t node)
let disjoint t a b = Hierarchy.(Classes.disjoint (extension t a) (extension t b))

(* In a tree, a node has the classes of another only when it has a single child. *)
let rec single_children t node =
  let below = Hierarchy.children t node in
  let deeper = List.concat_map (single_children t) below in
  match below with
  | [ child ] ->
    let message = Printf.sprintf "%s has the same classes as %s" (quoted t node) (quoted t child) in
    Diag.make ~loc:(Hierarchy.location t node) message ~hint:"add a class to it, or keep one of the two" :: deeper
  | _ -> deeper

let repeated_overlays t =
  let module By_extension = Map.Make (Hierarchy.Classes) in
  let rec tree seen node =
    List.fold_left tree (By_extension.add (Hierarchy.extension t node) node seen) (Hierarchy.children t node)
  in
  let check (seen, found) overlay =
    let extension = Hierarchy.extension t overlay in
    match By_extension.find_opt extension seen with
    | None -> (By_extension.add extension overlay seen, found)
    | Some other ->
      let message = Printf.sprintf "%s has the same classes as %s" (quoted t overlay) (quoted t other) in
      (seen, Diag.make ~loc:(Hierarchy.location t overlay) message ~hint:"use the other name" :: found)
  in
  snd (List.fold_left check (tree By_extension.empty (Hierarchy.root t), []) (Hierarchy.overlays t))

(* The largest nodes of the tree that hold none of these classes. *)
let outside t classes =
  let rec below node =
    if Hierarchy.(Classes.disjoint classes (extension t node)) then [ node ]
    else List.concat_map below (Hierarchy.children t node)
  in
  below (Hierarchy.root t)

let check_cut t locate (name : Hierarchy_syntax.name) blocks =
  let overlap (earlier, found) (block : Hierarchy_syntax.name) =
    let node = Hierarchy.group t block.text in
    let clash other =
      let message = Printf.sprintf "%s and %s overlap in cut \"%s\"" (quoted t other) (quoted t node) name.text in
      Diag.make ~loc:(locate block.place) message ~hint:"the blocks of a cut are disjoint"
    in
    let found = List.map clash (List.filter (fun other -> not (disjoint t other node)) (List.rev earlier)) @ found in
    (node :: earlier, found)
  in
  let nodes, overlaps = List.fold_left overlap ([], []) blocks in
  let covered = List.fold_left (fun s v -> Hierarchy.(Classes.union s (extension t v))) Hierarchy.Classes.empty nodes in
  match outside t covered with
  | [] -> overlaps
  | missing ->
    let names = String.concat ", " (List.map (quoted t) missing) in
    let message = Printf.sprintf "cut \"%s\" leaves out %s" name.text names in
    Diag.make ~loc:(locate name.place) message ~hint:"the blocks of a cut cover the classes" :: overlaps

let check_never t locate (reference : Hierarchy_syntax.name) (answer : Hierarchy_syntax.name) =
  let extension (name : Hierarchy_syntax.name) = Hierarchy.extension t (Hierarchy.group t name.text) in
  match Hierarchy.Classes.min_elt_opt (Hierarchy.Classes.inter (extension reference) (extension answer)) with
  | None -> []
  | Some c ->
    let message = Printf.sprintf "never: \"%s\" is on both sides" (Hierarchy.class_name t c) in
    [ Diag.make ~loc:(locate (fst reference.place, snd answer.place)) message
        ~hint:"a class is always a right answer to itself" ]

let check ~locate t (syntax : Hierarchy_syntax.t) =
  let declaration = function
    | Hierarchy_syntax.Cut (name, blocks) -> check_cut t locate name blocks
    | Never (reference, answer) -> check_never t locate reference answer
    | Member _ | Overlay _ -> []
  in
  single_children t (Hierarchy.root t) @ repeated_overlays t @ List.concat_map declaration syntax.declarations
