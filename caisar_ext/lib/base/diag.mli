(** What the user must know: errors and warnings with a position, an excerpt and a next step.

    Every mistake that a user can make ends in [Error]; a bug of ours raises anything else and exits with 4.
    One module prints them all ({!pp}), so that they look alike. *)

(** A stretch of a source file. Lines and columns count from 1, columns in Unicode code points; the last column is
    included. [source] replaces the file's content in excerpts where there is no file (a [--define] argument). *)
type location = {
  file : string;
  line : int;
  column : int;
  end_line : int;
  end_column : int;
  source : string option;
}

type t = { location : location option; message : string; hint : string option }

(** One or several mistakes, in source order. *)
exception Error of t list

(** [error ?loc ?hint "format" ...] raises {!Error} with one diagnostic. [hint] says what to do next. *)
val error : ?loc:location -> ?hint:string -> ('a, Format.formatter, unit, 'b) format4 -> 'a

(** [make ?loc ?hint message] is a diagnostic that the caller collects. *)
val make : ?loc:location -> ?hint:string -> string -> t

(** [of_lexing a b] is the location between two positions of [Lexing], whose columns count bytes from 0 and whose end
    is excluded; columns become code points by reading the file (or [source]). *)
val of_lexing : ?source:string -> Lexing.position -> Lexing.position -> location

(** [of_bytes ~file ~line ~first ~last] is the same for one line with byte columns from 0, [last] excluded. *)
val of_bytes : ?source:string -> file:string -> line:int -> first:int -> last:int -> unit -> location

(** [nearest name known] is the spelling in [known] closest to [name], when close enough to be a typing mistake. *)
val nearest : string -> string list -> string option

(** [did_you_mean name known] is a hint: the nearest spelling, else the list of what is known when it is short. *)
val did_you_mean : string -> string list -> string option

(** [file:line:column-column: error: message], the excerpt with the place underlined, then the hint. *)
val pp : Format.formatter -> t -> unit

(** [warn ?loc ?hint "format" ...] prints a warning of the same form on standard error, once a text. *)
val warn : ?loc:location -> ?hint:string -> ('a, Format.formatter, unit, unit) format4 -> 'a

(** Warnings issued so far, in order: reports repeat them. *)
val warnings : unit -> t list
