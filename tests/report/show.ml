(* show.exe CASE [json | full | colour | WIDTH | FOLDER/]...: the report of a run of [Cases]. *)

open Caisar_ext

let usage () =
  prerr_endline ("one of: " ^ String.concat " " (List.map fst Cases.all));
  exit 3

let () =
  let words = List.tl (Array.to_list Sys.argv) in
  let case, words =
    match words with
    | name :: rest when List.mem_assoc name Cases.all -> (List.assoc name Cases.all, rest)
    | _ -> usage ()
  in
  let width = Option.value ~default:100 (List.find_map int_of_string_opt words) in
  let detail = if List.mem "full" words then Report_context.Full else Brief in
  let witnesses = List.find_opt (fun w -> String.contains w '/') words in
  let style : Report.style = { color = None; detail; witnesses } in
  Report_warnings.issue case.result;
  if List.mem "json" words then Report_json.print ~witnesses case.options case.result
  else begin
    let ppf = Fmt.stdout in
    Fmt.set_style_renderer ppf (if List.mem "colour" words then `Ansi_tty else `None);
    Report.pp ~width style case.options ppf case.result;
    Format.pp_print_flush ppf ()
  end
