(* Sentences, read as text and planned, against their meaning computed directly ({!Sentences}, {!Toy}). *)

open Caisar_ext

let world =
  let open QCheck2.Gen in
  let outputs = list_repeat (List.length Toy.grid) (array_repeat 3 (int_range (-1) 1)) in
  map2 (fun outputs labels -> Toy.world ~outputs ~labels) outputs (list_repeat 3 (int_range 0 2))

let rec product = function
  | [] -> [ [] ]
  | choices :: rest -> List.concat_map (fun c -> List.map (List.cons c) (product rest)) choices

(* What the sentence may mean: one truth value for each choice of a maximiser at the samples that have several. *)
let meanings world sentence =
  let choices = product (List.map (Toy.maximisers world) (Array.to_list Toy.images)) in
  let meaning chosen =
    Sentences.holds
      { world; sentence; chosen = Array.of_list chosen; indices = []; reals = []; input = None }
      sentence.goal
  in
  List.map meaning choices

let decided = ref 0
let open_ = ref 0
let refused = ref 0

let agrees (world, sentence) =
  match Toy.plan (Toy.oracle world) (Sentences.sentence_text sentence) with
  | exception Diag.Error [ { message = "this says nothing about a network"; _ } ] ->
    incr refused;
    true
  | plan -> (
      match (Toy.verdicts world plan, meanings world sentence) with
      | [ Valid ], meanings ->
        incr decided;
        List.for_all Fun.id meanings
      | [ Invalid _ ], meanings ->
        incr decided;
        List.for_all not meanings
      | [ Unknown _ ], meanings ->
        incr open_;
        List.length meanings > 1
      | _ -> false)

let law =
  QCheck2.Test.make ~name:"a sentence is Valid when it is true, Invalid when it is false" ~count:250
    ~print:(fun (_, s) -> Sentences.sentence_text s)
    (QCheck2.Gen.pair world Sentences.sentence) agrees

(* Many are refused because they do not mention the network; the others count. *)
let test_law () =
  QCheck2.Test.check_exn ~rand:(Random.State.make [| 2024 |]) law;
  let total = !decided + !open_ + !refused in
  Printf.printf "%d sentences: %d decided, %d open, %d refused\n" total !decided !open_ !refused;
  Alcotest.(check bool) "most are decided" true (3 * !decided > 2 * total)

let () = Alcotest.run "semantics" [ ("laws", [ Alcotest.test_case "sentences" `Quick test_law ]) ]
