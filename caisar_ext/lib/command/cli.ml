open Cmdliner
open Cli_arguments

let exits =
  [ Cmd.Exit.info 0 ~doc:"every goal is valid.";
    Cmd.Exit.info 1 ~doc:"some goal is invalid: a replayed witness refutes it.";
    Cmd.Exit.info 2 ~doc:"no goal is invalid, some are undecided.";
    Cmd.Exit.info 3 ~doc:"a mistake in the specification, in a file, or in the usage.";
    Cmd.Exit.info 4 ~doc:"a bug of $(mname).";
    Cmd.Exit.info 130 ~doc:"interrupted; what was concluded is printed." ]

(* {1 verify} *)

let seconds =
  Arg.(value & opt float 60. & info [ "t"; "time-limit" ] ~docv:"SECONDS" ~doc:"Time for each query.")

let witnesses =
  Arg.(value & opt (some string) None & info [ "w"; "witnesses" ] ~docv:"DIR"
         ~doc:"Keep each witness in $(i,DIR) as $(b,.npy) and, for images, a picture: original, witness, difference.")

let full_matrix =
  Arg.(value & flag & info [ "full-matrix" ]
         ~doc:"Go on after the first witness: tell for every class whether it can be answered.")

type form = Text of { color : Fmt.style_renderer option; detail : Report_context.detail } | Json

let form =
  let json =
    Arg.(value & flag & info [ "json" ]
           ~doc:"Print the conclusions as JSON, every sample included; see $(b,grammar/conclusions.schema.json).")
  in
  let detail =
    let verbose = Arg.info [ "v"; "verbose" ] ~doc:"List every sample, not a few for each goal." in
    Arg.(value & vflag Report_context.Brief [ (Report_context.Full, verbose) ])
  in
  let form json color detail = if json then Json else Text { color; detail } in
  Term.(const form $ json $ Fmt_cli.style_renderer () $ detail)

let verify specification selection samples time_limit full_matrix pool witnesses form =
  with_witness_folder witnesses @@ fun witness_dir ->
  let pool = pool ~witness_dir ~pictures:(witnesses <> None) in
  let options : Verification.options = { specification; selection; samples; time_limit; full_matrix; pool } in
  let progress = Progress.create () in
  let result =
    Fun.protect ~finally:(fun () -> Progress.finish progress) @@ fun () ->
    Verification.run options ~on_event:(Progress.event progress)
  in
  (match form with
   | Json -> Report_json.print ~witnesses options result
   | Text { color; detail } -> Report.print { color; detail; witnesses } options result);
  Verification.exit_code result

let verify_cmd =
  let doc = "prove or refute the goals of a specification" in
  let man =
    [ `S Manpage.s_description;
      `P "Reads a specification in WhyML, asks a prover about every sample, and prints for each goal a verdict, and for \
          each sample, group and pair of groups what is proven, refuted by a replayed witness, or open.";
      `S Manpage.s_examples;
      `P "Everything in a specification:"; `Pre "  $(mname) $(tname) signs.mlw";
      `P "One goal at another radius, on 20 samples, with pictures of the witnesses:";
      `Pre "  $(mname) $(tname) cifar10.mlw -g same_family -D 'eps:8.0 /. 255.0' --samples 0:20 --witnesses out/" ]
  in
  Cmd.v (Cmd.info "verify" ~doc ~man ~exits)
    Term.(const verify $ specification $ selection $ samples $ seconds $ full_matrix $ pool $ witnesses $ form)

(* {1 Entry} *)

let command =
  let doc = "abstract safety of neural networks over class hierarchies" in
  Cmd.group (Cmd.info "caisar-ext" ~version:Verification.release ~doc ~exits) [ verify_cmd; Cli_new.cmd; Cli_explain.cmd; Cli_spec.cmd; Cli_hierarchy.cmd ]

let main () =
  Printexc.record_backtrace true;
  match Cmd.eval_value ~catch:false command with
  | Ok (`Ok code) -> code
  | Ok (`Version | `Help) -> 0
  | Error (`Parse | `Term) -> 3
  | Error `Exn -> 4
  | exception Diag.Error mistakes ->
    List.iter (Format.eprintf "%a@." Diag.pp) mistakes;
    3
  | exception Prover.Stopped ->
    prerr_endline "interrupted before the first question: nothing is concluded";
    130
  | exception exn ->
    let trace = Printexc.get_backtrace () in
    Format.eprintf "caisar-ext: this is a bug, please report it: %s@.%s@." (Printexc.to_string exn) trace;
    4
