open Hierarchy_syntax

type kind = Root | Group_name | Class_name | Overlay_name

let kind_name = function
  | Root -> "the hierarchy"
  | Group_name -> "a group"
  | Class_name -> "a class"
  | Overlay_name -> "an overlay"

type state = {
  locate : place -> Diag.location;
  known : (string, kind * name) Hashtbl.t;
  mutable spellings : string list;  (** of [known] *)
  mutable classes : (name * index) list;  (** last first *)
  mutable found : Diag.t list;
}

let report s ?hint place fmt =
  Format.kasprintf (fun message -> s.found <- Diag.make ~loc:(s.locate place) ?hint message :: s.found) fmt

let line (name : name) = (fst name.place).Lexing.pos_lnum

let declare s kind (name : name) =
  match Hashtbl.find_opt s.known name.text with
  | Some (other, first) ->
    report s name.place "\"%s\" is already the name of %s (line %d)" name.text (kind_name other) (line first)
      ~hint:"the hierarchy, its groups, classes and overlays all have different names"
  | None ->
    Hashtbl.add s.known name.text (kind, name);
    s.spellings <- name.text :: s.spellings

let rec declare_member s = function
  | Class (name, index) ->
    declare s Class_name name;
    s.classes <- (name, index) :: s.classes
  | Group (name, members) ->
    declare s Group_name name;
    if members = [] then
      report s name.place "group \"%s\" is empty" name.text ~hint:"add a class to it, or remove it";
    List.iter (declare_member s) members

let resolve s (name : name) =
  match Hashtbl.find_opt s.known name.text with
  | Some (kind, _) -> Some kind
  | None ->
    report s name.place "unknown name \"%s\"" name.text ?hint:(Diag.did_you_mean name.text (List.rev s.spellings));
    None

(* The members of an overlay or the blocks of a cut. *)
let check_list s what (owner : name) members =
  if members = [] then
    report s owner.place "%s \"%s\" is empty" what owner.text ~hint:"list its members between the braces";
  let seen = Hashtbl.create 8 in
  let check (member : name) =
    if Hashtbl.mem seen member.text then
      report s member.place "\"%s\" is listed twice" member.text ~hint:"remove one"
    else begin
      Hashtbl.add seen member.text ();
      match resolve s member with
      | Some Overlay_name ->
        report s member.place "\"%s\" is an overlay" member.text
          ~hint:("the members of " ^ what ^ "s are groups and classes of the tree")
      | Some (Root | Group_name | Class_name) | None -> ()
    end
  in
  List.iter check members

let check_indexes s =
  let classes = List.rev s.classes in
  let count = List.length classes in
  let taken = Hashtbl.create 64 in
  let claim (name, (index : index)) =
    match Hashtbl.find_opt taken index.value with
    | Some (first : name) -> Some (index.place, `Taken first)
    | None when index.value >= count -> Some (index.place, `Out_of_range)
    | None ->
      Hashtbl.add taken index.value name;
      None
  in
  let mistakes = List.filter_map (fun ((_, index) as c) -> Option.map (fun m -> (index.value, m)) (claim c)) classes in
  let free = List.filter (fun i -> not (Hashtbl.mem taken i)) (List.init count Fun.id) in
  let shown = List.map string_of_int (List.filteri (fun i _ -> i < 10) free) in
  let hint = "not used: " ^ String.concat ", " (if List.length free > 10 then shown @ [ "..." ] else shown) in
  let tell = function
    | value, (place, `Taken (first : name)) ->
      report s place "index %d is already that of \"%s\" (line %d)" value first.text (line first) ~hint
    | value, (place, `Out_of_range) ->
      report s place "index %d is out of range: the indexes of %d classes are 0 to %d" value count (count - 1) ~hint
  in
  List.iter tell mistakes

let check ~locate syntax =
  let s = { locate; known = Hashtbl.create 64; spellings = []; classes = []; found = [] } in
  declare s Root syntax.name;
  (* The tree first: lists may name what stands below them. *)
  List.iter (function Member member -> declare_member s member | Overlay _ | Cut _ | Never _ -> ()) syntax.declarations;
  List.iter (function Overlay (name, _) -> declare s Overlay_name name | _ -> ()) syntax.declarations;
  if s.classes = [] then
    report s syntax.name.place "hierarchy \"%s\" has no class" syntax.name.text
      ~hint:"declare one class for each output: class NAME = INDEX";
  let cuts = Hashtbl.create 8 in
  let check_declaration = function
    | Member _ -> ()
    | Overlay (name, members) -> check_list s "overlay" name members
    | Cut (name, blocks) ->
      Option.iter
        (fun first ->
           report s name.place "cut \"%s\" is already declared (line %d)" name.text (line first) ~hint:"rename one")
        (Hashtbl.find_opt cuts name.text);
      Hashtbl.replace cuts name.text name;
      check_list s "cut" name blocks
    | Never (reference, answer) ->
      ignore (resolve s reference);
      ignore (resolve s answer)
  in
  List.iter check_declaration syntax.declarations;
  check_indexes s;
  List.rev s.found
