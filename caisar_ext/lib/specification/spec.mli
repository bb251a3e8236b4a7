(** Specifications: WhyML theories, parsed and typed by Why3, reduced to the profile that the orchestrator interprets.

    What leaves this module is a small typed syntax that does not need Why3: users' and our own definitions are
    references to be unfolded, numbers are exact, terms have locations. *)

(** Symbols with a meaning of their own, marked by [meta "caisar_ext:builtin"] in our theories. *)
type builtin =
  | Neg | Add | Sub | Mul | Div  (** on integers and on reals *)
  | Lt | Le | Gt | Ge | Equal
  | Get | Length
  | Read_model | Apply | Predict | Normalize | Gray | Rgb
  | Read_dataset | First | Image | Truth
  | Read_hierarchy | Up | Cut | Class_of | Group | Member | Within | Same_group | Forbidden
  | In_ball | Valid_image
  | Array | In_box | In_ball_radii | In_ball_relative

type variable = { name : string; id : int }

(** What a quantifier ranges over. *)
type sort = Int | Input  (** [vector real] *) | Other of string

type connective = And | Or | Implies | Iff

type term = { node : node; loc : Diag.location option Lazy.t }

and node =
  | Var of variable
  | Integer of Z.t
  | Rational of Q.t
  | Text of string
  | Bool of bool
  | Let of variable * term * term
  | If of term * term * term
  | Builtin of builtin * term list
  | Call of definition * term list
  | Not of term
  | Binary of connective * term * term
  | Forall of (variable * sort) list * term
  | Exists of (variable * sort) list * term

(** A defined constant, function or predicate; [body] is translated at the first use. [id] is unique. Terms of [shipped]
    theories have no location: what goes wrong in them is a matter of the place that uses them. *)
and definition = {
  symbol : string;
  id : int;
  shipped : bool;
  parameters : variable list Lazy.t;
  body : term Lazy.t;
}

type goal = {
  theory : string;
  name : string;
  domain : string option;  (** from [[@caisar_ext:domain NAME]] *)
  formula : term;
  loc : Diag.location option Lazy.t;
}

(** Which goals to keep, values for constants, and the domain of the goals that name none. *)
type selection = {
  defines : (string * string) list;  (** constant, WhyML term: replaces (or gives) its definition before typing *)
  theories : string list;  (** empty: all *)
  goals : string list;  (** [GOAL] or [THEORY.GOAL]; empty: all *)
  domain : string option;
}

(** [load file selection] gives the selected goals in source order.
    @raise Diag.Error for everything wrong with the file or the selection, located. *)
val load : string -> selection -> goal list

(** [builtin_name b] as a specification writes it, for messages. *)
val builtin_name : builtin -> string
