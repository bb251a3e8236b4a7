(* Every message of every recorded conversation is read and written again. *)

open Caisar_ext
open Sexplib

let folder = "../transcripts"

let read_lines path =
  let ic = open_in path in
  let rec lines read = match input_line ic with line -> lines (line :: read) | exception End_of_file -> List.rev read in
  Fun.protect ~finally:(fun () -> close_in ic) (fun () -> lines [])

(* Something of the right type for what a transcript leaves open. *)
let rec completed : Sexp.t -> Sexp.t = function
  | List [ Atom (("seconds" | "cpu_seconds") as name); Atom "_" ] -> List [ Atom name; Atom "0x1p-4" ]
  | List [ Atom "peak_memory"; Atom "_" ] -> List [ Atom "peak_memory"; Atom "1048576" ]
  | List [ Atom "steps"; Atom "_" ] -> List [ Atom "steps"; List [] ]
  | List [ Atom "margin"; List [ Atom "_" ] ] -> List [ Atom "margin"; List [ Atom "0x1p-1" ] ]
  | List items -> List (List.map completed items)
  | Atom _ as atom -> atom

let survives of_payload to_payload text =
  let sexp = completed (Sexp.of_string text) in
  match of_payload (Sexp.to_string_mach sexp) with
  | Error reason -> Alcotest.failf "%s\n%s" reason text
  | Ok message ->
    let again = Sexp.of_string (to_payload message) in
    if not (Sexp.equal again sexp) then Alcotest.failf "written again:\n%s\n%s" (Sexp.to_string again) text

let is_refused text =
  match Protocol.request_of_payload text with
  | Error _ -> ()
  | Ok _ -> Alcotest.failf "the prover exits with 4 for a request that is right:\n%s" text

let rec check count = function
  | [] -> count
  | request :: ("exit 4" :: _ as rest) when String.starts_with ~prefix:"> " request ->
    is_refused (String.sub request 2 (String.length request - 2));
    check (count + 1) rest
  | line :: rest when String.length line > 2 ->
    let text = String.sub line 2 (String.length line - 2) in
    let read =
      match String.sub line 0 2 with
      | "> " -> survives Protocol.request_of_payload Protocol.payload_of_request text; 1
      | "< " -> survives Protocol.reply_of_payload Protocol.payload_of_reply text; 1
      | _ -> 0
    in
    check (count + read) rest
  | _ :: rest -> check count rest

let transcript name =
  Alcotest.test_case name `Quick (fun () ->
      let count = check 0 (read_lines (Filename.concat folder name)) in
      Alcotest.(check bool) "it has messages" true (count > 0))

let () =
  let files = List.filter (fun f -> Filename.check_suffix f ".txt") (Array.to_list (Sys.readdir folder)) in
  if List.length files < 5 then failwith "the transcripts are not there";
  Alcotest.run "transcripts" [ ("every message is read and written again", List.map transcript (List.sort compare files)) ]
