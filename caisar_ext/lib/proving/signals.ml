let catch ~on_interrupt signal =
  let behaviour _ =
    on_interrupt ();
    Sys.set_signal signal Signal_default
  in
  let previous = Sys.signal signal (Signal_handle behaviour) in
  if previous = Signal_ignore then Sys.set_signal signal Signal_ignore;
  (signal, previous)

let catching ~on_interrupt f =
  let broken_pipe = (Sys.sigpipe, Sys.signal Sys.sigpipe Signal_ignore) in
  let previous = broken_pipe :: List.map (catch ~on_interrupt) [ Sys.sigint; Sys.sigterm; Sys.sighup ] in
  let restore () = List.iter (fun (signal, behaviour) -> Sys.set_signal signal behaviour) previous in
  Fun.protect ~finally:restore f
