open Caisar_ext

(* {1 Generators} *)

let rational =
  let open QCheck2.Gen in
  map2 (fun n d -> Q.of_ints n d) (int_range (-6) 6) (int_range 1 4)

let atom =
  let open QCheck2.Gen in
  map2 (fun output i : Linear.atom -> if output then Output i else Feature i) bool (int_range 0 2)

type expression =
  | Constant of Q.t
  | Atom of Linear.atom
  | Add of expression * expression
  | Sub of expression * expression
  | Scale of Q.t * expression
  | Neg of expression

let expression =
  let open QCheck2.Gen in
  sized_size (int_range 0 12) @@ fix (fun self size ->
      let leaf = oneof [ map (fun q -> Constant q) rational; map (fun a -> Atom a) atom ] in
      if size = 0 then leaf
      else
        let half = self (size / 2) in
        oneof
          [ leaf; map2 (fun a b -> Add (a, b)) half half; map2 (fun a b -> Sub (a, b)) half half;
            map2 (fun q a -> Scale (q, a)) rational (self (size - 1)); map (fun a -> Neg a) (self (size - 1)) ])

let rec linear : expression -> Linear.t = function
  | Constant q -> Linear.constant q
  | Atom a -> Linear.atom a
  | Add (a, b) -> Linear.add (linear a) (linear b)
  | Sub (a, b) -> Linear.sub (linear a) (linear b)
  | Scale (q, a) -> Linear.scale q (linear a)
  | Neg a -> Linear.neg (linear a)

(* Some value for each atom. *)
let at : Linear.atom -> Q.t = function Feature i -> Q.of_ints (2 * i - 3) 7 | Output i -> Q.of_ints (5 - (3 * i)) 11

let rec value = function
  | Constant q -> q
  | Atom a -> at a
  | Add (a, b) -> Q.add (value a) (value b)
  | Sub (a, b) -> Q.sub (value a) (value b)
  | Scale (q, a) -> Q.mul q (value a)
  | Neg a -> Q.neg (value a)

let of_linear (l : Linear.t) = List.fold_left (fun sum (a, q) -> Q.add sum (Q.mul q (at a))) l.constant l.terms

(* {1 Laws} *)

let law name generator check = QCheck2.Test.make ~name ~count:500 generator check

let laws =
  [ law "the value is the expression's" expression (fun e -> Q.equal (value e) (of_linear (linear e)));
    law "terms are sorted, without repetition or zero" expression (fun e ->
        let terms = (linear e).terms in
        List.sort_uniq compare (List.map fst terms) = List.map fst terms
        && List.for_all (fun (_, q) -> Q.sign q <> 0) terms);
    law "what is subtracted from itself is the constant 0" expression (fun e ->
        Linear.to_constant (Linear.sub (linear e) (linear e)) = Some Q.zero) ]

let () =
  let case (QCheck2.Test.Test cell as test) =
    Alcotest.test_case (QCheck2.Test.get_name cell) `Quick (fun () ->
        QCheck2.Test.check_exn ~rand:(Random.State.make [| 2024 |]) test)
  in
  Alcotest.run "linear" [ ("laws", List.map case laws) ]
