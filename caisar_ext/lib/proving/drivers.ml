open Wire.Std

type property_kind = Within | Avoid [@@deriving sexp]

type t = {
  name : string;
  command : string list;
  python_modules : string list;
  properties : property_kind list;
  domains : string list;
}
[@@deriving of_sexp]

let default = "pyprover"
let extension = ".driver"

(* Reading *)

let locate ~file ~source (range : Parsexp.Positions.range) =
  let first = range.start_pos and last = range.end_pos in
  let last = if last.line = first.line then last.col else first.col + 1 in
  Diag.of_bytes ~source ~file ~line:first.line ~first:first.col ~last ()

let parse ~file text =
  match Parsexp.Conv_single.parse_string text t_of_sexp with
  | Ok { command = []; _ } -> Diag.error "%s: the command of a prover's driver must not be empty" file
  | Ok driver -> driver
  | Error (Parse_error error) ->
    let position = Parsexp.Parse_error.position error in
    let loc = locate ~file ~source:text { start_pos = position; end_pos = position } in
    Diag.error ~loc "%s in a prover's driver" (Parsexp.Parse_error.message error)
  | Error (Of_sexp_error error) ->
    let loc = Option.map (locate ~file ~source:text) (Parsexp.Of_sexp_error.location error) in
    let reason =
      match Parsexp.Of_sexp_error.user_exn error with
      | Failure reason -> reason
      | exn -> Printexc.to_string exn
    in
    Diag.error ?loc "not a prover's driver: %s" reason
      ~hint:"a driver has the fields name, command, python_modules, properties and domains"

let shipped () = List.map (fun (file, _) -> Filename.chop_suffix file extension) Shipped_drivers.files

let read_file file =
  match open_in_bin file with
  | exception Sys_error reason -> Diag.error "cannot read the prover's driver: %s" reason
  | ic -> Fun.protect ~finally:(fun () -> close_in ic) (fun () -> really_input_string ic (in_channel_length ic))

let find name =
  if Filename.check_suffix name extension then parse ~file:name (read_file name)
  else
    match List.assoc_opt (name ^ extension) Shipped_drivers.files with
    | Some text -> parse ~file:(name ^ extension) text
    | None ->
      Diag.error "unknown prover \"%s\"" name
        ?hint:(Diag.did_you_mean name (shipped ()))

(* Finding a Python interpreter *)

let is_executable path =
  match Unix.access path [ Unix.X_OK ] with
  | () -> not (Sys.is_directory path)
  | exception Unix.Unix_error _ -> false

let on_path program =
  let folders = String.split_on_char ':' (Option.value (Sys.getenv_opt "PATH") ~default:"") in
  List.find_opt is_executable (List.map (fun folder -> Filename.concat folder program) folders)

let rec folders_above folder =
  let parent = Filename.dirname folder in
  if parent = folder then [ folder ] else folder :: folders_above parent

let own_folder () =
  match Unix.realpath Sys.executable_name with
  | path -> Filename.dirname path
  | exception Unix.Unix_error _ -> Sys.getcwd ()

let candidates () =
  let python folder = Filename.concat folder "bin/python3" in
  let active = Option.to_list (Option.map python (Sys.getenv_opt "VIRTUAL_ENV")) in
  let nearby = List.map (fun folder -> python (Filename.concat folder ".venv")) (folders_above (own_folder ())) in
  List.filter is_executable (active @ nearby) @ Option.to_list (on_path "python3")

(* Looks the modules up without importing them: torch alone takes seconds. *)
let finds_modules modules python =
  let script = "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, sys.argv[1:])))" in
  let null = Unix.openfile "/dev/null" [ O_RDWR; O_CLOEXEC ] 0 in
  Fun.protect ~finally:(fun () -> Unix.close null) @@ fun () ->
  let argv = Array.of_list (python :: "-c" :: script :: modules) in
  match Unix.create_process python argv null null null with
  | exception Unix.Unix_error _ -> false
  | pid -> snd (Process.wait pid) = Unix.WEXITED 0

let python driver =
  match Sys.getenv_opt "CAISAR_EXT_PYTHON" with
  | Some python when is_executable python || Filename.is_implicit python && on_path python <> None -> python
  | Some python ->
    Diag.error "CAISAR_EXT_PYTHON is \"%s\", which is not an executable file" python
      ~hint:"name a Python 3.11 interpreter, or unset it to have one looked for"
  | None -> (
      let tried = candidates () in
      match List.find_opt (finds_modules driver.python_modules) tried with
      | Some python -> python
      | None ->
        let tried = if tried = [] then "none was found" else "tried " ^ String.concat ", " tried in
        Diag.error "no Python interpreter has the modules %s of the prover \"%s\" (%s)"
          (String.concat ", " driver.python_modules) driver.name tried
          ~hint:"run `make setup`, or name an interpreter in CAISAR_EXT_PYTHON")

let command ?override driver =
  match override with
  | Some shell -> [| "/bin/sh"; "-c"; "exec " ^ shell |]
  | None ->
    let python = lazy (python driver) in
    let word = function "%{python}" -> Lazy.force python | word -> word in
    Array.of_list (List.map word driver.command)

(* What a driver declares *)

let kind : Query.property -> property_kind = function
  | Within _ -> Within
  | Avoid _ -> Avoid

let check driver (batch : Protocol.verify) =
  let check_domain name =
    if not (List.mem name driver.domains) then
      Diag.error "the prover \"%s\" has no abstract domain \"%s\"" driver.name name
        ?hint:(Diag.did_you_mean name driver.domains)
  in
  let check_property property =
    if not (List.mem (kind property) driver.properties) then
      Diag.error "the prover \"%s\" does not answer properties of the kind %s" driver.name
        (Sexplib.Sexp.to_string (sexp_of_property_kind (kind property)))
  in
  Option.iter (fun product -> List.iter check_domain (String.split_on_char '+' product)) batch.domain;
  List.iter (fun (query : Query.t) -> List.iter check_property query.properties) batch.queries
