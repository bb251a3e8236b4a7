(** The hierarchy of a classifier's classes: a tree whose leaves are the classes, and overlays beside it.

    A {e class} is an output index of the network, from 0 to [class_count t - 1]. A {e node} is a class, a group of the
    tree, the root, or an overlay (a group beside the tree). The {e extension} of a node is its set of classes; no two
    nodes have the same one. On the tree, {!lowest_common_ancestor} (alpha) and {!extension} (gamma) form a Galois
    insertion between sets of classes and nodes: [alpha w <= v] iff [w] is a subset of [gamma v], and
    [alpha (gamma v) = v].

    Values are made by {!Hierarchy_reader} only. A class out of range raises [Invalid_argument]. *)

module Classes : Set.S with type elt = int

type t
type node
type kind = Class of int | Group | Overlay

(** {1 Names} *)

val name : t -> string
val file : t -> string

(** The number of classes: those of the network's outputs. *)
val class_count : t -> int

(** Names of classes, by index. *)
val class_name : t -> int -> string

(** [class_of ?loc t name] is the index of a class. Raises {!Diag.Error} at [loc] when there is no such class. *)
val class_of : ?loc:Diag.location -> t -> string -> int

(** [group ?loc t name] is the group, overlay or class of that name. Raises {!Diag.Error} at [loc] when there is
    none. *)
val group : ?loc:Diag.location -> t -> string -> node

(** {1 Nodes} *)

val root : t -> node
val overlays : t -> node list
val equal : node -> node -> bool
val node_name : t -> node -> string
val kind : t -> node -> kind

(** gamma: the classes of a node, never empty. *)
val extension : t -> node -> Classes.t

(** In the order of the file; none for a class or an overlay. *)
val children : t -> node -> node list

(** Steps from a node down to its farthest class: 0 for a class. Overlays have no height: [Invalid_argument]. *)
val height : t -> node -> int

(** {1 Tree} *)

(** From the class itself to the root. *)
val ancestors : t -> int -> node list

(** [up t k c] is the [k]-th ancestor of [c], which is itself the 0-th; the root when there are fewer.
    [k < 0] raises [Invalid_argument]. *)
val up : t -> int -> int -> node

(** The smallest node of the tree that contains all these classes; none for the empty set (the bottom). *)
val lowest_common_ancestor : t -> Classes.t -> node option

(** The groups, overlays included, that contain all these classes and have no smaller such group inside: the node of
    the tree first, if it is one of them. Empty for the empty set. *)
val minimal_groups : t -> Classes.t -> node list

(** {1 Levels} *)

(** How far from the exact class an answer may be: [Up k] counts ancestors, [Cut name] is a named partition. *)
type level = Up of int | Cut of string

(** [up 2], [cut "coarse"]: as in a specification. *)
val pp_level : Format.formatter -> level -> unit

(** Cuts by name, in the order of the file; the blocks of one are disjoint nodes of the tree that cover the classes. *)
val cuts : t -> (string * node list) list

(** The least [k] for which [up k] is the root for every class. *)
val depth : t -> int

(** Raises {!Diag.Error} at [loc] for an unknown cut or a negative [k]; warns when [Up k] is the root for every class.
    The functions below expect a level that passed. *)
val check_level : ?loc:Diag.location -> t -> level -> unit

(** The ancestor of a class at a level. *)
val at_level : t -> level -> int -> node

(** [within t level ~reference ~answer]: the answer is in the extension of the reference's ancestor at this level.
    Symmetric for cuts only. Ignores [never]. *)
val within : t -> level -> reference:int -> answer:int -> bool

(** {1 Safety} *)

(** Pairs of nodes (reference, answer), in the order of the file. *)
val never : t -> (node * node) list

(** The answers that a [never] pair forbids for this reference; the reference is not among them. *)
val forbidden_answers : t -> int -> Classes.t

val forbidden : t -> reference:int -> answer:int -> bool

(** [allowed t level c]: the extension of the ancestor of [c] at this level, minus what is forbidden for [c]. It
    contains [c]. *)
val allowed : t -> level -> int -> Classes.t

(** How bad it is to answer [answer] for [reference]: the height of their lowest common ancestor (Bertinetto et al.,
    "Making Better Mistakes", CVPR 2020), 0 when they are equal; [depth t + 1] for a forbidden pair. *)
val severity : t -> reference:int -> answer:int -> int

(** {1 Agreement with a network and a dataset} *)

(** Raises {!Diag.Error}, located in the hierarchy file, unless the classes are exactly the network's outputs. *)
val check_outputs : t -> network_outputs:int -> unit

(** Raises {!Diag.Error}, located at each class, unless these are the names of the classes by index. An empty list (a
    dataset without names) passes. *)
val check_class_names : t -> string list -> unit

(** {1 Output} *)

(** The canonical form: groups and blocks sorted by their least class, overlays and cuts by name, [never] spelt out
    in classes. Files of one meaning have one form, and [pyprover/hierarchy.py] writes the same. *)
val to_sexp : t -> Sexplib.Sexp.t

(**/**)

(** For {!Hierarchy_reader}: [of_syntax ?source ~file syntax] when {!Hierarchy_names.check} has no complaint. [source]
    is the text when it is not in the file. *)
val of_syntax : ?source:string -> file:string -> Hierarchy_syntax.t -> t

(** The place of a node's name. *)
val location : t -> node -> Diag.location
