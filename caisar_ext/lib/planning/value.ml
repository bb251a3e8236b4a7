type view = { dataset : Query.dataset; labels : int array; first : int; length : int }

type sample = { view : view; index : int }

type tie = { sample : sample; classes : int list }

type vector =
  | Input
  | Image of sample
  | Row of sample * string
  | Constants of Q.t list
  | Normalized of vector * Query.normalization
  | Outputs of Query.network

type t =
  | Int of Z.t
  | Answer of Query.network
  | Tie of tie
  | Real of Linear.t
  | Text of string
  | Model of string
  | Dataset of view
  | Sample of sample
  | Vector of vector
  | Hierarchy of Hierarchy.t
  | Level of Hierarchy.level
  | Group of Hierarchy.t * Hierarchy.Classes.t

let describe = function
  | Int _ -> "an integer"
  | Answer _ -> "the answer at the input"
  | Tie _ -> "an answer at a tie"
  | Real _ -> "a real"
  | Text _ -> "a string"
  | Model _ -> "a model"
  | Dataset _ -> "a dataset"
  | Sample _ -> "a sample"
  | Vector _ -> "a vector"
  | Hierarchy _ -> "a hierarchy"
  | Level _ -> "a level"
  | Group _ -> "a group"

let describe_tie { sample; classes } =
  let index = sample.index and source = sample.view.dataset.source in
  if classes = [] then Printf.sprintf "no answer at sample %d of %s: the outputs are not numbers" index source
  else
    Printf.sprintf "tie at sample %d of %s between classes %s" index source
      (String.concat ", " (List.map string_of_int classes))
