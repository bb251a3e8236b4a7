(* Writes an OCaml module that holds the files named on the command line: [files : (path * content) list], paths
   relative to the first argument. The binary then needs no files beside it. *)
let read path =
  let ic = open_in_bin path in
  let text = really_input_string ic (in_channel_length ic) in
  close_in ic;
  text

let () =
  let root = Sys.argv.(1) ^ "/" in
  let n = String.length root in
  let relative path = String.sub path n (String.length path - n) in
  let paths = List.tl (List.tl (Array.to_list Sys.argv)) in
  print_string "let files = [\n";
  List.iter (fun path -> Printf.printf "  (%S, %S);\n" (relative path) (read path)) paths;
  print_string "]\n"
