open Cmdliner

let default_width = 100

let explain specification selection samples pool print =
  Report_terminal.setup None;
  Cli_arguments.with_witness_folder None @@ fun witness_dir ->
  let config = pool ~witness_dir ~pictures:false in
  Verification.with_plan ~specification ~selection ~samples config @@ fun _ world plan ->
  print (Explain.explain world plan);
  0

let print_text explained =
  let width = Option.value ~default:default_width (Report_terminal.columns Unix.stdout) in
  Explain.pp ~width:(max 40 width) Fmt.stdout explained

let print_json explained = print_endline (Yojson.Safe.pretty_to_string ~std:true (Explain.to_json explained))

let exits =
  [ Cmd.Exit.info 0 ~doc:"the goals are explained."; Cmd.Exit.info 3 ~doc:"a file has a mistake, or bad usage.";
    Cmd.Exit.info 4 ~doc:"a bug of $(mname)."; Cmd.Exit.info 130 ~doc:"interrupted." ]

let cmd =
  let doc = "say in English what the goals of a specification mean, and what would be asked" in
  let man =
    [ `S Manpage.s_description;
      `P "Unfolds definitions, computes constants, and prints each goal as a sentence, with the number of samples that it \
          is about, of queries that it needs, and of those that it shares with other goals. Nothing is verified.";
      `S Manpage.s_examples; `P "One goal, at another radius:";
      `Pre "  $(mname) $(tname) cifar10.mlw -g same_family -D 'eps:8.0 /. 255.0'" ]
  in
  let json = Arg.info [ "json" ] ~doc:"Print JSON." in
  Cmd.v (Cmd.info "explain" ~doc ~man ~exits)
    Term.(const explain $ Cli_arguments.specification $ Cli_arguments.selection $ Cli_arguments.samples
          $ Cli_arguments.pool $ Arg.(value & vflag print_text [ (print_json, json) ]))
