external die_with_parent : unit -> unit = "caisar_ext_die_with_parent"

type t = {
  pid : int;
  stdin : Unix.file_descr;
  stdout : Unix.file_descr;
  stderr : Unix.file_descr;
  mutable tail : string;
  mutable status : Unix.process_status option;
  mutable still_open : Unix.file_descr list;
}

let now () = Mtime.Span.to_s (Mtime_clock.elapsed ())
let ignore_unix_error f = try f () with Unix.Unix_error _ -> ()

(* Starting *)

(* Runs in the child. Signal dispositions that are ignored survive [execvp]: SIGPIPE must not. *)
let become argv ~parent ~stdin ~stdout ~stderr =
  (try
     ignore (Unix.setsid ());
     die_with_parent ();
     if Unix.getppid () <> parent then Unix._exit 127;
     Sys.set_signal Sys.sigpipe Sys.Signal_default;
     Unix.dup2 ~cloexec:false stdin Unix.stdin;
     Unix.dup2 ~cloexec:false stdout Unix.stdout;
     Unix.dup2 ~cloexec:false stderr Unix.stderr;
     Unix.execvp argv.(0) argv
   with Unix.Unix_error (error, _, _) ->
     let text = Printf.sprintf "cannot execute %s: %s\n" argv.(0) (Unix.error_message error) in
     ignore_unix_error (fun () -> ignore (Unix.write_substring Unix.stderr text 0 (String.length text))));
  Unix._exit 127

let spawn argv =
  let pipes = Array.init 3 (fun _ -> Unix.pipe ~cloexec:true ()) in
  let parent = Unix.getpid () in
  match Unix.fork () with
  | exception exn ->
    Array.iter (fun (read, write) -> Unix.close read; Unix.close write) pipes;
    raise exn
  | 0 -> become argv ~parent ~stdin:(fst pipes.(0)) ~stdout:(snd pipes.(1)) ~stderr:(snd pipes.(2))
  | pid ->
    List.iter Unix.close [ fst pipes.(0); snd pipes.(1); snd pipes.(2) ];
    let stdin = snd pipes.(0) and stdout = fst pipes.(1) and stderr = fst pipes.(2) in
    List.iter Unix.set_nonblock [ stdin; stdout; stderr ];
    { pid; stdin; stdout; stderr; tail = ""; status = None; still_open = [ stdin; stdout; stderr ] }

(* Pipes *)

(* Once each: the number of a closed descriptor is soon another's. *)
let close process fd =
  if List.mem fd process.still_open then begin
    process.still_open <- List.filter (( <> ) fd) process.still_open;
    ignore_unix_error (fun () -> Unix.close fd)
  end

let close_stdin process = close process process.stdin

let tail_length = 4096

let append_tail process text =
  let all = process.tail ^ text in
  let extra = max 0 (String.length all - tail_length) in
  process.tail <- String.sub all extra (String.length all - extra)

let open_stderr process = List.find_opt (( = ) process.stderr) process.still_open

(* One read empties a pipe, whose capacity is 64 KiB. *)
let drain_errors process =
  if open_stderr process <> None then begin
    let chunk = Bytes.create 65536 in
    match Unix.read process.stderr chunk 0 (Bytes.length chunk) with
    | 0 -> close process process.stderr
    | count -> append_tail process (Bytes.sub_string chunk 0 count)
    | exception Unix.Unix_error _ -> ()
  end

let last_words process =
  let lines = List.map String.trim (String.split_on_char '\n' process.tail) in
  match List.filter (fun line -> line <> "") (List.rev lines) with
  | [] -> None
  | line :: _ when String.length line > 300 -> Some (String.sub line 0 300 ^ "...")
  | line :: _ -> Some line

(* Ending *)

let rec wait pid =
  try Unix.waitpid [] pid with Unix.Unix_error (EINTR, _, _) -> wait pid

let rec has_ended process =
  process.status <> None
  ||
  match Unix.waitpid [ WNOHANG ] process.pid with
  | 0, _ -> false
  | _, status ->
    process.status <- Some status;
    true
  | exception Unix.Unix_error (EINTR, _, _) -> has_ended process

(* Before the child has called [setsid] there is no group: the process itself is the second target. After it has been
   reaped its number may be another's; a group that still has members keeps the number. *)
let kill process =
  ignore_unix_error (fun () -> Unix.kill (-process.pid) Sys.sigkill);
  if process.status = None then ignore_unix_error (fun () -> Unix.kill process.pid Sys.sigkill)

let rec await_end process until =
  if not (has_ended process) && now () < until then begin
    ignore_unix_error (fun () -> Unix.sleepf 0.005);
    await_end process until
  end

let bury process ~grace =
  await_end process (now () +. grace);
  kill process;
  if process.status = None then process.status <- Some (snd (wait process.pid));
  drain_errors process;
  List.iter (close process) process.still_open

let signal_names =
  [
    (Sys.sigabrt, "SIGABRT"); (Sys.sigbus, "SIGBUS"); (Sys.sigfpe, "SIGFPE"); (Sys.sighup, "SIGHUP");
    (Sys.sigill, "SIGILL"); (Sys.sigint, "SIGINT"); (Sys.sigkill, "SIGKILL"); (Sys.sigpipe, "SIGPIPE");
    (Sys.sigquit, "SIGQUIT"); (Sys.sigsegv, "SIGSEGV"); (Sys.sigterm, "SIGTERM"); (Sys.sigxcpu, "SIGXCPU");
  ]

let signal_name signal =
  match List.assoc_opt signal signal_names with
  | Some name -> name
  | None -> Printf.sprintf "signal %d" signal

let describe_end process =
  let ending =
    match process.status with
    | Some (WEXITED code) -> Printf.sprintf "exited with code %d" code
    | Some (WSIGNALED signal) | Some (WSTOPPED signal) -> "killed by " ^ signal_name signal
    | None -> "still running"
  in
  match last_words process with
  | Some words -> Printf.sprintf "%s, last words \"%s\"" ending words
  | None -> ending

(* Linux only: the line "RssAnon: 123 kB". *)
let private_memory process =
  let rec find ic =
    let line = input_line ic in
    match Scanf.sscanf line "RssAnon: %d kB" Fun.id with
    | kilobytes -> Some (1024 * kilobytes)
    | exception (Scanf.Scan_failure _ | Failure _ | End_of_file) -> find ic
  in
  match open_in (Printf.sprintf "/proc/%d/status" process.pid) with
  | exception Sys_error _ -> None
  | ic ->
    Fun.protect ~finally:(fun () -> close_in ic) (fun () -> try find ic with End_of_file | Sys_error _ -> None)
