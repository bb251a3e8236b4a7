open Caisar_ext
module Classes = Hierarchy.Classes

(* {1 Generated hierarchies} *)

type shape = Leaf | Branch of shape list

(* Trees where every group has at least two members. *)
let shape =
  let open QCheck2.Gen in
  sized_size (int_range 2 12) @@ fix (fun self size ->
      if size < 2 then pure Leaf
      else int_range 2 (min size 4) >>= fun arity -> map (fun l -> Branch l) (list_repeat arity (self (size / arity))))

let rec leaves = function Leaf -> 1 | Branch below -> List.fold_left (fun n s -> n + leaves s) 0 below

(* The tree's text; class [ci] has index [indexes.(i)], groups are [g0], [g1] ... *)
let text_of_shape shape indexes =
  let text = Buffer.create 256 and class_count = ref 0 and group_count = ref 0 in
  let rec member = function
    | Leaf ->
      Printf.bprintf text " class c%d = %d" !class_count indexes.(!class_count);
      incr class_count
    | Branch below ->
      Printf.bprintf text " group g%d {" !group_count;
      incr group_count;
      List.iter member below;
      Buffer.add_string text " }"
  in
  (match shape with Branch below -> List.iter member below | Leaf -> member Leaf);
  Buffer.contents text

(* A random antichain that covers: cut each branch here, or below. *)
let cut_of choose t =
  let rec blocks node =
    match Hierarchy.children t node with
    | [] -> [ node ]
    | below -> if choose () then [ node ] else List.concat_map blocks below
  in
  blocks (Hierarchy.root t)

let names t nodes = String.concat ", " (List.map (Hierarchy.node_name t) nodes)
let of_text text = Hierarchy_reader.of_string ~file:"generated.hier" text

(* A tree, and the same tree with a cut, a never pair and an overlay when their random choice makes sense. *)
let hierarchy ~with_never =
  let open QCheck2.Gen in
  let* shape = shape in
  let count = leaves shape in
  let* indexes = shuffle_a (Array.init count Fun.id) in
  let* choices = array_repeat 64 bool in
  let* a = int_bound (count - 1) and* b = int_bound (count - 1) and* c = int_bound (count - 1) in
  let tree = text_of_shape shape indexes in
  let plain = of_text (Printf.sprintf "hierarchy h {%s }" tree) in
  let next = ref 0 in
  let choose () =
    incr next;
    choices.(!next mod Array.length choices)
  in
  let class_name i = Hierarchy.class_name plain i in
  let never = if with_never && a <> b then Printf.sprintf " never %s -> %s" (class_name a) (class_name b) else "" in
  let pair = Classes.of_list [ b; c ] in
  let is_new node = not (Classes.equal (Hierarchy.extension plain node) pair) in
  let overlay =
    if b <> c && Option.fold ~none:false ~some:is_new (Hierarchy.lowest_common_ancestor plain pair) then
      Printf.sprintf " overlay o = { %s, %s }" (class_name b) (class_name c)
    else ""
  in
  let cut = Printf.sprintf " cut k = { %s }" (names plain (cut_of choose plain)) in
  pure (of_text (Printf.sprintf "hierarchy h {%s%s%s%s }" tree overlay cut never))

let print t = Sexplib.Sexp.to_string (Hierarchy.to_sexp t)

let rec tree_nodes t node = node :: List.concat_map (tree_nodes t) (Hierarchy.children t node)

let all_classes t = List.init (Hierarchy.class_count t) Fun.id

let subset t =
  QCheck2.Gen.(map (fun keep -> Classes.of_list (List.filter (fun c -> keep.(c)) (all_classes t)))
                 (array_repeat (Hierarchy.class_count t) bool))

let print_pair (t, w) =
  Printf.sprintf "%s, {%s}" (print t) (String.concat ", " (List.map string_of_int (Classes.elements w)))

let with_subset = QCheck2.Gen.(hierarchy ~with_never:true >>= fun t -> map (fun w -> (t, w)) (subset t))

let property name generator print law = QCheck2.Test.make ~name ~count:300 ~print generator law

let on_hierarchies name law = property name (hierarchy ~with_never:true) print law

let forall_classes t law = List.for_all law (all_classes t)

let levels t = List.init (Hierarchy.depth t + 2) (fun k -> Hierarchy.Up k) @ [ Hierarchy.Cut "k" ]

(* {1 Laws} *)

(* [a] is below [b] in the tree: read off the ancestors, without the extensions. *)
let below t a b =
  let rec reaches node = Hierarchy.equal node a || List.exists reaches (Hierarchy.children t node) in
  reaches b

let adjunction =
  property "alpha w <= v iff w is included in gamma v" with_subset print_pair (fun (t, w) ->
      let law v =
        let included = Classes.subset w (Hierarchy.extension t v) in
        match Hierarchy.lowest_common_ancestor t w with
        | None -> Classes.is_empty w && included
        | Some ancestor -> below t ancestor v = included
      in
      List.for_all law (tree_nodes t (Hierarchy.root t)))

let insertion =
  on_hierarchies "alpha (gamma v) = v" (fun t ->
      let law v =
        match Hierarchy.lowest_common_ancestor t (Hierarchy.extension t v) with
        | Some w -> Hierarchy.equal v w
        | None -> false
      in
      List.for_all law (tree_nodes t (Hierarchy.root t)))

let lca_of_union =
  let generator = QCheck2.Gen.(with_subset >>= fun (t, w) -> map (fun v -> (t, w, v)) (subset t)) in
  property "the common ancestor of a union is that of the common ancestors" generator
    (fun (t, w, v) -> print_pair (t, w) ^ " and " ^ print_pair (t, v))
    (fun (t, w, v) ->
       let lca = Hierarchy.lowest_common_ancestor t in
       let closure w = Option.fold ~none:Classes.empty ~some:(Hierarchy.extension t) (lca w) in
       Option.equal Hierarchy.equal (lca (Classes.union w v)) (lca (Classes.union (closure w) (closure v))))

let ancestors_climb =
  on_hierarchies "ancestors grow from the class to the root, and up follows them" (fun t ->
      let law c =
        let chain = Hierarchy.ancestors t c in
        let rec grows = function
          | a :: (b :: _ as rest) ->
            Classes.subset (Hierarchy.extension t a) (Hierarchy.extension t b)
            && Classes.cardinal (Hierarchy.extension t a) < Classes.cardinal (Hierarchy.extension t b)
            && grows rest
          | [ last ] -> Hierarchy.equal last (Hierarchy.root t)
          | [] -> false
        in
        let beyond = Hierarchy.up t (List.length chain + 3) c in
        Classes.equal (Hierarchy.extension t (List.hd chain)) (Classes.singleton c)
        && grows chain
        && List.for_all2 Hierarchy.equal chain (List.mapi (fun k _ -> Hierarchy.up t k c) chain)
        && Hierarchy.equal beyond (Hierarchy.root t)
      in
      forall_classes t law)

let depth_is_least =
  on_hierarchies "depth is the least k for which up k is the root for every class" (fun t ->
      let all_at_root k = forall_classes t (fun c -> Hierarchy.equal (Hierarchy.up t k c) (Hierarchy.root t)) in
      all_at_root (Hierarchy.depth t) && not (all_at_root (Hierarchy.depth t - 1)))

let cuts_partition =
  on_hierarchies "a cut is a partition, and its levels are its blocks" (fun t ->
      let blocks = List.assoc "k" (Hierarchy.cuts t) in
      let holds c = List.filter (fun b -> Classes.mem c (Hierarchy.extension t b)) blocks in
      forall_classes t (fun c ->
          match holds c with [ b ] -> Hierarchy.equal b (Hierarchy.at_level t (Cut "k") c) | _ -> false))

let monotone =
  property "without never, allowed grows with the level" (hierarchy ~with_never:false) print (fun t ->
      forall_classes t (fun c ->
          List.for_all
            (fun k -> Classes.subset (Hierarchy.allowed t (Up k) c) (Hierarchy.allowed t (Up (k + 1)) c))
            (List.init (Hierarchy.depth t + 1) Fun.id)))

let allowed_definition =
  on_hierarchies "allowed is within and not forbidden, and holds the class itself" (fun t ->
      let law level c =
        let allowed = Hierarchy.allowed t level c in
        Classes.mem c allowed
        && forall_classes t (fun a ->
            Classes.mem a allowed
            = (Hierarchy.within t level ~reference:c ~answer:a && not (Hierarchy.forbidden t ~reference:c ~answer:a)))
      in
      List.for_all (fun level -> forall_classes t (law level)) (levels t))

let minimal_groups_are_minimal =
  property "minimal groups contain the set, none inside another, and nothing smaller does" with_subset print_pair
    (fun (t, w) ->
       let found = Hierarchy.minimal_groups t w in
       let every = tree_nodes t (Hierarchy.root t) @ Hierarchy.overlays t in
       let contains v = Classes.subset w (Hierarchy.extension t v) in
       let smaller a b =
         Classes.subset (Hierarchy.extension t a) (Hierarchy.extension t b) && not (Hierarchy.equal a b)
       in
       let minimal v = contains v && not (List.exists (fun u -> contains u && smaller u v) every) in
       if Classes.is_empty w then found = []
       else List.for_all (fun v -> minimal v = List.exists (Hierarchy.equal v) found) every)

let severity_law =
  on_hierarchies "severity is the least k with the answer within the ancestor's height, never pairs above all" (fun t ->
      let law r a =
        let severity = Hierarchy.severity t ~reference:r ~answer:a in
        if Hierarchy.forbidden t ~reference:r ~answer:a then severity > Hierarchy.depth t
        else
          let common = List.filter (fun v -> Classes.mem a (Hierarchy.extension t v)) (Hierarchy.ancestors t r) in
          severity = List.fold_left (fun least v -> min least (Hierarchy.height t v)) max_int common
          && (severity = 0) = (r = a)
      in
      forall_classes t (fun r -> forall_classes t (law r)))

let laws =
  [ adjunction; insertion; lca_of_union; ancestors_climb; depth_is_least; cuts_partition; monotone; allowed_definition;
    minimal_groups_are_minimal; severity_law ]

(* {1 Examples} *)

let cifar10 () = Hierarchy_reader.read_file "../hierarchy/good/cifar10.hier"
let zoo () = Hierarchy_reader.read_file "../hierarchy/good/overlays.hier"

let nodes t = List.map (Hierarchy.node_name t)
let check_names = Alcotest.(check (list string))
let check_classes what expected found = Alcotest.(check (list int)) what expected (Classes.elements found)

(* The mistakes that [f] tells: line, column, message. *)
let mistakes f =
  match f () with
  | () -> []
  | exception Diag.Error found ->
    let place (d : Diag.t) = Option.map (fun (l : Diag.location) -> (l.line, l.column)) d.location in
    List.map (fun (d : Diag.t) -> (place d, d.message)) found

let check_mistakes what expected f =
  Alcotest.(check (list (pair (option (pair int int)) string))) what expected (mistakes f)

let test_lookup () =
  let t = cifar10 () in
  Alcotest.(check int) "class_of" 5 (Hierarchy.class_of t "dog");
  Alcotest.(check string) "class_name" "truck" (Hierarchy.class_name t 9);
  check_classes "group" [ 0; 1; 8; 9 ] (Hierarchy.extension t (Hierarchy.group t "vehicle"));
  check_classes "overlay" [ 3; 5 ] (Hierarchy.extension t (Hierarchy.group t "pet"));
  check_names "ancestors" [ "dog"; "mammal"; "animal"; "cifar10" ] (nodes t (Hierarchy.ancestors t 5));
  check_mistakes "unknown class"
    [ (None, "unknown class \"dgo\" in ../hierarchy/good/cifar10.hier") ]
    (fun () -> ignore (Hierarchy.class_of t "dgo"));
  check_mistakes "a group is no class"
    [ (None, "\"mammal\" is a group in ../hierarchy/good/cifar10.hier, not a class") ]
    (fun () -> ignore (Hierarchy.class_of t "mammal"));
  check_mistakes "unknown group"
    [ (None, "unknown group \"vehicles\" in ../hierarchy/good/cifar10.hier") ]
    (fun () -> ignore (Hierarchy.group t "vehicles"))

let test_allowed () =
  let t = cifar10 () in
  check_classes "up 1" [ 3; 4; 5; 7 ] (Hierarchy.allowed t (Up 1) 5);
  check_classes "up 1, unbalanced" [ 2; 3; 4; 5; 6; 7 ] (Hierarchy.allowed t (Up 1) 2);
  check_classes "cut" [ 0; 1; 8; 9 ] (Hierarchy.allowed t (Cut "coarse") 0);
  check_classes "never, at the root" [ 0; 1; 3; 4; 5; 6; 7; 8; 9 ] (Hierarchy.allowed t (Up 3) 9);
  Alcotest.(check bool) "never is not symmetric" false (Hierarchy.forbidden t ~reference:2 ~answer:9);
  let severity reference answer = Hierarchy.severity t ~reference ~answer in
  Alcotest.(check (list int)) "severity" [ 0; 1; 2; 3; 4 ]
    [ severity 3 3; severity 3 5; severity 3 2; severity 2 9; severity 9 2 ]

let test_minimal_groups () =
  let t = zoo () in
  let minimal classes = nodes t (Hierarchy.minimal_groups t (Classes.of_list classes)) in
  check_names "two overlays inside the ancestor" [ "pet"; "hunter" ] (minimal [ 0; 1 ]);
  check_names "a node of the tree inside two overlays" [ "pets_of_the_house" ] (minimal [ 0; 2 ]);
  check_names "an overlay across the tree" [ "indoors" ] (minimal [ 2; 4 ]);
  check_names "the root" [ "zoo" ] (minimal [ 1; 5 ]);
  check_names "the empty set" [] (minimal [])

let test_levels () =
  let t = cifar10 () in
  let passes level = Hierarchy.check_level t level in
  let issued = List.length (Diag.warnings ()) in
  passes (Up 2);
  passes (Cut "coarse");
  Alcotest.(check int) "no warning" issued (List.length (Diag.warnings ()));
  passes (Up 3);
  Alcotest.(check int) "the root for every class" (issued + 1) (List.length (Diag.warnings ()));
  check_mistakes "negative" [ (None, "up -1: the level is negative") ] (fun () -> passes (Up (-1)));
  check_mistakes "unknown cut"
    [ (None, "unknown cut \"corse\" in ../hierarchy/good/cifar10.hier") ]
    (fun () -> passes (Cut "corse"))

let test_agreement () =
  let t = cifar10 () in
  Hierarchy.check_outputs t ~network_outputs:10;
  check_mistakes "too many outputs"
    [ (Some (1, 11), "the network has 12 outputs, but \"cifar10\" has 10 classes") ]
    (fun () -> Hierarchy.check_outputs t ~network_outputs:12);
  check_mistakes "too few outputs"
    [ (Some (7, 67), "class \"ship\" has index 8, but the network has 8 outputs");
      (Some (7, 83), "class \"truck\" has index 9, but the network has 8 outputs") ]
    (fun () -> Hierarchy.check_outputs t ~network_outputs:8);
  let names = List.init 10 (Hierarchy.class_name t) in
  Hierarchy.check_class_names t [];
  Hierarchy.check_class_names t names;
  check_mistakes "another order"
    [ (Some (3, 26), "class \"cat\" has index 3, but class 3 of the dataset is \"dog\"");
      (Some (3, 57), "class \"dog\" has index 5, but class 5 of the dataset is \"cat\"") ]
    (fun () ->
       let swap = function "cat" -> "dog" | "dog" -> "cat" | name -> name in
       Hierarchy.check_class_names t (List.map swap names));
  check_mistakes "another number"
    [ (Some (1, 11), "the dataset names 2 classes, but \"cifar10\" has 10") ]
    (fun () -> Hierarchy.check_class_names t [ "airplane"; "automobile" ])

let test_spelling () =
  let check name expected = Alcotest.(check string) name expected (Hierarchy_reader.spelling name) in
  check "dog" "dog";
  check "polar bear" "\"polar bear\"";
  check "group" "\"group\"";
  check "3rd" "\"3rd\"";
  check "a\"b\\c" "\"a\\\"b\\\\c\"";
  check "(* *)x" "\"(* *)x\""

let spelling_round_trip =
  let character = QCheck2.Gen.(oneof [ char_range ' ' '~'; oneofl [ '"'; '\\'; '('; '*'; ')' ] ]) in
  let name = QCheck2.Gen.(string_size ~gen:character (int_range 1 12)) in
  property "a name spelt out is read back" name Fun.id (fun name ->
      let spelt = Hierarchy_reader.spelling name in
      let text = Printf.sprintf "hierarchy \"(root)\" { class %s = 0 class \"(other)\" = 1 }" spelt in
      name = "(root)" || name = "(other)" || Hierarchy.class_name (of_text text) 0 = name)

let () =
  let case name test = Alcotest.test_case name `Quick test in
  let law (QCheck2.Test.Test cell as test) =
    case (QCheck2.Test.get_name cell) (fun () -> QCheck2.Test.check_exn ~rand:(Random.State.make [| 2024 |]) test)
  in
  Alcotest.run "hierarchy"
    [ ( "examples",
        [ case "names" test_lookup; case "allowed" test_allowed; case "minimal groups" test_minimal_groups;
          case "levels" test_levels; case "network and dataset" test_agreement; case "spelling" test_spelling ] );
      ("laws", List.map law (spelling_round_trip :: laws)) ]
