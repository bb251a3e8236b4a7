type patience = { start_up : float; loading : float; grace : float; call : float }

let default_patience = { start_up = 120.; loading = 120.; grace = 30.; call = 600. }

type config = {
  driver : Drivers.t;
  command : string option;
  jobs : int;
  hello : Protocol.hello;
  patience : patience;
}

type statistics = {
  started : int;
  lost : int;
  start_up_seconds : float;
  cpu_seconds : float;
  peak_memory : int;
}

type assignment = { pending : Batches.pending; mutable unanswered : Query.t list }
type exchange = { mutable outcome : (Protocol.reply, string) result option }
type role = Starting | Idle | Calling of exchange | Verifying of assignment
type member = { worker : Worker.t; mutable role : role; mutable network : Query.network option }

type t = {
  config : config;
  command : string array;
  mutable members : member list;
  mutable waiting : Batches.t;
  mutable on_answer : Protocol.answer -> unit;
  mutable next_id : int;
  mutable failed_starts : int;  (* in a row *)
  mutable signalled : bool;
  mutable statistics : statistics;
  mutable rounding : string option;
}

type completion = Completed | Interrupted

exception Stopped
exception Broken of string

let statistics pool = pool.statistics
let rounding pool = pool.rounding

(* Members *)

let send pool member ~allowance request =
  pool.next_id <- pool.next_id + 1;
  Worker.send member.worker ~id:pool.next_id ~allowance request

let start pool =
  let memory_limit = pool.config.hello.memory_limit in
  match Worker.start ~memory_limit pool.command with
  | exception Unix.Unix_error (error, call, _) ->
    Diag.error "cannot start a prover process: %s (%s)" (Unix.error_message error) call
      ~hint:"ask for fewer jobs"
  | worker ->
    let member = { worker; role = Starting; network = None } in
    pool.members <- pool.members @ [ member ];
    send pool member ~allowance:pool.config.patience.start_up (Hello pool.config.hello)

let remove pool member = pool.members <- List.filter (( != ) member) pool.members

let rest member =
  Worker.rest member.worker;
  member.role <- Idle

let kill pool members =
  List.iter (fun member -> Worker.kill member.worker; remove pool member) members

let is_idle member = member.role = Idle
let is_verifying member = match member.role with Verifying _ -> true | Starting | Idle | Calling _ -> false

(* Starts that fail *)

let starts_allowed = 3

let cannot_start pool reason =
  let command = String.concat " " (Array.to_list pool.command) in
  Diag.error "the prover \"%s\" does not start: %s" pool.config.driver.name reason
    ~hint:(Printf.sprintf "its command is: %s; `make setup` installs what the shipped prover needs" command)

(* With another member, at work or still on its way, the run goes on with fewer. *)
let start_failed pool reason =
  pool.failed_starts <- pool.failed_starts + 1;
  if pool.failed_starts >= starts_allowed && pool.members = [] then cannot_start pool reason

let may_start pool =
  List.length pool.members < pool.config.jobs && (pool.failed_starts < starts_allowed || pool.members = [])

(* Answers *)

let failure message (query : Query.t) : Protocol.answer =
  let outcome _ : Protocol.outcome = { verdict = Failure message; step = "prover"; margin = None } in
  {
    query = query.query;
    outcomes = List.map outcome query.properties;
    centre = [];
    impossible = [];
    reached = [];
    seconds = 0.;
    steps = [];
  }

let fail_queries pool message queries = List.iter (fun query -> pool.on_answer (failure message query)) queries

(* Losses *)

let lost pool member reason =
  remove pool member;
  pool.statistics <- { pool.statistics with lost = pool.statistics.lost + 1 };
  match member.role with
  | Idle -> ()
  | Starting -> start_failed pool reason
  | Calling exchange -> exchange.outcome <- Some (Error reason)
  | Verifying { pending = { batch; attempt = First }; unanswered } ->
    pool.waiting <- Batches.again batch unanswered pool.waiting
  | Verifying { pending = { attempt = Second; _ }; unanswered } ->
    fail_queries pool ("the prover was lost twice with this query: " ^ reason) unanswered

let give_up pool member reason = lost pool member (Worker.give_up member.worker reason)
let protocol_error pool member message = give_up pool member ("protocol error: " ^ message)

(* Refusals *)

let with_hint (refused : Protocol.refused) =
  match refused.hint with
  | Some hint -> Printf.sprintf "%s (%s)" refused.message hint
  | None -> refused.message

let memory_limit pool =
  match pool.config.hello.memory_limit with
  | Some limit -> Printf.sprintf "limit %.2f GiB" (float_of_int limit /. (1024. ** 3.))
  | None -> "no limit was set"

