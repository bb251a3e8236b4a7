(* Prints what the goals of a specification say.

   explain SPEC [NAME:VALUE ...] *)

open Caisar_ext

let () = Described.planned (fun world plan -> Explain.pp ~width:100 Format.std_formatter (Explain.explain world plan))
