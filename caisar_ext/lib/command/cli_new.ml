open Cmdliner

(* {1 Paths} *)

let separator = '/'

(* [path] as seen from [folder]; both are absolute, without links or dots. With nothing in common it stays absolute. *)
let relative ~folder path =
  let rec strip a b =
    match (a, b) with
    | x :: a, y :: b when String.equal x y -> strip a b
    | above, below -> List.map (fun _ -> Filename.parent_dir_name) above @ below
  in
  let parts p = List.filter (( <> ) "") (String.split_on_char separator p) in
  match (parts folder, parts path) with
  | root :: _, root' :: _ when root <> root' -> path
  | folder, path -> String.concat (String.make 1 separator) (strip folder path)

let real_path path =
  try Unix.realpath path with Unix.Unix_error (e, _, _) -> Diag.error "%s: %s" path (Unix.error_message e)

(* A dataset may be a name of the data folder. *)
let seen_from ~folder file = if Sys.file_exists file then relative ~folder (real_path file) else file

(* {1 Do they fit?} *)

(* Every mistake of the checks, not the first alone. *)
let all_of checks =
  let mistakes check = match check () with () -> [] | exception Diag.Error found -> found in
  match List.concat_map mistakes checks with [] -> () | found -> raise (Diag.Error found)

let check_labels hierarchy (dataset : Query.dataset) (described : Protocol.dataset) =
  let classes = Hierarchy.class_count hierarchy in
  match List.find_opt (fun c -> c >= classes) described.labels with
  | None -> ()
  | Some c ->
    Diag.error ~hint:"labels are classes of the hierarchy, which are outputs of the network"
      "%s has the label %d, but the classes of %s are 0 to %d" dataset.source c (Hierarchy.file hierarchy) (classes - 1)

let check_samples (dataset : Query.dataset) (described : Protocol.dataset) =
  if described.length = 0 then Diag.error "%s has no sample" dataset.source

let check hierarchy (network : Protocol.network) dataset (described : Protocol.dataset) =
  all_of
    [ (fun () -> Hierarchy.check_outputs hierarchy ~network_outputs:network.outputs);
      (fun () -> Hierarchy.check_class_names hierarchy described.class_names);
      (fun () -> Agreement.check_shape ~loc:None dataset ~sample:described.shape ~input:network.input_shape);
      (fun () -> check_labels hierarchy dataset described); (fun () -> check_samples dataset described) ]

(* A network that is mostly wrong has no use for goals about samples. *)
let count_right pool network dataset (described : Protocol.dataset) =
  let indices = List.init (Draft.kept described) Fun.id in
  let answers = Prover.predict pool { network; dataset; indices } in
  let labels = List.filteri (fun i _ -> i < List.length indices) described.labels in
  let right = List.length (List.filter Fun.id (List.map2 (fun answer truth -> answer = [ truth ]) answers labels)) in
  if 2 * right < List.length indices then
    Diag.warn
      ~hint:"does it expect normalised images (write a model card), or are its classes in another order?"
      "the network is right at %d of the first %d samples only" right (List.length indices);
  right

(* {1 The command} *)

let write output text =
  match output with
  | None -> print_string text
  | Some file -> (
      match open_out_gen [ Open_wronly; Open_creat; Open_excl; Open_binary ] 0o644 file with
      | channel ->
        Fun.protect ~finally:(fun () -> close_out channel) (fun () -> output_string channel text);
        Fmt.pr "wrote %s; next: caisar-ext explain %s@." file file
      | exception Sys_error reason -> Diag.error "cannot write %s" reason)

let draft onnx hierarchy_file data output pool =
  let refuse file =
    if Sys.file_exists file then Diag.error ~hint:"give another name; nothing is overwritten" "%s is there already" file
  in
  Option.iter refuse output;
  if not (Sys.file_exists onnx) then Diag.error "no network %s" onnx;
  if not (Sys.file_exists hierarchy_file) then Diag.error "no hierarchy %s" hierarchy_file;
  let hierarchy = Hierarchy_reader.read_file hierarchy_file in
  let folder = real_path (Option.fold ~none:Filename.current_dir_name ~some:Filename.dirname output) in
  let network : Query.network = { path = real_path onnx; normalization = None } in
  let dataset : Query.dataset = { source = data; base = Sys.getcwd () } in
  Cli_arguments.with_witness_folder None @@ fun witness_dir ->
  Prover.with_pool (pool ~witness_dir ~pictures:false) @@ fun pool ->
  let described_network = Prover.describe_network pool network in
  let described = Prover.describe_dataset pool dataset in
  check hierarchy described_network dataset described;
  let right = count_right pool network dataset described in
  let of_file file = Filename.(remove_extension (basename file)) in
  let theory = Option.fold ~none:(Hierarchy.name hierarchy) ~some:of_file output in
  write output
    (Draft.text
       { theory; onnx = seen_from ~folder onnx; hierarchy_file = seen_from ~folder hierarchy_file;
         data = seen_from ~folder data; hierarchy; network = described_network; dataset = described; right });
  0

let exits =
  [ Cmd.Exit.info 0 ~doc:"the specification is written.";
    Cmd.Exit.info 3 ~doc:"a file has a mistake, the files do not fit together, or bad usage.";
    Cmd.Exit.info 4 ~doc:"a bug of $(mname)."; Cmd.Exit.info 130 ~doc:"interrupted." ]

let cmd =
  let doc = "write a first specification for a network, a hierarchy and a dataset" in
  let man =
    [ `S Manpage.s_description;
      `P "Checks that the three fit together (outputs, classes, names, shapes), tells all that does not, and writes a \
          specification that can be verified as it is: plain robustness, a goal for each cut of the hierarchy, and one \
          for each of its never pairs, around the first 100 samples. The radius is the constant $(b,eps), for \
          $(b,--define).";
      `S Manpage.s_examples;
      `Pre "  $(mname) $(tname) --onnx cifar10.onnx --hierarchy cifar10.hier --data cifar10:test -o pets.mlw" ]
  in
  let file name docv doc = Arg.(required & opt (some string) None & info [ name ] ~docv ~doc) in
  let output =
    Arg.(value & opt (some string) None & info [ "o"; "output" ] ~docv:"SPEC"
           ~doc:"Write this file, which must not be there yet; paths in it start at its folder. On standard output \
                 when absent.")
  in
  Cmd.v (Cmd.info "new" ~doc ~man ~exits)
    Term.(const draft $ file "onnx" "NET" "The network ($(b,.onnx))."
          $ file "hierarchy" "FILE" "The hierarchy of its classes ($(b,.hier))."
          $ file "data" "DATA" "A dataset: a file ($(b,.npz), $(b,.csv)) or a name such as $(b,cifar10:test)."
          $ output $ Cli_arguments.pool)
