type style = { color : Fmt.style_renderer option; detail : Report_context.detail; witnesses : string option }

let pp ~width style (options : Verification.options) ppf (result : Verification.result) =
  let context : Report_context.t = { width; detail = style.detail; witnesses = style.witnesses; result } in
  Report_header.pp context options ppf ();
  Report_goals.pp context ppf ();
  List.iter (fun setting -> Report_setting.pp context setting ppf ()) result.conclusions.settings;
  Report_closing.pp context options ppf ()

(* In a file, and where it cannot be told. *)
let default_width = 100

let print style options result =
  Report_warnings.issue result;
  Report_terminal.setup style.color;
  let width = Option.value ~default:default_width (Report_terminal.columns Unix.stdout) in
  Fmt.pr "%a@?" (pp ~width style options) result
