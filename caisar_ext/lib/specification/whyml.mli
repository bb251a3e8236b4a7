(** WhyML files: parsed, held to the profile, typed by Why3.

    Together with {!Spec}, the only modules that know Why3. Positions are Why3's until a message needs them: turning one
    into a location reads the file. *)

(** Marks the symbols of our theories that the orchestrator interprets: symbol, name of its meaning. *)
val meta_builtin : Why3.Theory.meta

(** [theories ~defines file] in source order. [defines] gives constants a definition, a WhyML term, before typing.
    @raise Diag.Error for everything that is wrong with the file, located. *)
val theories : defines:(string * string) list -> string -> Why3.Theory.theory list

(** [tree file] is the parse tree as an s-expression, in the form that [grammar/whyml.md] describes. Nothing is typed.
    @raise Diag.Error for what does not parse or is outside the profile, located. *)
val tree : string -> Sexplib.Sexp.t

(** Where a position lies for the user, in the file or in a [--define] argument. *)
val location : defines:(string * string) list -> Why3.Loc.position -> Diag.location

(** The position is inside one of the theories that ship with the program. *)
val shipped : Why3.Loc.position -> bool
