(** Plain tables: columns padded to their widest cell, two spaces between them, cut to a width. *)

type align = Left | Right

(** [shrinks]: the column gives way when the table is too wide. *)
type column = { heading : string; align : align; shrinks : bool }

val left : string -> column
val right : string -> column

(** A left column that shrinks: names that users chose. *)
val name : string -> column

type cell

val cell : ?style:Fmt.style -> string -> cell

(** A count; a zero is faint, anything else has the style. *)
val count : ?style:Fmt.style -> int -> cell

(** {1 Layout} *)

(** [lines ~width ~indent columns rows] is one printer for the headings and one for each row, without line ends. No line
    is longer than [width] unless the columns that do not shrink need more. Rows may be shorter than [columns]; a column
    without a heading and without any text is left out. *)
val lines : width:int -> indent:int -> column list -> cell list list -> unit Fmt.t * unit Fmt.t list

(** Headings and rows, each on its line. *)
val pp : width:int -> indent:int -> column list -> cell list list -> unit Fmt.t

(** The same without headings. *)
val pp_rows : width:int -> indent:int -> column list -> cell list list -> unit Fmt.t

(** {1 Text} *)

(** Code points, which terminals mostly show in one cell each. *)
val length : string -> int

(** [shorten n text] is at most [n] code points, with [~] for what is cut at the end. *)
val shorten : int -> string -> string

(** Bytes of control characters become [?]: names come from files, and must not steer a terminal. *)
val printable : string -> string

(** [pack ~width ~sep items] joins neighbours by [sep] into as few lines of at most [width] as it can; an item that is
    longer has a line of its own. *)
val pack : width:int -> sep:string -> string list -> string list
