open Cmdliner

let specification =
  Arg.(required & pos 0 (some string) None & info [] ~docv:"SPEC" ~doc:"Specification ($(b,.mlw)).")

let selection =
  let defines =
    Arg.(value & opt_all (pair ~sep:':' string string) [] & info [ "D"; "define" ] ~docv:"NAME:VALUE"
           ~doc:"Give the constant $(i,NAME) this value, a WhyML term: $(b,-D 'eps:2.0 /. 255.0').")
  in
  let theories =
    Arg.(value & opt_all string [] & info [ "T"; "theory" ] ~docv:"THEORY" ~doc:"Only the goals of this theory. Repeatable.")
  in
  let goals =
    Arg.(value & opt_all string [] & info [ "g"; "goal" ] ~docv:"GOAL"
           ~doc:"Only this goal, $(i,GOAL) or $(i,THEORY.GOAL). Repeatable.")
  in
  let domain =
    Arg.(value & opt (some string) None & info [ "domain" ] ~docv:"NAME"
           ~doc:"The only abstract domain to use for goals that name none: $(b,interval), $(b,zonotope), \
                 $(b,constrained_zonotope), $(b,linear), or a product such as $(b,zonotope+linear). Without it the prover \
                 chooses, and searches.")
  in
  let selection defines theories goals domain : Spec.selection = { defines; theories; goals; domain } in
  Term.(const selection $ defines $ theories $ goals $ domain)

let samples =
  let parse text =
    match String.split_on_char ':' text with
    | [ a; b ] -> (
        match (int_of_string_opt a, int_of_string_opt b) with
        | Some a, Some b when 0 <= a && a < b -> Ok (a, b)
        | _ -> Error (`Msg "expected A:B with 0 <= A < B"))
    | _ -> Error (`Msg "expected A:B with 0 <= A < B")
  in
  let print ppf (a, b) = Format.fprintf ppf "%d:%d" a b in
  Arg.(value & opt (some (conv (parse, print))) None & info [ "samples" ] ~docv:"A:B"
         ~doc:"Keep the samples $(i,A) to $(i,B)-1 of every dataset, counted in its file, before $(b,first).")

let memory =
  let units = [ ("", 1); ("KiB", 1 lsl 10); ("MiB", 1 lsl 20); ("GiB", 1 lsl 30); ("kB", 1_000); ("MB", 1_000_000); ("GB", 1_000_000_000) ] in
  let parse text =
    match Scanf.sscanf text "%f%s%!" (fun x unit -> (x, String.trim unit)) with
    | x, unit when x > 0. && List.mem_assoc unit units -> Ok (int_of_float (x *. float (List.assoc unit units)))
    | _ | (exception (Scanf.Scan_failure _ | Failure _ | End_of_file)) -> Error (`Msg "expected a size such as 4GiB or 500MB")
  in
  Arg.(value & opt (some (conv (parse, Format.pp_print_int))) None & info [ "m"; "memory-limit" ] ~docv:"SIZE"
         ~doc:"Memory for each prover process: $(b,4GiB), $(b,500MB).")

let absolute path = if Filename.is_relative path then Filename.concat (Sys.getcwd ()) path else path

let pool =
  let prover =
    Arg.(value & opt string Drivers.default & info [ "p"; "prover" ] ~docv:"PROVER"
           ~doc:"A shipped prover by name, or a $(b,.driver) file.")
  in
  let command =
    Arg.(value & opt (some string) None & info [ "prover-command" ] ~docv:"COMMAND" ~doc:"Start the prover so instead.")
  in
  let jobs =
    Arg.(value & opt int 1 & info [ "j"; "jobs" ] ~docv:"N" ~doc:"Prover processes at a time, one thread each.")
  in
  let data_dir =
    let env = Cmd.Env.info "CAISAR_EXT_DATA" ~doc:"Default of $(b,--data-dir)." in
    Arg.(value & opt (some dir) None & info [ "data-dir" ] ~env ~docv:"DIR"
           ~doc:"Where names such as $(b,cifar10:test) are looked up; $(b,~/.cache/caisar-ext) when absent.")
  in
  let seed = Arg.(value & opt int 0 & info [ "seed" ] ~docv:"N" ~doc:"Of every random choice in the search.") in
  let deployment =
    Arg.(value & opt (enum [ ("real", "real"); ("float32", "float32") ]) "real" & info [ "deployment" ] ~docv:"NUMBERS"
           ~doc:"What proofs cover: the network over the reals ($(b,real)), or also each of its evaluations in single \
                 precision ($(b,float32)), at single-precision inputs, in any order of summation.")
  in
  let noise_directory =
    Arg.(value & opt (some dir) None & info [ "noise-directory" ] ~docv:"DIR"
           ~doc:"Where zonotopes may keep on disk the noise that finds no room within $(b,--memory-limit); nothing stays \
                 there. A folder in memory ($(b,tmpfs)) saves nothing.")
  in
  let noise_symbols =
    Arg.(value & opt (some int) None & info [ "noise-symbols" ] ~docv:"N"
           ~doc:"The most noise symbols of a region that zonotopes keep: the largest. Less work, looser bounds.")
  in
  let config prover command jobs data_dir memory_limit noise_directory noise_symbols seed deployment ~witness_dir ~pictures
    : Prover.config =
    { driver = Drivers.find prover; command; jobs; patience = Prover.default_patience;
      hello =
        { version = Protocol.version; client = "caisar-ext"; data_dir; witness_dir; pictures; memory_limit;
          noise_directory = Option.map absolute noise_directory; noise_symbols; threads = 1; seed; deployment } }
  in
  Term.(const config $ prover $ command $ jobs $ data_dir $ memory $ noise_directory $ noise_symbols $ seed
        $ deployment)

(* {1 Folders} *)

let rec make_folder path =
  if not (Sys.file_exists path) then begin
    make_folder (Filename.dirname path);
    try Unix.mkdir path 0o755
    with Unix.Unix_error (e, _, _) -> Diag.error "cannot make the folder %s: %s" path (Unix.error_message e)
  end
  else if not (Sys.is_directory path) then Diag.error "%s is not a folder" path

let rec remove_tree path =
  if Sys.is_directory path then begin
    Array.iter (fun name -> remove_tree (Filename.concat path name)) (Sys.readdir path);
    Unix.rmdir path
  end
  else Sys.remove path

(* Without [--witnesses] they last as long as the run. *)
let with_witness_folder wanted f =
  match wanted with
  | Some folder ->
    make_folder folder;
    f (absolute folder)
  | None ->
    let folder = Filename.temp_file "caisar-ext" ".witnesses" in
    Sys.remove folder;
    Unix.mkdir folder 0o700;
    Fun.protect ~finally:(fun () -> remove_tree folder) (fun () -> f folder)
