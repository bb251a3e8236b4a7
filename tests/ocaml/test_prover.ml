(* The pool against a prover that misbehaves in every way that we could think of (misbehaving_prover.py): everything is
   told apart, nothing is lost, no process is left. *)

open Caisar_ext

let case name f = Alcotest.test_case name `Quick f

let contains text part =
  let n = String.length part in
  List.exists (fun i -> String.sub text i n = part) (List.init (max 0 (String.length text - n + 1)) Fun.id)

let check_says name text expected =
  if not (contains text expected) then Alcotest.failf "%s: %S does not say %S" name text expected

(* Folders and processes *)

let fresh_folder () =
  let folder = Filename.temp_file "caisar-ext-pool" "" in
  Sys.remove folder;
  Unix.mkdir folder 0o700;
  folder

let rec remove path =
  if Sys.is_directory path then begin
    Array.iter (fun name -> remove (Filename.concat path name)) (Sys.readdir path);
    Unix.rmdir path
  end
  else Sys.remove path

let read_lines file =
  match open_in file with
  | exception Sys_error _ -> []
  | ic ->
    let rec lines taken = match input_line ic with line -> lines (line :: taken) | exception End_of_file -> taken in
    Fun.protect ~finally:(fun () -> close_in ic) (fun () -> List.rev (lines []))

let logged_pids folder = List.map int_of_string (read_lines (Filename.concat folder "pids"))

(* A grandchild whose parent is dead may stay a zombie for as long as init likes: it runs no more. *)
let is_running pid =
  match read_lines (Printf.sprintf "/proc/%d/status" pid) with
  | [] -> false
  | lines -> not (List.exists (fun line -> contains line "State:\tZ") lines)

let rec none_left ?(patience = 40) folder =
  match List.filter is_running (logged_pids folder) with
  | [] -> ()
  | pid :: _ when patience = 0 -> Alcotest.failf "process %d is left" pid
  | _ ->
    Unix.sleepf 0.05;
    none_left ~patience:(patience - 1) folder

let no_zombie () =
  match Unix.waitpid [ WNOHANG ] (-1) with
  | exception Unix.Unix_error (ECHILD, _, _) -> ()
  | pid, _ -> Alcotest.failf "a child is left (%d)" pid

(* Requests *)

let network path : Query.network = { path; normalization = None }

let query ?(classes = [ 0 ]) number behaviour : Query.t =
  let dataset : Query.dataset = { source = behaviour; base = "/" } in
  {
    query = number;
    region = [ Ball { dataset; index = 0; radius = Q.of_ints 2 255 } ];
    properties = [ Within { classes } ];
  }

let batch ?(path = "/net.onnx") ?(time_limit = 5.) queries : Protocol.verify =
  { network = network path; queries; time_limit; full_matrix = false; domain = None }

let patience : Prover.patience = { start_up = 20.; loading = 0.; grace = 2.; call = 20. }

(* The interpreter itself: [python3] may be a slow wrapper, and is started some hundred times here. *)
let interpreter =
  lazy
    (let ic = Unix.open_process_in "python3 -c 'import sys; print(sys.executable)'" in
     Fun.protect ~finally:(fun () -> ignore (Unix.close_process_in ic)) (fun () -> input_line ic))

let config ?(jobs = 1) ?(start = "well") ?(patience = patience) ?memory_limit folder : Prover.config =
  let hello : Protocol.hello =
    {
      version = Protocol.version;
      client = "test";
      data_dir = None;
      witness_dir = folder;
      pictures = false;
      memory_limit;
      noise_directory = None;
      noise_symbols = None;
      threads = 1;
      seed = 0;
      deployment = "real";
    }
  in
  let command = Some (Printf.sprintf "%s -I -S misbehaving_prover.py --start %s" (Lazy.force interpreter) start) in
  { driver = Drivers.find Drivers.default; command; jobs; hello; patience }

type run = {
  answers : (int, Protocol.answer) Hashtbl.t;
  completion : Prover.completion;
  statistics : Prover.statistics;
  pids : int list;
}

(* Every run ends with the same checks: no answer came twice, no process is left. *)
let with_folder f =
  let folder = fresh_folder () in
  Fun.protect ~finally:(fun () -> remove folder) @@ fun () ->
  let result = f folder in
  none_left folder;
  no_zombie ();
  result

let record answers (answer : Protocol.answer) =
  if Hashtbl.mem answers answer.query then Alcotest.failf "query %d is answered twice" answer.query;
  Hashtbl.replace answers answer.query answer

let verify_in ?(on_answer = ignore) config batches =
  let answers = Hashtbl.create 16 in
  let on_answer answer =
    record answers answer;
    on_answer answer
  in
  Prover.with_pool config @@ fun pool ->
  let completion = Prover.verify pool ~on_answer batches in
  let pids = logged_pids config.hello.witness_dir in
  { answers; completion; statistics = Prover.statistics pool; pids }

let verify ?jobs ?start ?patience ?memory_limit batches =
  with_folder @@ fun folder -> verify_in (config ?jobs ?start ?patience ?memory_limit folder) batches

let verdict run number =
  match Hashtbl.find_opt run.answers number with
  | Some { outcomes = [ { verdict; _ } ]; _ } -> verdict
  | Some _ -> Alcotest.failf "query %d: not one outcome" number
  | None -> Alcotest.failf "query %d is lost" number

let is_valid run number = Alcotest.(check bool) (Printf.sprintf "query %d" number) true (verdict run number = Valid)

let fails_with run number expected =
  match verdict run number with
  | Failure message -> check_says (Printf.sprintf "query %d" number) message expected
  | Valid | Invalid _ | Unknown _ | Timeout -> Alcotest.failf "query %d should have failed" number

let is_complete run = Alcotest.(check bool) "complete" true (run.completion = Completed)

(* Good behaviour *)

let all_answered () =
  let batches = List.init 10 (fun i -> batch (List.init 5 (fun j -> query ((5 * i) + j) "ok"))) in
  let run = verify ~jobs:2 batches in
  is_complete run;
  List.iter (is_valid run) (List.init 50 Fun.id);
  Alcotest.(check int) "lost workers" 0 run.statistics.lost;
  Alcotest.(check bool) "started" true (run.statistics.started >= 1 && run.statistics.started <= 2);
  Alcotest.(check (float 1e-9)) "CPU seconds" 5. run.statistics.cpu_seconds;
  Alcotest.(check int) "peak memory" 1000 run.statistics.peak_memory;
  Alcotest.(check bool) "start-up is counted" true (run.statistics.start_up_seconds > 0.)

let answers_stream () =
  let first_after = ref infinity and start = Process.now () in
  let on_answer _ = first_after := min !first_after (Process.now () -. start) in
  let total =
    with_folder @@ fun folder ->
    ignore (verify_in ~on_answer (config folder) [ batch (List.init 4 (fun i -> query i "sleep")) ]);
    Process.now () -. start
  in
  Alcotest.(check bool) "the first comes before the last" true (total -. !first_after > 0.6)

let two_work_at_once () =
  let run = verify ~jobs:3 (List.init 3 (fun i -> batch [ query i "sleep" ])) in
  Alcotest.(check int) "workers" 3 run.statistics.started

let few_queries_few_workers () =
  let run = verify ~jobs:8 [ batch [ query 0 "ok"; query 1 "ok" ]; batch [] ] in
  Alcotest.(check int) "workers" 1 (List.length run.pids)

(* One worker, two networks in turn: each is loaded once. *)
let same_network_first () =
  let order = ref [] in
  let path i = if i mod 2 = 0 then "/even.onnx" else "/odd.onnx" in
  let batches = List.init 6 (fun i -> batch ~path:(path i) [ query i "ok" ]) in
  with_folder (fun folder ->
      ignore (verify_in ~on_answer:(fun answer -> order := answer.query :: !order) (config folder) batches));
  Alcotest.(check (list int)) "order" [ 0; 2; 4; 1; 3; 5 ] (List.rev !order)

let spreads_networks () =
  let waiting = Batches.of_list [ batch ~path:"/a" [ query 0 "ok" ]; batch []; batch ~path:"/b" [ query 1 "ok" ] ] in
  let next ~loaded ~elsewhere =
    match Batches.next ~loaded:(Option.map network loaded) ~elsewhere:(List.map network elsewhere) waiting with
    | Some (pending, [ _ ]) -> pending.batch.network.path
    | Some _ | None -> Alcotest.fail "two batches wait"
  in
  Alcotest.(check string) "first" "/a" (next ~loaded:None ~elsewhere:[]);
  Alcotest.(check string) "loaded" "/b" (next ~loaded:(Some "/b") ~elsewhere:[]);
  Alcotest.(check string) "not elsewhere" "/b" (next ~loaded:(Some "/c") ~elsewhere:[ "/a" ]);
  Alcotest.(check string) "any" "/a" (next ~loaded:None ~elsewhere:[ "/a"; "/b" ])

let large_frames () =
  let classes = List.init 250_000 Fun.id in
  let run = verify [ batch [ query 0 "huge" ]; batch [ query ~classes 1 "ok" ]; batch [ query 2 "noise" ] ] in
  List.iter (is_valid run) [ 0; 1; 2 ];
  let step = (List.hd (Hashtbl.find run.answers 0).outcomes).step in
  Alcotest.(check int) "a reply of 3 MB" 3_000_000 (String.length step);
  let request_length = List.hd (Hashtbl.find run.answers 1).centre in
  Alcotest.(check bool) "a request of over 1 MB" true (request_length > 1_000_000);
  Alcotest.(check int) "lost workers" 0 run.statistics.lost

let slow_start () =
  let run = verify ~start:"slow" [ batch [ query 0 "ok" ] ] in
  is_valid run 0;
  Alcotest.(check bool) "start-up takes its time" true (run.statistics.start_up_seconds > 0.7)

(* The prover answers with the verdict given, not with one of ours. *)
let undecided_stays () =
  let run = verify [ batch [ query 0 "unknown" ] ] in
  Alcotest.(check bool) "unknown" true (verdict run 0 = Unknown "tie")

(* Misbehaviour: a query that loses its worker each time, between two that do not. *)

let poison ?(time_limit = 5.) ?memory_limit behaviour expected () =
  let queries = [ query 0 "ok"; query 1 behaviour; query 2 "unknown" ] in
  let run = verify ?memory_limit [ batch ~time_limit queries ] in
  is_complete run;
  is_valid run 0;
  fails_with run 1 expected;
  Alcotest.(check bool) "the next query is unharmed" true (verdict run 2 = Unknown "tie");
  Alcotest.(check int) "lost workers" 2 run.statistics.lost

(* After such a reply the query itself has its answer, the worker goes all the same. *)
let answered_twice () =
  let run = verify [ batch [ query 0 "twice"; query 1 "ok" ] ] in
  is_valid run 0;
  is_valid run 1;
  Alcotest.(check bool) "the worker is lost" true (run.statistics.lost >= 1)

let only_once () =
  let misbehave_once = [ "kill once"; "exit once"; "garbage once"; "refuse-memory once" ] in
  let batch_of i behaviour = batch [ query (2 * i) behaviour; query ((2 * i) + 1) "ok" ] in
  let run = verify (List.mapi batch_of misbehave_once) in
  List.iter (is_valid run) (List.init 8 Fun.id);
  Alcotest.(check int) "lost workers" 4 run.statistics.lost

let many_poisons () =
  let behaviours = [| "ok"; "kill"; "garbage"; "ok"; "exit"; "refuse-user"; "ok" |] in
  let queries i = List.init 7 (fun j -> query ((7 * i) + j) behaviours.((i + j) mod 7)) in
  let run = verify ~jobs:3 (List.init 4 (fun i -> batch ~path:(Printf.sprintf "/%d.onnx" (i mod 2)) (queries i))) in
  is_complete run;
  let check number =
    let behaviour = behaviours.(((number / 7) + (number mod 7)) mod 7) in
    match (behaviour, verdict run number) with
    | "ok", Valid | ("kill" | "garbage" | "exit" | "refuse-user"), Failure _ -> ()
    (* A refusal is of the batch: it takes the queries behind it along. *)
    | "ok", Failure message -> check_says "refused with its batch" message "out of range"
    | _ -> Alcotest.failf "query %d: %s has another verdict" number behaviour
  in
  List.iter check (List.init 28 Fun.id)

let refused_as_user () =
  let run = verify [ batch [ query 0 "ok"; query 1 "refuse-user"; query 2 "ok" ]; batch [ query 3 "ok" ] ] in
  is_valid run 0;
  fails_with run 1 "index 7 is out of range (try again)";
  fails_with run 2 "index 7 is out of range";
  is_valid run 3;
  Alcotest.(check int) "lost workers" 0 run.statistics.lost

let hung_but_in_time () =
  let run = verify ~patience:{ patience with grace = 10. } [ batch ~time_limit:0.01 [ query 0 "sleep" ] ] in
  is_valid run 0

(* Starts *)

let start_error ?(jobs = 1) ?(patience = patience) start expected () =
  match verify ~jobs ~patience ~start [ batch [ query 0 "ok" ]; batch [ query 1 "ok" ]; batch [ query 2 "ok" ] ] with
  | _ -> Alcotest.fail "it started"
  | exception Diag.Error [ { message; hint = Some _; _ } ] -> check_says start message expected
  | exception Diag.Error _ -> Alcotest.fail "no hint, or several errors"

let command_not_found () =
  with_folder @@ fun folder ->
  let config = { (config folder) with command = Some "/no/such/prover --serve" } in
  match verify_in config [ batch [ query 0 "ok" ] ] with
  | _ -> Alcotest.fail "it started"
  | exception Diag.Error [ { message; _ } ] ->
    check_says "message" message "exited with code 127";
    check_says "message" message "/no/such/prover"
  | exception Diag.Error _ -> Alcotest.fail "several errors"

(* One of two workers never starts: the other does the work. *)
let goes_on_with_fewer () =
  let run = verify ~jobs:2 ~start:"second-dies" (List.init 6 (fun i -> batch [ query i "sleep" ])) in
  is_complete run;
  List.iter (is_valid run) (List.init 6 Fun.id);
  Alcotest.(check int) "started" 1 run.statistics.started

let jobs_out_of_range () =
  match verify ~jobs:0 [] with
  | _ -> Alcotest.fail "no job"
  | exception Diag.Error _ -> ()

(* Calls *)

let dataset source : Query.dataset = { source; base = "/" }

let describes () =
  with_folder @@ fun folder ->
  Prover.with_pool (config folder) @@ fun pool ->
  let description = Prover.describe_dataset pool (dataset "ok") in
  Alcotest.(check (list string)) "class names" [ "polar bear"; "dog" ] description.class_names;
  (match Prover.describe_dataset pool (dataset "missing") with
   | _ -> Alcotest.fail "described"
   | exception Diag.Error [ { message; hint; _ } ] ->
     Alcotest.(check string) "message" "no such file: missing" message;
     Alcotest.(check (option string)) "hint" (Some "try again") hint
   | exception Diag.Error _ -> Alcotest.fail "several errors");
  Alcotest.(check int) "the worker goes on" 2 (Prover.describe_dataset pool (dataset "ok")).length;
  Alcotest.(check int) "one worker for all" 1 (List.length (logged_pids folder));
  let answers = Hashtbl.create 1 in
  ignore (Prover.verify pool ~on_answer:(record answers) [ batch [ query 0 "ok" ] ]);
  Alcotest.(check int) "verification too" 1 (Hashtbl.length answers);
  Alcotest.(check int) "by the same worker" 1 (List.length (logged_pids folder))

let call_once_more () =
  with_folder @@ fun folder ->
  Prover.with_pool (config folder) @@ fun pool ->
  (match Prover.describe_dataset pool (dataset "kill") with
   | _ -> Alcotest.fail "described"
   | exception Prover.Broken reason -> check_says "reason" reason "killed by SIGKILL");
  Alcotest.(check int) "two processes tried" 2 (List.length (logged_pids folder));
  (match Prover.describe_dataset pool (dataset "wrong-kind") with
   | _ -> Alcotest.fail "described"
   | exception Prover.Broken reason -> check_says "reason" reason "protocol error");
  (match Prover.describe_dataset pool (dataset "refuse-memory") with
   | _ -> Alcotest.fail "described"
   | exception Diag.Error [ { message; _ } ] -> check_says "message" message "out of memory"
   | exception Diag.Error _ -> Alcotest.fail "several errors");
  Alcotest.(check int) "the pool goes on" 2 (Prover.describe_dataset pool (dataset "ok")).length

(* Ends *)

let raise_signal signal = Unix.kill (Unix.getpid ()) signal

let interrupted signal () =
  with_folder @@ fun folder ->
  let batch_of i = batch ~time_limit:60. [ query (2 * i) "sleep"; query ((2 * i) + 1) "hang" ] in
  let interrupt (answer : Protocol.answer) = if answer.query = 2 then raise_signal signal in
  let start = Process.now () in
  let run = verify_in ~on_answer:interrupt (config ~jobs:2 folder) (List.init 4 batch_of) in
  Alcotest.(check bool) "interrupted" true (run.completion = Interrupted);
  is_valid run 2;
  Alcotest.(check bool) "nothing was concluded from it" true (Hashtbl.length run.answers <= 2);
  Alcotest.(check bool) "at once" true (Process.now () -. start < 10.)

let interrupted_for_good () =
  with_folder @@ fun folder ->
  Prover.with_pool (config folder) @@ fun pool ->
  raise_signal Sys.sigterm;
  (match Prover.verify pool ~on_answer:ignore [ batch [ query 0 "ok" ] ] with
   | Completed -> Alcotest.fail "completed"
   | Interrupted -> ());
  match Prover.describe_dataset pool (dataset "ok") with
  | _ -> Alcotest.fail "described"
  | exception Prover.Stopped -> ()

let exception_in_callback () =
  with_folder @@ fun folder ->
  match verify_in ~on_answer:(fun _ -> raise Exit) (config folder) [ batch [ query 0 "ok"; query 1 "hang" ] ] with
  | _ -> Alcotest.fail "no exception"
  | exception Exit -> ()

let exception_beside_requests () =
  with_folder @@ fun folder ->
  let ask_then_raise pool =
    ignore (Prover.describe_dataset pool (dataset "ok"));
    raise Exit
  in
  match Prover.with_pool (config folder) ask_then_raise with
  | () -> Alcotest.fail "no exception"
  | exception Exit -> ()

(* The orchestrator in a process of its own, hanging, then [end_it]. *)
let in_a_process ~end_it =
  with_folder @@ fun folder ->
  match Unix.fork () with
  | 0 ->
    (match verify_in (config folder) [ batch ~time_limit:60. [ query 0 "eat-memory" ] ] with
     | _ -> Unix._exit 0
     | exception _ -> Unix._exit 1)
  | orchestrator ->
    while logged_pids folder = [] do Unix.sleepf 0.02 done;
    Unix.sleepf 0.3;
    Alcotest.(check bool) "the worker runs" true (List.for_all is_running (logged_pids folder));
    end_it orchestrator;
    ignore (Process.wait orchestrator)

let killed_orchestrator () = in_a_process ~end_it:(fun pid -> Unix.kill pid Sys.sigkill)
let interrupted_orchestrator () = in_a_process ~end_it:(fun pid -> Unix.kill pid Sys.sigint)

let descriptors () = Array.length (Sys.readdir "/proc/self/fd")

let no_descriptor_leaks () =
  let batches = [ batch ~time_limit:0.1 [ query 0 "kill"; query 1 "hang" ]; batch [ query 2 "garbage" ] ] in
  let run () = ignore (verify ~jobs:2 batches) in
  run ();
  let before = descriptors () in
  run ();
  Alcotest.(check int) "open descriptors" before (descriptors ())

(* Drivers *)

let located_error expected text =
  let file = Filename.temp_file "caisar-ext" ".driver" in
  Fun.protect ~finally:(fun () -> Sys.remove file) @@ fun () ->
  let oc = open_out file in
  output_string oc text;
  close_out oc;
  match Drivers.find file with
  | _ -> Alcotest.failf "read: %s" text
  | exception Diag.Error [ { message; location; _ } ] ->
    check_says "message" message expected;
    Option.fold ~none:0 ~some:(fun (l : Diag.location) -> l.line) location
  | exception Diag.Error _ -> Alcotest.fail "several errors"

let driver_errors () =
  let driver = "((name x)\n (command (x))\n (python_modules ())\n (properties (%))\n (domains ()))" in
  let with_property property = String.concat property (String.split_on_char '%' driver) in
  Alcotest.(check int) "line" 4 (located_error "not a prover's driver" (with_property "Everywhere"));
  Alcotest.(check int) "line" 1 (located_error "not a prover's driver" "((name x))");
  Alcotest.(check int) "line" 2 (located_error "unclosed" "((name x)\n");
  (match Drivers.find "pyprove" with
   | _ -> Alcotest.fail "found"
   | exception Diag.Error [ { hint; _ } ] ->
     Alcotest.(check (option string)) "hint" (Some "did you mean \"pyprover\"?") hint
   | exception Diag.Error _ -> Alcotest.fail "several errors");
  match Drivers.find "/no/such.driver" with
  | _ -> Alcotest.fail "found"
  | exception Diag.Error _ -> ()

let beyond_the_driver () =
  let driver = { (Drivers.find Drivers.default) with properties = [ Within ]; domains = [ "linear" ] } in
  let refused batch =
    match Drivers.check driver batch with
    | () -> Alcotest.fail "accepted"
    | exception Diag.Error _ -> ()
  in
  Drivers.check driver (batch [ query 0 "ok" ]);
  Drivers.check driver { (batch []) with domain = Some "linear" };
  refused { (batch []) with domain = Some "interval" };
  refused { (batch []) with domain = Some "linear+interval" };
  Drivers.check (Drivers.find Drivers.default) { (batch []) with domain = Some "constrained_zonotope+deeppoly" };
  refused (batch [ { (query 0 "ok") with properties = [ Avoid { cases = [] } ] } ])

let with_environment name value f =
  let previous = Option.value (Sys.getenv_opt name) ~default:"" in
  Unix.putenv name value;
  Fun.protect ~finally:(fun () -> Unix.putenv name previous) f

let finds_python () =
  let driver = { (Drivers.find Drivers.default) with python_modules = [ "json" ] } in
  let words = Array.to_list (Drivers.command driver) in
  Alcotest.(check (list string)) "the rest of the command" [ "-m"; "pyprover"; "serve" ] (List.tl words);
  check_says "interpreter" (List.hd words) "python3";
  let override = Drivers.command ~override:"x -y" driver in
  Alcotest.(check (array string)) "override" [| "/bin/sh"; "-c"; "exec x -y" |] override;
  (match Drivers.command { driver with python_modules = [ "no_such_module_at_all" ] } with
   | _ -> Alcotest.fail "found"
   | exception Diag.Error [ { message; hint = Some hint; _ } ] ->
     check_says "message" message "no_such_module_at_all";
     check_says "hint" hint "make setup"
   | exception Diag.Error _ -> Alcotest.fail "no hint");
  with_environment "CAISAR_EXT_PYTHON" "/no/python" @@ fun () ->
  match Drivers.command driver with
  | _ -> Alcotest.fail "found"
  | exception Diag.Error [ { message; _ } ] -> check_says "message" message "/no/python"
  | exception Diag.Error _ -> Alcotest.fail "several errors"

let () =
  let dies = start_error "die" "ModuleNotFoundError: No module named 'torch'" in
  let silent = { patience with start_up = 0.4 } in
  Alcotest.run "prover"
    [
      ( "good behaviour",
        [
          case "all answered" all_answered;
          case "answers stream" answers_stream;
          case "several at once" two_work_at_once;
          case "few queries, few workers" few_queries_few_workers;
          case "same network first" same_network_first;
          case "networks spread" spreads_networks;
          case "large frames and stray prints" large_frames;
          case "slow start" slow_start;
          case "undecided stays" undecided_stays;
          case "patience" hung_but_in_time;
        ] );
      ( "misbehaviour",
        [
          case "abort" (poison "abort" "killed by SIGABRT");
          case "kill -9" (poison "kill" "killed by SIGKILL");
          case "exit 3" (poison "exit" "exited with code 3, last words \"ZeroDivisionError: division by zero\"");
          case "hang, SIGTERM ignored, a child" (poison ~time_limit:0.1 "hang" "hung: no answer within");
          case "crash, the child holds the pipes" (poison "crash-with-grandchild" "killed by SIGSEGV");
          case "garbage" (poison "garbage" "protocol error: a frame header is expected");
          case "bad s-expression" (poison "bad-sexp" "protocol error: unclosed");
          case "wrong type" (poison "wrong-type" "protocol error");
          case "unknown field" (poison "unknown-field" "colour");
          case "oversized frame" (poison "oversized" "a frame of 99999999 bytes is over the limit");
          case "half a frame" (poison "half-a-frame" "exited with code 0");
          case "ends after its output" (poison "close-then-exit" "exited with code 5");
          case "wrong id" (poison "wrong-id" "a reply to request 99999 instead of");
          case "wrong query" (poison "wrong-query" "query 424242 is not being asked");
          case "wrong number of outcomes" (poison "wrong-count" "query 1 has other properties");
          case "done early" (poison "done-early" "done without an answer to query 1");
          case "wrong kind of reply" (poison "wrong-kind" "a reply of another kind");
          case "refuses: memory" (poison "refuse-memory" "out of memory");
          case "refuses: internal" (poison "refuse-internal" "internal error: KeyError: 3");
          case "eats memory" (poison ~time_limit:30. ~memory_limit:(128 * 1024 * 1024) "eat-memory" "out of memory");
          case "answers twice" answered_twice;
          case "only once" only_once;
          case "refuses: user" refused_as_user;
          case "many at once" many_poisons;
        ] );
      ( "starts",
        [
          case "dies" dies;
          case "dies, many jobs" (start_error ~jobs:3 "die" "No module named 'torch'");
          case "other version" (start_error "version" "speaks version 4 of the protocol, this program version 3");
          case "garbage" (start_error "garbage" "protocol error");
          case "silent" (start_error ~patience:silent "silent" "hung");
          case "refuses" (start_error "refuse" "no such data folder");
          case "command not found" command_not_found;
          case "one of two" goes_on_with_fewer;
          case "no jobs" jobs_out_of_range;
        ] );
      ("calls", [ case "describes" describes; case "once more, elsewhere" call_once_more ]);
      ( "ends",
        [
          case "SIGINT" (interrupted Sys.sigint);
          case "SIGTERM" (interrupted Sys.sigterm);
          case "SIGHUP" (interrupted Sys.sighup);
          case "stays interrupted" interrupted_for_good;
          case "exception in the callback" exception_in_callback;
          case "exception beside requests" exception_beside_requests;
          case "orchestrator killed" killed_orchestrator;
          case "orchestrator interrupted" interrupted_orchestrator;
          case "no descriptor leaks" no_descriptor_leaks;
        ] );
      ( "drivers",
        [
          case "errors" driver_errors;
          case "beyond the driver" beyond_the_driver;
          case "finds Python" finds_python;
        ] );
    ]
