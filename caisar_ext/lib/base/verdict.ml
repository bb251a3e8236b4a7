open Wire.Std

type witness = {
  file : string;
  picture : string option;
  classes : int list;
  margin : float;
  distance : float;
  centre : bool;
}
[@@deriving sexp]

type 'refutation t = Valid | Invalid of 'refutation | Unknown of string | Timeout | Failure of string
type answered = witness t

(* The wire gives every payload a record, so that it can grow; the program needs none. *)
module On_wire = struct
  type invalid = { witness : witness } [@@deriving sexp]
  type unknown = { reason : string } [@@deriving sexp]
  type failure = { message : string } [@@deriving sexp]

  type t = Valid | Invalid of invalid | Unknown of unknown | Timeout | Failure of failure
  [@@deriving sexp]
end

let sexp_of_answered verdict =
  On_wire.sexp_of_t
    (match verdict with
     | Valid -> Valid
     | Invalid witness -> Invalid { witness }
     | Unknown reason -> Unknown { reason }
     | Timeout -> Timeout
     | Failure message -> Failure { message })

let answered_of_sexp sexp =
  match On_wire.t_of_sexp sexp with
  | Valid -> Valid
  | Invalid { witness } -> Invalid witness
  | Unknown { reason } -> Unknown reason
  | Timeout -> Timeout
  | Failure { message } -> Failure message

type refutation = Witness of witness | Proof_of_contrary
type concluded = refutation t

let conclude : answered -> concluded = function
  | Invalid witness -> Invalid (Witness witness)
  | (Valid | Unknown _ | Timeout | Failure _) as verdict -> verdict

let negation : concluded -> concluded = function
  | Valid -> Invalid Proof_of_contrary
  | Invalid (Witness _ | Proof_of_contrary) -> Valid
  | (Unknown _ | Timeout | Failure _) as undecided -> undecided

(* The verdict of higher rank wins, the earlier one at equal rank. *)
let fold_by rank ~neutral verdicts =
  let better best verdict = if rank verdict > rank best then verdict else best in
  match verdicts with
  | [] -> neutral
  | first :: rest -> List.fold_left better first rest

let rank ~valid ~invalid = function
  | Valid -> valid
  | Unknown _ -> 1
  | Timeout -> 2
  | Failure _ -> 3
  | Invalid _ -> invalid

let conjunction verdicts = fold_by (rank ~valid:0 ~invalid:4) ~neutral:Valid verdicts
let disjunction verdicts = fold_by (rank ~valid:4 ~invalid:0) ~neutral:(Invalid Proof_of_contrary) verdicts

let is_decided = function
  | Valid | Invalid _ -> true
  | Unknown _ | Timeout | Failure _ -> false
