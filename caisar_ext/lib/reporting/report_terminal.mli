(** What the terminal is like. *)

(** Columns of the terminal behind a descriptor; [None] when it is none. *)
val columns : Unix.file_descr -> int option

(** Prepares standard output and standard error for {!Fmt.styled}. Without a choice: colours on terminals, unless
    [NO_COLOR] is set (https://no-color.org). *)
val setup : Fmt.style_renderer option -> unit
