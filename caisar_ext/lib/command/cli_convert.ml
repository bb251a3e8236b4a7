open Cmdliner

(* {1 The Python half} *)

let converter () =
  let driver = Drivers.find Drivers.default in
  { driver with
    command = [ "%{python}"; "-m"; "pyprover.hierarchy.convert" ];
    python_modules = [ "pyprover"; "lark"; "yaml" ] }

exception Failed of string

let read_all fd =
  let channel = Unix.in_channel_of_descr fd in
  Fun.protect ~finally:(fun () -> close_in channel) @@ fun () ->
  let buffer = Buffer.create 4096 in
  let rec more () =
    match Buffer.add_channel buffer channel 4096 with () -> more () | exception End_of_file -> Buffer.contents buffer
  in
  more ()

(* Its standard error is ours: a bug of the converter shows its traceback. *)
let ask (request : Yojson.Safe.t) =
  let argv = Array.append (Drivers.command (converter ())) [| Yojson.Safe.to_string request |] in
  let output, input = Unix.pipe ~cloexec:true () in
  let pid = Unix.create_process argv.(0) argv Unix.stdin input Unix.stderr in
  Unix.close input;
  let answer = read_all output in
  match snd (Process.wait pid) with
  | WEXITED 0 -> Yojson.Safe.from_string answer
  | WEXITED code -> raise (Failed (Printf.sprintf "the converter ended with %d" code))
  | WSIGNALED signal | WSTOPPED signal -> raise (Failed (Printf.sprintf "the converter was killed (signal %d)" signal))

(* {1 Its answer} *)

let diag json : Diag.t =
  let open Yojson.Safe.Util in
  let place line : Diag.location =
    { file = member "file" json |> to_string; line; column = member "column" json |> to_int;
      end_line = member "end_line" json |> to_int; end_column = member "end_column" json |> to_int; source = None }
  in
  { location = Option.map place (member "line" json |> to_int_option); message = member "message" json |> to_string;
    hint = member "hint" json |> to_string_option }

let write output text =
  match output with
  | None -> print_string text
  | Some file -> (
      match open_out_bin file with
      | channel -> Fun.protect ~finally:(fun () -> close_out channel) (fun () -> output_string channel text)
      | exception Sys_error reason -> Diag.error "cannot write %s" reason)

let convert output request =
  Fmt_tty.setup_std_outputs ();
  let answer = ask (`Assoc request) in
  let open Yojson.Safe.Util in
  let diags key = List.map diag (member key answer |> to_list) in
  match member "text" answer |> to_string_option with
  | None -> raise (Diag.Error (diags "mistakes"))
  | Some text ->
    List.iter (fun (d : Diag.t) -> Diag.warn ?loc:d.location ?hint:d.hint "%s" d.message) (diags "notes");
    write output text;
    0

(* {1 Options} *)

(* Each is a field of the request, under the name that Python gives it. *)
let field key term = Term.(const (Option.map (fun value -> (key, `String value))) $ term)

let option names ~docv ~doc = Arg.(value & opt (some string) None & info names ~docv ~doc)

let choice values names ~docv ~doc =
  let values = List.map (fun value -> (value, value)) values in
  Arg.(value & opt (some (enum values)) None & info names ~docv ~doc)

let input =
  Arg.(required & pos 0 (some string) None & info [] ~docv:"FILE" ~doc:"The hierarchy to convert.")

let output = option [ "o"; "output" ] ~docv:"FILE" ~doc:"Where to write; standard output when absent."

let columns =
  let doc = "Of a table: the columns to use, the classes first, then coarser and coarser groups." in
  let list names = ("columns", `List (List.map (fun name -> `String name) names)) in
  Term.(const (Option.map list)
        $ Arg.(value & opt (some (list string)) None & info [ "columns" ] ~docv:"CLASS,GROUP,..." ~doc))

