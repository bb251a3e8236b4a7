external columns : Unix.file_descr -> int option = "caisar_ext_terminal_columns"

let setup choice =
  let unwanted = match Sys.getenv_opt "NO_COLOR" with None | Some "" -> false | Some _ -> true in
  let style_renderer = if choice = None && unwanted then Some `None else choice in
  Fmt_tty.setup_std_outputs ?style_renderer ()
