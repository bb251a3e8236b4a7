(* A small world for tests of the language: a network that is a table over a grid of inputs, three samples on the grid,
   a hierarchy of three classes. Questions to a prover are answered by going through the grid. *)

open Caisar_ext

let half n = Q.of_ints n 2
let coordinates = List.map half [ -1; 0; 1; 2; 3 ]
let grid = List.concat_map (fun a -> List.map (fun b -> [| a; b |]) coordinates) coordinates
let images = [| [| half 0; half 0 |]; [| half 1; half 2 |]; [| half 2; half 1 |] |]

(* Arrays beside the images. The bounds of the first sample hold nowhere, nor its radii. *)
let arrays =
  [ ("images", images);
    ("lower", [| [| half 1; half 0 |]; [| half 0; half (-1) |]; [| half (-1); half 1 |] |]);
    ("upper", [| [| half 0; half 3 |]; [| half 1; half 2 |]; [| half 3; half 1 |] |]);
    ("radii", [| [| half (-1); half 2 |]; [| half 0; half 1 |]; [| half 2; half 1 |] |]) ]

let row array index = (List.assoc array arrays).(index)

let hierarchy_text =
  "hierarchy h { group ab { class a = 0 class b = 1 } class c = 2 \
   overlay bc = { b, c } cut k = { ab, c } never c -> b }"

type world = { table : (Q.t array, int array) Hashtbl.t; labels : int list }

(* [outputs]: of each grid point, in order. *)
let world ~outputs ~labels =
  let table = Hashtbl.create 25 in
  List.iter2 (Hashtbl.add table) grid outputs;
  { table; labels }

let outputs world x = Hashtbl.find world.table x
let maximisers world x = Points.maximisers (outputs world x)

(* {1 The oracle} *)

let describe_network : Protocol.network =
  { input_shape = [ 2 ]; outputs = 3; opset = 17; operators = []; parameters = 0; neurons = 0; digest = "";
    normalization_source = None }

let describe_dataset ?(class_names = []) world : Protocol.dataset =
  { length = List.length world.labels; shape = [ 2 ]; labels = world.labels; class_names; digest = "";
    arrays = List.map fst arrays }

let oracle ?class_names world : World.oracle =
  let image i = images.(i mod Array.length images) in
  { network = (fun ~loc:_ _ -> describe_network);
    dataset = (fun ~loc:_ _ -> describe_dataset ?class_names world);
    predict = (fun ~loc:_ { indices; _ } -> List.map (fun i -> maximisers world (image i)) indices) }

(* {1 Files} *)

let write file text =
  let oc = open_out_bin file in
  output_string oc text;
  close_out oc

let folder =
  lazy
    (let folder = Filename.temp_file "toy" "" in
     Sys.remove folder;
     Unix.mkdir folder 0o700;
     List.iter (fun (name, text) -> write (Filename.concat folder name) text)
       [ ("net.onnx", ""); ("other.onnx", ""); ("tree.hier", hierarchy_text) ];
     at_exit (fun () ->
         Array.iter (fun name -> Sys.remove (Filename.concat folder name)) (Sys.readdir folder);
         Unix.rmdir folder);
     folder)

let header =
  {|theory T
  use int.Int
  use real.RealInfix
  use caisar_ext.types.Vector
  use caisar_ext.model.Model
  use caisar_ext.dataset.Dataset
  use caisar_ext.hierarchy.Hierarchy
  use caisar_ext.safety.AbstractSafety
  use caisar_ext.region.Regions
  constant net : model = read_model "net.onnx"
  constant tree : hierarchy = read_hierarchy "tree.hier"
  constant test : dataset = read_dataset "test"
|}

let everything : Spec.selection = { defines = []; theories = []; goals = []; domain = None }

let load ?(selection = everything) text =
  let file = Filename.concat (Lazy.force folder) "spec.mlw" in
  write file (header ^ text ^ "\nend\n");
  Spec.load file selection

let plan ?selection ?samples oracle text =
  Interp.plan (World.create oracle ~folder:(Lazy.force folder) ~samples) (load ?selection text)

(* {1 An honest prover} *)

let violates world x property = Points.violates (outputs world x) property

let witness : Verdict.witness =
  { file = ""; picture = None; classes = []; margin = 1.; distance = 0.; centre = false }

(* Of each goal. *)
let verdicts world (plan : Plan.t) =
  let answer query property : Verdict.concluded =
    let q = plan.queries.(query).query in
    let inside x = Points.inside ~row x in
    let wrong x = List.for_all (inside x) q.region && violates world x (List.nth q.properties property) in
    if List.exists wrong grid then Invalid (Witness witness) else Valid
  in
  List.map (fun (g : Plan.goal) -> Plan.verdict answer g.formula) plan.goals
