(* The runs whose reports are kept as text in [reports.t]. *)

open Caisar_ext
open Scenario

(* Samples of these true classes. *)
let samples_of truths = List.mapi (fun index truth -> sample index truth) truths

let levels = [ ("robust", Hierarchy.Up 0); ("same_family", Hierarchy.Cut "coarse") ]

(* An answer that is ready but for its query. *)
let given ?centre ?impossible ?reached outcomes = Some (fun q -> answer ?centre ?impossible ?reached q (outcomes q))

let safe = given ~impossible:[ 0; 2; 3; 4 ] (fun _ -> [ proven; proven ])

let mixed =
  let samples = samples_of [ 0; 1; 1; 2; 3; 4; 4; 0 ] in
  run (safety animals levels samples)
    [ given ~impossible:[ 1; 2; 3; 4 ] (fun _ -> [ proven; proven ]);
      given (fun q -> [ refuted [ 0 ] q; proven ]);
      given (fun q -> [ refuted ~centre:true [ 3 ] q; refuted ~centre:true [ 3 ] q ]);
      given (fun _ -> [ unknown ~margin:(-0.31) "bound"; proven ]);
      given (fun _ -> [ outcome Verdict.Timeout; unknown ~margin:(-0.02) "bound" ]);
      given (fun q -> [ refuted [ 2 ] q; refuted [ 2 ] q ]);
      given (fun q -> [ refuted [ 3 ] q; proven ]);
      given (fun _ -> [ unknown "rounding"; proven ]) ]

let undecided =
  let samples = List.init 9 (fun i -> sample (10 + i) 1) in
  let margin i = -0.1 *. float_of_int (1 + ((i * 4) mod 9)) in
  let one i = if i < 6 then unknown ~margin:(margin i) "bound" else outcome ~margin:(margin i) Verdict.Timeout in
  run (safety animals [ List.nth levels 1 ] samples) (List.init 9 (fun i -> given (fun _ -> [ one i ])))

let interrupted =
  let samples = samples_of [ 0; 1; 3; 4 ] in
  run ~completion:Interrupted
    (safety animals levels samples)
    [ safe; given (fun q -> [ refuted [ 0 ] q; proven ]); None; None ]

let failures =
  let samples = samples_of [ 0; 1; 3 ] in
  let lost = Verdict.Failure "the prover was lost twice with this query: killed by signal SIGKILL" in
  let failed = given (fun _ -> [ outcome ~step:"prover" lost ]) in
  run ~statistics:{ statistics with lost = 2 }
    (safety animals [ List.hd levels ] samples)
    [ given (fun _ -> [ proven ]); failed; failed ]

let ties =
  let samples = samples_of [ 1; 3 ] in
  run (safety animals levels samples)
    [ given (fun q -> [ refuted [ 0; 2 ] q; unknown ~margin:0. "tie" ]);
      given (fun q -> [ refuted [ 1; 4 ] q; unknown "tie" ]) ]

(* Zonotopes within a memory limit: one region on disk, two that found no room for all symbols. *)
let noise =
  let kept storage reason symbols peak boxed q =
    answer ~noise:{ storage; reason; symbols; predicted = 64 * 1048576; peak = peak * 1048576; boxed } q [ proven ]
  in
  let coarse = kept "dense, the largest symbols only" "nothing that keeps all symbols fits into 80 MiB" 200 in
  run (safety animals [ List.hd levels ] (samples_of [ 0; 1; 3 ]))
    [ Some (kept "patch in blocks on disk" "the fastest of what fits into 80 MiB" 3000 60 0.);
      Some (coarse 55 0.125); Some (coarse 70 0.5) ]

(* Nothing is safe around a truck that is taken for a bird, the root included. *)
let never =
  let samples = samples_of [ 4; 2 ] in
  run (safety animals levels samples)
    [ given (fun q -> [ refuted [ 2 ] q; refuted [ 2 ] q ]);
      given ~impossible:[ 0; 1; 3; 4 ] (fun _ -> [ proven; proven ]) ]

(* Goals about classes that mention no hierarchy. *)
let no_hierarchy class_names =
  let builder = Plan.builder () in
  let around = around ~radius:(Q.of_ints 1 3) in
  let one s = leaf builder ~subject:(Some (subject s)) (around s) (Within { classes = [ s.truth ] }) in
  let formula = Formula.conjunction (List.map one [ sample 0 0; sample 1 1; sample 2 2 ]) in
  let plan = Plan.finish builder [ { goal = goal "robust"; formula } ] in
  run ~class_names plan
    [ given (fun _ -> [ proven ]); given (fun q -> [ refuted ~distance:0.3 [ 4 ] q ]);
      given (fun _ -> [ unknown "bound" ]) ]

