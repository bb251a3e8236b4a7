(* Reads messages, one payload a line, and writes them again; or writes random ones. For tests of the other side. *)

open Caisar_ext

let relay of_payload to_payload =
  let rec loop number =
    match input_line stdin with
    | exception End_of_file -> ()
    | payload -> (
        match of_payload payload with
        | Ok message ->
          print_endline (to_payload message);
          loop (number + 1)
        | Error reason ->
          Printf.eprintf "message %d: %s\n" number reason;
          exit 1)
  in
  loop 1

let random generator to_payload count =
  let random = Random.State.make [| 11 |] in
  List.iter (fun message -> print_endline (to_payload message)) (QCheck2.Gen.generate ~rand:random ~n:count generator)

let () =
  match Array.to_list Sys.argv with
  | [ _; "requests" ] -> relay Protocol.request_of_payload Protocol.payload_of_request
  | [ _; "replies" ] -> relay Protocol.reply_of_payload Protocol.payload_of_reply
  | [ _; "random-requests"; count ] ->
    random Random_messages.request Protocol.payload_of_request (int_of_string count)
  | [ _; "random-replies"; count ] -> random Random_messages.reply Protocol.payload_of_reply (int_of_string count)
  | _ ->
    prerr_endline "usage: relay requests|replies, or relay random-requests|random-replies COUNT";
    exit 2
