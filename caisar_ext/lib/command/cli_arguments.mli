(** Arguments that several commands share. *)

open Cmdliner

(** SPEC. *)
val specification : string Term.t

(** [--define], [--theory], [--goal]. *)
val selection : Spec.selection Term.t

(** [--samples A:B]. *)
val samples : (int * int) option Term.t

(** [--prover], [--prover-command], [--jobs], [--data-dir], [--memory-limit], [--noise-directory], [--noise-symbols],
    [--seed], [--deployment]: a pool's configuration, for a folder of witnesses. *)
val pool : (witness_dir:string -> pictures:bool -> Prover.config) Term.t

(** [with_witness_folder wanted f] is [f folder], absolute: the one wanted, made where it is not there, or one that lasts
    as long as [f]. *)
val with_witness_folder : string option -> (string -> 'a) -> 'a
