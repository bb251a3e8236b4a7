type 'leaf t = True | False | Leaf of 'leaf | Not of 'leaf t | And of 'leaf t list | Or of 'leaf t list

let negation = function True -> False | False -> True | Not f -> f | f -> Not f

let conjunction fs =
  let flat = List.concat_map (function True -> [] | And gs -> gs | f -> [ f ]) fs in
  if List.exists (function False -> true | _ -> false) flat then False
  else match flat with [] -> True | [ f ] -> f | fs -> And fs

let disjunction fs =
  let flat = List.concat_map (function False -> [] | Or gs -> gs | f -> [ f ]) fs in
  if List.exists (function True -> true | _ -> false) flat then True
  else match flat with [] -> False | [ f ] -> f | fs -> Or fs

let implication a b = match a with False -> True | a -> disjunction [ negation a; Lazy.force b ]

let rec leaves = function
  | True | False -> []
  | Leaf l -> [ l ]
  | Not f -> leaves f
  | And fs | Or fs -> List.concat_map leaves fs
