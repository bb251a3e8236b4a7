(** A hierarchy file as it is written: what the grammar ([grammar/hierarchy.mly]) makes of the text. Nothing is resolved
    or checked here. *)

(** From the first character to just after the last. *)
type place = Lexing.position * Lexing.position

type name = { text : string; place : place }
type index = { value : int; place : place }

type member =
  | Class of name * index  (** [class NAME = INDEX] *)
  | Group of name * member list  (** [group NAME { ... }] *)

type declaration =
  | Member of member
  | Overlay of name * name list  (** [overlay NAME = { members }] *)
  | Cut of name * name list  (** [cut NAME = { blocks }] *)
  | Never of name * name  (** [never REFERENCE -> ANSWER] *)

(** [hierarchy NAME { ... }] *)
type t = { name : name; declarations : declaration list }
