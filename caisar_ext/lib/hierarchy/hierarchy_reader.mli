(** From the text of a hierarchy file ([grammar/hierarchy.md]) to {!Hierarchy.t}. *)

(** Reads and checks a file. Raises {!Diag.Error}: one mistake for a text that does not parse, otherwise every mistake
    that can be told without guessing, in the order of the file. *)
val read_file : string -> Hierarchy.t

(** [of_string ~file text] is the same for a text; [file] is the name in messages. *)
val of_string : file:string -> string -> Hierarchy.t

(** A name as one writes it in the file: bare when it can be, else between double quotes. *)
val spelling : string -> string
