type request = { id : int; since : float; mutable deadline : float }

type t = {
  process : Process.t;
  started : float;
  memory_ceiling : int option;
  decoder : Protocol.Frame.decoder;
  mutable request : request option;
  mutable outgoing : string;
  mutable written : int;
  mutable lost : bool;
}

type event = Reply of Protocol.reply | Lost of string

let start ~memory_limit argv =
  {
    process = Process.spawn argv;
    started = Process.now ();
    memory_ceiling = Option.map (fun limit -> limit + (limit / 4)) memory_limit;
    decoder = Protocol.Frame.decoder ();
    request = None;
    outgoing = "";
    written = 0;
    lost = false;
  }

let age worker = Process.now () -. worker.started

(* Requests *)

(* A pipe refuses more when it is full; a prover that has closed its end shows by the end of its output. *)
let write worker =
  let length = String.length worker.outgoing - worker.written in
  match Unix.write_substring worker.process.stdin worker.outgoing worker.written length with
  | count -> worker.written <- worker.written + count
  | exception Unix.Unix_error ((EAGAIN | EWOULDBLOCK | EINTR), _, _) -> ()
  | exception Unix.Unix_error (EPIPE, _, _) -> worker.written <- String.length worker.outgoing

let is_writing worker = worker.written < String.length worker.outgoing

let send worker ~id ~allowance body =
  let now = Process.now () in
  worker.request <- Some { id; since = now; deadline = now +. allowance };
  worker.outgoing <- Protocol.Frame.encode (Protocol.payload_of_request { id; body });
  worker.written <- 0;
  write worker

let extend worker ~allowance =
  let extend_request request = request.deadline <- max request.deadline (Process.now () +. allowance) in
  Option.iter extend_request worker.request

let rest worker = worker.request <- None

(* Ends *)

let kill worker =
  worker.lost <- true;
  Process.bury worker.process ~grace:0.

let give_up worker reason =
  kill worker;
  match Process.last_words worker.process with
  | Some words -> Printf.sprintf "%s, last words \"%s\"" reason words
  | None -> reason

let dismiss workers ~grace =
  let until = Process.now () +. grace in
  List.iter (fun worker -> Process.close_stdin worker.process) workers;
  List.iter (fun worker -> Process.bury worker.process ~grace:(max 0. (until -. Process.now ()))) workers

(* A process that closes its output is about to end: its own status says more than our SIGKILL. *)
let grace_at_end_of_output = 0.5

let lost_by_end worker =
  worker.lost <- true;
  Process.bury worker.process ~grace:grace_at_end_of_output;
  Lost (Process.describe_end worker.process)

let gigabytes bytes = float_of_int bytes /. 1024. ** 3.

(* What is wrong with a silent worker, if anything. *)
let complaint worker request =
  let now = Process.now () in
  match worker.memory_ceiling with
  | _ when now > request.deadline -> Some (Printf.sprintf "hung: no answer within %.1f s" (now -. request.since))
  | Some ceiling when Option.value (Process.private_memory worker.process) ~default:0 > ceiling ->
    Some (Printf.sprintf "out of memory (over %.2f GiB)" (gigabytes ceiling))
  | Some _ | None -> None

let check worker ~on_event =
  match Option.bind worker.request (complaint worker) with
  | Some reason when not worker.lost -> on_event worker (Lost (give_up worker reason))
  | Some _ | None -> ()

(* Replies *)

let reply_of_payload worker payload =
  match (Protocol.reply_of_payload payload, worker.request) with
  | Error message, _ -> Error message
  | Ok { id; _ }, None -> Error (Printf.sprintf "a reply to request %d, which is not open" id)
  | Ok { id; _ }, Some request when id <> request.id ->
    Error (Printf.sprintf "a reply to request %d instead of %d" id request.id)
  | Ok { body; _ }, Some _ -> Ok body

let protocol_error worker message = Lost (give_up worker ("protocol error: " ^ message))

let rec deliver worker ~on_event =
  if not worker.lost then
    match Protocol.Frame.next worker.decoder with
    | Ok None -> ()
    | Error message -> on_event worker (protocol_error worker message)
    | Ok (Some payload) -> (
        match reply_of_payload worker payload with
        | Error message -> on_event worker (protocol_error worker message)
        | Ok body ->
          on_event worker (Reply body);
          deliver worker ~on_event)

(* Input *)

let chunk = Bytes.create 65536

type input = Full | Partial | Empty | Ended

let read worker =
  match Unix.read worker.process.stdout chunk 0 (Bytes.length chunk) with
  | 0 -> Ended
  | count ->
    Protocol.Frame.feed worker.decoder chunk count;
    if count = Bytes.length chunk then Full else Partial
  | exception Unix.Unix_error ((EAGAIN | EWOULDBLOCK | EINTR), _, _) -> Empty
  | exception Unix.Unix_error (_, _, _) -> Ended

(* A full chunk may be the beginning of an answer that came in time. *)
let serve worker ~on_event =
  let input = read worker in
  deliver worker ~on_event;
  if not worker.lost then
    match input with
    | Ended -> on_event worker (lost_by_end worker)
    | Full -> ()
    | Partial | Empty -> check worker ~on_event

(* Its children may hold the output of a dead process open: the end of file would never come. *)
let rec serve_dead worker ~on_event =
  let input = read worker in
  deliver worker ~on_event;
  if not worker.lost then
    match input with
    | Full | Partial -> serve_dead worker ~on_event
    | Empty | Ended -> on_event worker (lost_by_end worker)

let poll workers ~timeout ~on_event =
  let errors = List.filter_map (fun worker -> Process.open_stderr worker.process) workers in
  let outputs = List.map (fun worker -> worker.process.stdout) workers in
  let inputs = List.map (fun worker -> worker.process.stdin) (List.filter is_writing workers) in
  (match Unix.select (outputs @ errors) inputs [] timeout with
   | exception Unix.Unix_error (EINTR, _, _) -> ()
   | _ -> ());
  let serve_one worker =
    if not worker.lost then begin
      Process.drain_errors worker.process;
      if is_writing worker then write worker;
      if Process.has_ended worker.process then serve_dead worker ~on_event else serve worker ~on_event
    end
  in
  List.iter serve_one workers
