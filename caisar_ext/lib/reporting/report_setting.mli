(** Abstract safety for one network, hierarchy and kind of region: levels, intervals, groups, and the matrix of each
    cut. *)

val pp : Report_context.t -> Aggregate.setting -> unit Fmt.t

(** Some matrix has a cell that is neither seen nor proven impossible. *)
val has_open_cells : Aggregate.setting -> bool