let request =
  let fields =
    [ field "input" Term.(const Option.some $ input); field "output" output; columns;
      field "source_format"
        (option [ "from" ] ~docv:"FORMAT"
           ~doc:"$(b,hier), $(b,edges), $(b,table), $(b,node-link), $(b,json), $(b,yaml) or $(b,newick); found by the \
                 file's name and content when absent.");
      field "target_format"
        (option [ "to" ] ~docv:"FORMAT"
           ~doc:"$(b,hier), $(b,json), $(b,dot) or $(b,newick); found by the name of the output when absent.");
      field "classes"
        (option [ "c"; "classes" ] ~docv:"FILE"
           ~doc:"The network's outputs: a name or id on each line, output 0 first; or JSON, such as \
                 $(b,[[0, \"n01440764\", \"tench\"], ...]). They must be the leaves of the tree.");
      field "names"
        (option [ "names" ] ~docv:"FILE" ~doc:"Names for ids: an id, a tab and a name on each line; or JSON.");
      field "order"
        (choice [ "sorted"; "appearance" ] [ "order" ] ~docv:"RULE"
           ~doc:"Number the classes in the order of their names ($(b,sorted)) or of the file \
                 ($(b,appearance)).");
      field "edges"
        (choice [ "parent-child"; "child-parent" ] [ "edges" ] ~docv:"DIRECTION"
           ~doc:"Of an edge list: $(b,parent-child) or $(b,child-parent). Found and said when absent.");
      field "root" (option [ "root" ] ~docv:"NAME" ~doc:"Keep this node and what is below it.");
      field "new_root" (option [ "new-root" ] ~docv:"NAME" ~doc:"Put a new root above all that have no parent.");
      field "name" (option [ "name" ] ~docv:"NAME" ~doc:"The name of the hierarchy, which is its root's.") ]
  in
  let join fields field = Term.(const (fun fields field -> fields @ Option.to_list field) $ fields $ field) in
  List.fold_left join (Term.const []) fields

let man =
  [ `S Manpage.s_description;
    `P "Reads a class hierarchy in one of the formats that people have, and writes it in ours, as JSON, as Newick, or as a \
        drawing for Graphviz. What had to be changed or found out is told as a warning. Nothing is written when there is a \
        mistake.";
    `P "Every name keeps its set of classes. Of nodes with the same classes the lowest names them all; the other names \
        become comments. A node with several parents stays in the first; the other parents become overlays.";
    `S Manpage.s_examples; `P "A table of classes and groups, with the indexes of the classes:";
    `Pre "  \\$ cat fruit.csv\n  class_index,class,group\n  0,apple,fruit\n  1,pear,fruit\n  2,car,vehicle\n  3,bus,vehicle\n\
         \  \\$ $(mname) hierarchy $(tname) fruit.csv -o fruit.hier";
    `P "A list of links, parent first, for classes in alphabetical order:";
    `Pre "  \\$ $(mname) hierarchy $(tname) imagenet_isa.txt --order sorted -o imagenet.hier";
    `P "The same with names for people, and outputs in the order of a list:";
    `Pre "  \\$ $(mname) hierarchy $(tname) imagenet_isa.txt --classes class_index.json --names names.txt -o imagenet.hier";
    `P "The tree of a neural-backed decision tree:";
    `Pre "  \\$ $(mname) hierarchy $(tname) graph-induced.json --classes wnids.txt -o induced.hier";
    `P "Only what is below a node; a drawing:";
    `Pre "  \\$ $(mname) hierarchy $(tname) imagenet.hier --root dog --order sorted -o dogs.hier\n\
         \  \\$ $(mname) hierarchy $(tname) cifar10.hier --to dot | dot -Tsvg > cifar10.svg" ]

let exits =
  [ Cmd.Exit.info 0 ~doc:"the file is converted."; Cmd.Exit.info 3 ~doc:"a file has a mistake, or bad usage.";
    Cmd.Exit.info 4 ~doc:"a bug of $(mname)." ]

let cmd =
  let doc = "convert class hierarchies from and to other formats" in
  Cmd.v (Cmd.info "convert" ~doc ~man ~exits) Term.(const convert $ output $ request)
