(* Networks and datasets described by tables instead of a prover, and what the executables here share. *)

open Caisar_ext

let network outputs : Protocol.network =
  { input_shape = [ 1; 2; 2 ]; outputs; opset = 17; operators = []; parameters = 0; neurons = 0; digest = "";
    normalization_source = None }

let dataset ?(class_names = []) ?(shape = [ 1; 2; 2 ]) ?(arrays = [ Query.images ]) labels : Protocol.dataset =
  { length = List.length labels; shape; labels; class_names; arrays; digest = "" }

let networks = [ ("net.onnx", network 3); ("wide.onnx", network 4); ("one.onnx", network 1) ]

let datasets =
  [ ("test.csv", dataset [ 0; 1; 2; 1 ]); ("named.csv", dataset [ 0 ] ~class_names:[ "cat"; "wolf"; "dog" ]);
    ("wide.csv", dataset [ 0 ] ~shape:[ 3; 2; 2 ]); ("empty.csv", dataset []);
    ("boxes.npz", dataset [ 0; 1 ] ~arrays:[ "images"; "lower"; "upper"; "radii" ]) ]

let find ~loc kind known name =
  match List.assoc_opt (Filename.basename name) known with
  | Some found -> found
  | None -> Diag.error ?loc "no %s %s" kind name

(* The network answers the label, except for sample 3, where two classes tie. *)
let answer labels i = if i = 3 then [ 0; 2 ] else [ List.nth labels i ]

let oracle : World.oracle =
  { network = (fun ~loc n -> find ~loc "network" networks n.path);
    dataset = (fun ~loc d -> find ~loc "dataset" datasets d.source);
    predict =
      (fun ~loc { dataset; indices; _ } ->
         List.map (answer (find ~loc "dataset" datasets dataset.source).labels) indices) }

(* {1 Arguments: SPEC [NAME:VALUE ...]} *)

let define text =
  match String.index_opt text ':' with
  | Some i -> (String.sub text 0 i, String.sub text (i + 1) (String.length text - i - 1))
  | None -> invalid_arg text

(* Exit code 3 for a user's mistake. *)
let planned f =
  Format.set_margin 120;
  let file = Sys.argv.(1) in
  let defines = List.map define (List.tl (List.tl (Array.to_list Sys.argv))) in
  let world = World.create oracle ~folder:(Filename.dirname file) ~samples:None in
  match Interp.plan world (Spec.load file { defines; theories = []; goals = []; domain = None }) with
  | plan -> f world plan
  | exception Diag.Error mistakes ->
    List.iter (Format.eprintf "%a@." Diag.pp) mistakes;
    exit 3