(* Comparisons of outputs in boxes, negations, and a goal that asks nothing. *)
let outputs =
  let builder = Plan.builder () in
  let feature index : Query.bound =
    Feature { index; lower = Some Q.zero; upper = Some Q.one; strict_lower = false; strict_upper = false }
  in
  let claim constant : Query.property =
    let terms : Query.term list = [ { output = 0; weight = Q.one } ] in
    Avoid { cases = [ [ { terms; constant = Q.of_int constant; strict = true } ] ] }
  in
  let about features constant = leaf builder ~subject:None (List.init features feature) (claim constant) in
  let goal name formula : Plan.goal = { goal = goal ~theory:"Acas" name; formula } in
  let plan =
    let phi_1 = goal "phi_1" (about 5 (-1500)) in
    let phi_2 = goal "phi_2" (about 5 3) in
    let phi_3 = goal "phi_3" (Formula.conjunction [ about 4 0; about 3 0 ]) in
    let not_1 = goal "not_phi_1" (Formula.negation (about 5 (-1500))) in
    let nothing = goal "nothing" Formula.True in
    Plan.finish builder [ phi_1; phi_2; phi_3; not_1; nothing ]
  in
  run plan
    [ given (fun q -> [ proven; refuted [ 0 ] q ]); given (fun _ -> [ proven ]);
      given (fun _ -> [ unknown ~margin:(-1.5) "bound" ]) ]

(* A tie of the network at a sample leaves a statement that cannot be asked. *)
let not_asked =
  let builder = Plan.builder () in
  let s = sample 0 0 in
  let asked = leaf builder ~subject:(Some (subject ~hierarchy:animals s)) (around s) (allowed animals (Up 0) s) in
  let tie : Plan.leaf =
    Undecided { reason = "tie at sample 1 of pictures.npz between classes 0, 1"; subject = Some (subject (sample 1 0)) }
  in
  let formula = Formula.conjunction [ asked; Leaf tie ] in
  run (Plan.finish builder [ { goal = goal "stable"; formula } ]) [ given (fun _ -> [ proven ]) ]

(* Two samples in boxes, two with radii of their own, one with a relative radius: three settings. *)
let rows =
  let builder = Plan.builder () in
  let question region (s : sample) =
    leaf builder ~subject:(Some (subject ~hierarchy:animals s)) (region s) (allowed animals (Up 0) s)
  in
  let row array ({ dataset; index; _ } : sample) : Query.row = { dataset; array; index } in
  let box s : Query.bound list = [ Box { lower = row "lower" s; upper = row "upper" s }; image ] in
  let radii s : Query.bound list = [ Radii { dataset = s.dataset; index = s.index; radii = row "noise" s }; image ] in
  let relative (s : sample) : Query.bound list =
    [ Relative { dataset = s.dataset; index = s.index; ratio = Q.of_ints 1 20 } ]
  in
  let goal_of name region samples : Plan.goal =
    { goal = goal name; formula = Formula.conjunction (List.map (question region) samples) }
  in
  let between = goal_of "between" box (samples_of [ 0; 1 ]) in
  let sensors = goal_of "sensors" radii (samples_of [ 2; 3 ]) in
  let contrast = goal_of "contrast" relative (samples_of [ 0 ]) in
  run (Plan.finish builder [ between; sensors; contrast ])
    [ given (fun _ -> [ proven ]); given (fun q -> [ refuted [ 0 ] q ]); given (fun _ -> [ proven ]);
      given (fun _ -> [ proven ]); given (fun _ -> [ unknown ~margin:(-0.25) "bound" ]) ]

let empty_region =
  let builder = Plan.builder () in
  let region : Query.bound list = [ Range { lower = Some Q.one; upper = Some Q.zero } ] in
  let formula = leaf builder ~subject:None region (Within { classes = [ 0 ] }) in
  run
    (Plan.finish builder [ { goal = goal "anything"; formula } ])
    [ given (fun _ -> [ outcome ~step:"empty" Verdict.Valid ]) ]

(* Two datasets, two theories, names that must not steer a terminal, and more groups than columns. *)
let wide =
  let group i =
    Printf.sprintf "group family_of_kind_%d { class first_%d = %d class second_%d = %d }" i i (2 * i) i ((2 * i) + 1)
  in
  let families n = List.init n (fun i -> Printf.sprintf "family_of_kind_%d" i) in
  let text n =
    Printf.sprintf "hierarchy kinds { %s cut kind = { %s } }"
      (String.concat " " (List.init n group))
      (String.concat ", " (families n))
  in
  fun n ->
    let hierarchy = Hierarchy_reader.of_string ~file:"kinds.hier" (text n) in
    let other : Query.dataset = { source = "cl\027[31mé\007s.csv"; base = "/" } in
    let samples = [ sample 0 0; sample ~dataset:other 7 2; sample 1 3 ] in
    let plan = safety ~radius:(Q.of_ints 1 100) hierarchy [ ("robust", Hierarchy.Up 0) ] samples in
    let again = { (List.hd plan.goals) with goal = goal ~theory:"Again" (String.make 60 'g') } in
    run
      { plan with goals = plan.goals @ [ again ] }
      [ given ~reached:[ 5 ] (fun q -> [ refuted [ 3 ] q ]); given ~impossible:[ 0; 1 ] (fun q -> [ refuted [ 3 ] q ]);
        given (fun _ -> [ proven ]) ]

let all =
  [ ("mixed", mixed); ("undecided", undecided); ("interrupted", interrupted); ("failures", failures); ("ties", ties);
    ("never", never); ("noise", noise); ("no-hierarchy", no_hierarchy names); ("no-names", no_hierarchy []); ("outputs", outputs);
    ("not-asked", not_asked); ("empty", empty_region); ("rows", rows); ("wide", wide 11); ("wider", wide 30) ]
