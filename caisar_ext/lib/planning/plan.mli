(** What to ask a prover, and how the answers fold into verdicts of goals.

    A goal is a propositional formula over closed statements; each is one property of one query. Queries on the same
    network, region and domain are merged across goals, with the union of their properties: one analysis serves all. *)

(** What a query is about, for reports: the sample around which its region lies, the class whose groups are meant. *)
type subject = {
  dataset : Query.dataset;
  index : int;
  truth : int;
  reference : (Hierarchy.t * int) option;
}

type leaf =
  | Asked of { query : int; property : int }
  | Undecided of { reason : string; subject : subject option }  (** cannot be asked *)

type query = { query : Query.t; network : Query.network; domain : string option; subject : subject option }

type goal = { goal : Spec.goal; formula : leaf Formula.t }

type t = { goals : goal list; queries : query array  (** by number *) }

(** {1 Building} *)

type builder

val builder : unit -> builder

(** [ask builder ~network ~domain ~subject case] is the leaf of a case, in a query that exists already or a new one. The
    first reference that a goal gives to a query stays. *)
val ask :
  builder -> network:Query.network -> domain:string option -> subject:subject option -> Violation.case -> leaf

val finish : builder -> goal list -> t

(** {1 Folding} *)

(** [verdict answers formula]: Kleene's fold, with [answers query property]. *)
val verdict : (int -> int -> Verdict.concluded) -> leaf Formula.t -> Verdict.concluded