(* Why the worker must go, for the kinds that no user's correction of the request would mend. *)
let refusal_reason pool (refused : Protocol.refused) =
  match refused.kind with
  | "memory" -> Printf.sprintf "out of memory (%s): %s" (memory_limit pool) refused.message
  | "internal" -> "internal error: " ^ refused.message
  | kind -> Printf.sprintf "refused (%s): %s" kind refused.message

let start_refused pool member (refused : Protocol.refused) =
  match refused.kind with
  | "user" | "version" | "memory" ->
    Diag.error "the prover \"%s\" refuses to start: %s" pool.config.driver.name refused.message ?hint:refused.hint
  | _ -> give_up pool member (refusal_reason pool refused)

let batch_refused pool member assignment (refused : Protocol.refused) =
  match refused.kind with
  | "user" ->
    rest member;
    fail_queries pool (with_hint refused) assignment.unanswered
  | _ -> give_up pool member (refusal_reason pool refused)

(* Replies *)

let welcomed pool member (welcome : Protocol.welcome) =
  if welcome.version <> Protocol.version then
    Diag.error "the prover \"%s\" (%s %s) speaks version %d of the protocol, this program version %d"
      pool.config.driver.name welcome.prover welcome.release welcome.version Protocol.version
      ~hint:"install a prover and a caisar-ext of the same release";
  rest member;
  pool.failed_starts <- 0;
  pool.rounding <- Some welcome.rounding;
  let { started; start_up_seconds; _ } = pool.statistics in
  let start_up_seconds = start_up_seconds +. Worker.age member.worker in
  pool.statistics <- { pool.statistics with started = started + 1; start_up_seconds }

let answered pool member assignment (answer : Protocol.answer) =
  let is_asked (query : Query.t) = query.query = answer.query in
  match List.partition is_asked assignment.unanswered with
  | [ query ], others when List.compare_lengths query.properties answer.outcomes = 0 ->
    assignment.unanswered <- others;
    let remaining = float_of_int (List.length others) *. assignment.pending.batch.time_limit in
    Worker.extend member.worker ~allowance:(remaining +. pool.config.patience.grace);
    pool.on_answer answer
  | [ _ ], _ -> protocol_error pool member (Printf.sprintf "query %d has other properties" answer.query)
  | _ -> protocol_error pool member (Printf.sprintf "query %d is not being asked" answer.query)

let finished pool member assignment (finished : Protocol.finished) =
  match assignment.unanswered with
  | [] ->
    rest member;
    let { cpu_seconds; peak_memory; _ } = pool.statistics in
    let cpu_seconds = cpu_seconds +. finished.cpu_seconds in
    let peak_memory = max peak_memory finished.peak_memory in
    pool.statistics <- { pool.statistics with cpu_seconds; peak_memory }
  | query :: _ -> protocol_error pool member (Printf.sprintf "done without an answer to query %d" query.query)

let replied pool member (reply : Protocol.reply) =
  match (member.role, reply) with
  | Starting, Welcome welcome -> welcomed pool member welcome
  | Starting, Refused refused -> start_refused pool member refused
  | Calling exchange, reply ->
    rest member;
    exchange.outcome <- Some (Ok reply)
  | Verifying assignment, Answer answer -> answered pool member assignment answer
  | Verifying assignment, Done done_ -> finished pool member assignment done_
  | Verifying assignment, Refused refused -> batch_refused pool member assignment refused
  | (Starting | Idle | Verifying _), _ -> protocol_error pool member "a reply of another kind was expected"

(* Signals that come between the test and the wait are seen this much later. *)
let longest_wait = 0.25

let turn pool =
  if pool.signalled then begin
    kill pool pool.members;
    raise Stopped
  end;
  let workers = List.map (fun member -> member.worker) pool.members in
  Worker.poll workers ~timeout:longest_wait ~on_event:(fun worker event ->
      let member = List.find (fun member -> member.worker == worker) pool.members in
      match event with
      | Reply reply -> replied pool member reply
      | Lost reason -> lost pool member reason)

(* One request, one reply *)

let rec borrow pool network =
  let idle = List.filter is_idle pool.members in
  let loaded member = network <> None && member.network = network in
  match (List.find_opt loaded idle, idle) with
  | Some member, _ | None, member :: _ -> member
  | None, [] ->
    if pool.members = [] then start pool;
    turn pool;
    borrow pool network

let rec outcome_of pool exchange =
  match exchange.outcome with
  | Some outcome -> outcome
  | None ->
    turn pool;
    outcome_of pool exchange

let out_of_memory ?loc pool (refused : Protocol.refused) =
  Diag.error ?loc "%s" (refusal_reason pool refused) ~hint:"allow more with --memory-limit"

let rec ask ?loc ?(attempt = Batches.First) pool ~network request ~accept =
  let member = borrow pool network in
  let exchange = { outcome = None } in
  member.role <- Calling exchange;
  if network <> None then member.network <- network;
  send pool member ~allowance:pool.config.patience.call request;
  let again reason =
    match attempt with
    | First -> ask ?loc ~attempt:Second pool ~network request ~accept
    | Second -> raise (Broken (Printf.sprintf "the prover \"%s\": %s" pool.config.driver.name reason))
  in
  let discard reason =
    give_up pool member reason;
    again reason
  in
  match outcome_of pool exchange with
  | Error reason -> again reason
  | Ok (Refused { kind = "user"; message; hint }) -> Diag.error ?loc ?hint "%s" message
  | Ok (Refused ({ kind = "memory"; _ } as refused)) when attempt = Second -> out_of_memory ?loc pool refused
  | Ok (Refused refused) -> discard (refusal_reason pool refused)
  | Ok reply -> (
      match accept reply with
      | Some value -> value
      | None -> discard "protocol error: a reply of another kind was expected")

let describe_network ?loc pool network =
  ask ?loc pool ~network:(Some network) (Describe_network { network }) ~accept:(function
      | Protocol.Network description -> Some description
      | _ -> None)

let describe_dataset ?loc pool dataset =
  ask ?loc pool ~network:None (Describe_dataset { dataset }) ~accept:(function
      | Protocol.Dataset description when List.length description.labels = description.length -> Some description
      | _ -> None)

let predict ?loc pool (predict : Protocol.predict) =
  ask ?loc pool ~network:(Some predict.network) (Predict predict) ~accept:(function
      | Protocol.Predicted { maximisers } when List.compare_lengths maximisers predict.indices = 0 -> Some maximisers
      | _ -> None)

(* Verification *)

let assign pool member =
  let network_elsewhere other = if other == member then None else other.network in
  let elsewhere = List.filter_map network_elsewhere pool.members in
  match Batches.next ~loaded:member.network ~elsewhere pool.waiting with
  | None -> ()
  | Some (({ batch; _ } as pending), waiting) ->
    let { patience; _ } = pool.config in
    let loading = if member.network = Some batch.network then 0. else patience.loading in
    let time = float_of_int (List.length batch.queries) *. batch.time_limit in
    pool.waiting <- waiting;
    member.role <- Verifying { pending; unanswered = batch.queries };
    member.network <- Some batch.network;
    send pool member ~allowance:(loading +. time +. patience.grace) (Verify batch)

let rec start_needed pool =
  let starting = List.filter (fun member -> member.role = Starting) pool.members in
  if may_start pool && List.compare_lengths pool.waiting starting > 0 then begin
    start pool;
    start_needed pool
  end

let rec work_off pool =
  List.iter (assign pool) (List.filter is_idle pool.members);
  start_needed pool;
  if pool.waiting <> [] || List.exists is_verifying pool.members then begin
    turn pool;
    work_off pool
  end

let verify pool ~on_answer batches =
  List.iter (Drivers.check pool.config.driver) batches;
  pool.waiting <- Batches.of_list batches;
  pool.on_answer <- on_answer;
  (* After an exception nobody waits for the answers any more. *)
  let abandon () =
    pool.waiting <- [];
    kill pool (List.filter is_verifying pool.members)
  in
  match Fun.protect ~finally:abandon (fun () -> work_off pool) with
  | () -> Completed
  | exception Stopped -> Interrupted

(* The pool's life *)

let parting_grace = 2.

let dismiss pool =
  let idle, busy = List.partition is_idle pool.members in
  kill pool busy;
  Worker.dismiss (List.map (fun member -> member.worker) idle) ~grace:parting_grace;
  pool.members <- []

let create config =
  if config.jobs < 1 || config.jobs > 256 then
    Diag.error "%d jobs: from 1 to 256 provers can run at a time" config.jobs;
  {
    config;
    command = Drivers.command ?override:config.command config.driver;
    members = [];
    waiting = [];
    on_answer = ignore;
    next_id = 0;
    failed_starts = 0;
    signalled = false;
    rounding = None;
    statistics = { started = 0; lost = 0; start_up_seconds = 0.; cpu_seconds = 0.; peak_memory = 0 };
  }

let with_pool config f =
  let pool = create config in
  at_exit (fun () -> kill pool pool.members);
  Signals.catching ~on_interrupt:(fun () -> pool.signalled <- true) @@ fun () ->
  match f pool with
  | result ->
    dismiss pool;
    result
  | exception exn ->
    let backtrace = Printexc.get_raw_backtrace () in
    kill pool pool.members;
    Printexc.raise_with_backtrace exn backtrace
