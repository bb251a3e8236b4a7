module Classes = Hierarchy.Classes

type material = {
  theory : string;
  onnx : string;
  hierarchy_file : string;
  data : string;
  hierarchy : Hierarchy.t;
  network : Protocol.network;
  dataset : Protocol.dataset;
  right : int;
}

let most_samples = 100
let kept (dataset : Protocol.dataset) = min most_samples dataset.length

(* {1 Names} *)

let is_letter c = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
let is_digit c = c >= '0' && c <= '9'

(* What WhyML takes for a name: letters, digits and underscores. *)
let identifier text = String.map (fun c -> if is_letter c || is_digit c then c else '_') text

let theory_name text =
  let name = identifier text in
  String.capitalize_ascii (if name <> "" && is_letter name.[0] then name else "T" ^ name)

(* Different from those before. *)
let fresh used name =
  let rec try_ n =
    let candidate = if n = 1 then name else Printf.sprintf "%s_%d" name n in
    if List.mem candidate !used then try_ (n + 1) else candidate
  in
  let name = try_ 1 in
  used := name :: !used;
  name

(* Strings of WhyML are of printable ASCII characters and escapes. *)
let quoted text =
  let escape = function
    | ('"' | '\\') as c -> Printf.sprintf "\\%c" c
    | ' ' .. '~' as c -> String.make 1 c
    | c -> Printf.sprintf "\\x%02X" (Char.code c)
  in
  Printf.sprintf "\"%s\"" (String.concat "" (List.map escape (List.of_seq (String.to_seq text))))

(* Comments nest: what a name says must neither open nor close one. *)
let in_comment text =
  let apart before c = match (before, c) with '(', '*' | '*', ')' -> true | _ -> false in
  let buffer = Buffer.create (String.length text) in
  let add before c =
    if apart before c then Buffer.add_char buffer ' ';
    Buffer.add_char buffer c;
    c
  in
  ignore (String.fold_left add ' ' text);
  Buffer.contents buffer

(* {1 Goals} *)

let most_names = 6

let names texts =
  let shown = List.filteri (fun i _ -> i < most_names) texts in
  let rest = List.length texts - List.length shown in
  String.concat ", " shown ^ if rest = 0 then "" else Printf.sprintf " and %d more" rest

let level_goal used ~name ~level says =
  let goal = Printf.sprintf "  goal %s : abstract_safe net tree (%s) test eps\n" (fresh used name) level in
  Printf.sprintf "  (* %s. *)\n%s" (in_comment says) goal

let cut_goal used hierarchy (cut, blocks) =
  let blocks = names (List.map (Hierarchy.node_name hierarchy) blocks) in
  let name = "same_" ^ identifier cut and level = "cut " ^ quoted cut in
  level_goal used ~name ~level ("The answer stays in its block: " ^ blocks)

let never_goal used { hierarchy; dataset; _ } (reference, answer) =
  let name = Hierarchy.node_name hierarchy in
  let labels = List.filteri (fun i _ -> i < kept dataset) dataset.labels in
  let extension = Hierarchy.extension hierarchy reference in
  let says = in_comment (Printf.sprintf "%s is never taken for %s" (name reference) (name answer)) in
  if List.exists (fun c -> Classes.mem c extension) labels then
    Printf.sprintf
      "  (* %s; the goals above include it. *)\n\
      \  goal %s :\n\
      \    forall i: int. 0 <= i < length test -> member (truth test[i]) (group tree %s) ->\n\
      \    forall x: vector real. valid_image x -> in_ball x (image test[i]) eps ->\n\
      \    not (member (predict net x) (group tree %s))\n"
      says
      (fresh used (identifier (Printf.sprintf "never_%s_%s" (name reference) (name answer))))
      (quoted (name reference)) (quoted (name answer))
  else Printf.sprintf "  (* %s: no goal, as no sample of test is one. *)\n" says

let goals ({ hierarchy; _ } as material) =
  let used = ref [ "net"; "tree"; "test"; "eps" ] in
  let robust = level_goal used ~name:"robust" ~level:"up 0" "The answer is the true class" in
  let levels =
    match Hierarchy.cuts hierarchy with
    | [] when Hierarchy.depth hierarchy > 1 ->
      [ level_goal used ~name:"same_group" ~level:"up 1" "The answer stays in the smallest group of the true class" ]
    | cuts -> List.map (cut_goal used hierarchy) cuts
  in
  (robust :: levels) @ List.map (never_goal used material) (Hierarchy.never hierarchy)

(* {1 The whole} *)

let input ({ network; onnx; _ } : material) =
  match network.normalization_source with
  | Some source -> Printf.sprintf "It is given images normalised as %s says." (Filename.basename source)
  | None ->
    Printf.sprintf
      "It is given images as they are, 8-bit pixels divided by 255.\n\
      \     Should it expect them normalised, say so in %s beside it:\n\
      \     {\"normalization\": {\"mean\": [\"0.5\"], \"std\": [\"0.25\"]}}"
      (Filename.remove_extension (Filename.basename onnx) ^ ".card.json")

let samples { dataset; data; _ } =
  let whole = Printf.sprintf "read_dataset %s" (quoted data) in
  if kept dataset = dataset.length then whole else Printf.sprintf "first %d (%s)" most_samples whole

let text ({ theory; onnx; hierarchy_file; dataset; right; _ } as material) =
  Printf.sprintf
    "(* caisar-ext verify FILE       proves or refutes every goal; -g NAME one of them\n\
    \   caisar-ext explain FILE      says what they mean\n\
    \   --define 'eps:8.0 /. 255.0'  another radius *)\n\
     theory %s\n\
    \  use int.Int\n\
    \  use real.RealInfix\n\
    \  use caisar_ext.types.Vector\n\
    \  use caisar_ext.model.Model\n\
    \  use caisar_ext.dataset.Dataset\n\
    \  use caisar_ext.hierarchy.Hierarchy\n\
    \  use caisar_ext.safety.AbstractSafety\n\n\
    \  (* The network is right at %d of the %d samples below.\n\
    \     %s *)\n\
    \  constant net  : model     = read_model %s\n\
    \  constant tree : hierarchy = read_hierarchy %s\n\
    \  constant test : dataset   = %s\n\n\
    \  (* How much each feature may change, in units of the data: 2 of the 255 steps of an 8-bit pixel. *)\n\
    \  constant eps  : real      = 2.0 /. 255.0\n\n\
     %s\
     end\n"
    (theory_name theory) right (kept dataset) (in_comment (input material)) (quoted onnx) (quoted hierarchy_file)
    (samples material)
    (String.concat "\n" (goals material))
