(* The wire: round trips, strictness, frames; Kleene's laws over verdicts. *)

open Caisar_ext
module Gen = QCheck2.Gen

let property ?(count = 300) name gen law =
  let test = QCheck2.Test.make ~count ~name gen law in
  Alcotest.test_case name `Quick (fun () -> QCheck2.Test.check_exn ~rand:(Random.State.make [| 7 |]) test)

let case name f = Alcotest.test_case name `Quick f

open Random_messages

(* [compare] takes [nan] as equal to itself, and compares the numerators and denominators of rationals. *)
let survives to_payload of_payload message =
  match of_payload (to_payload message) with
  | Ok again -> compare message again = 0
  | Error reason -> QCheck2.Test.fail_report reason

let round_trips =
  [
    property "requests survive" request (survives Protocol.payload_of_request Protocol.request_of_payload);
    property "replies survive" reply (survives Protocol.payload_of_reply Protocol.reply_of_payload);
    property "payloads are printable ASCII" request (fun request ->
        String.for_all (fun c -> c >= ' ' && c <= '~') (Protocol.payload_of_request request));
    property "floats survive bit by bit" float (fun x ->
        let again = Wire.Std.float_of_sexp (Wire.Std.sexp_of_float x) in
        (Float.is_nan x && Float.is_nan again) || Int64.bits_of_float x = Int64.bits_of_float again);
  ]

(* The page's own examples and the other side's spellings *)

let done_ = "((id 7)(body(Done((cpu_seconds 0x1.8000000000000p-1)(peak_memory 42)))))"

let reads () =
  let check name expected text =
    match Protocol.reply_of_payload text with
    | Ok reply -> Alcotest.(check bool) name true (reply = expected)
    | Error reason -> Alcotest.failf "%s: %s" name reason
  in
  let expected : Protocol.reply Protocol.envelope =
    { id = 7; body = Done { cpu_seconds = 0.75; peak_memory = 42 } }
  in
  check "as Python writes it" expected done_;
  check "any order, quoted or bare, spaced" expected
    "( (body (\"Done\" ((peak_memory \"42\") (cpu_seconds 0x1.8p-1))))\n (id 7) )";
  let predicted : Protocol.reply Protocol.envelope = { id = 0; body = Predicted { maximisers = [ []; [ 3 ] ] } } in
  check "empty lists" predicted "((id 0)(body(Predicted((maximisers(()(3)))))))"

let contains text part =
  let n = String.length part in
  List.exists (fun i -> String.sub text i n = part) (List.init (max 0 (String.length text - n + 1)) Fun.id)

let refuses () =
  let check expected text =
    match Protocol.reply_of_payload text with
    | Ok _ -> Alcotest.failf "accepted: %s" text
    | Error reason -> if not (contains reason expected) then Alcotest.failf "%S does not say %S" reason expected
  in
  check "unclosed" "((id 7)";
  check "" "";
  check "" (done_ ^ done_);
  check "colour" "((id 7)(body(Done((cpu_seconds 0x1p0)(peak_memory 42)(colour red)))))";
  check "peak_memory" "((id 7)(body(Done((cpu_seconds 0x1p0)))))";
  check "constructor" "((id 7)(body(Finished((cpu_seconds 0x1p0)))))";
  check "hexadecimal" "((id 7)(body(Done((cpu_seconds 0.75)(peak_memory 42)))))";
  check "hexadecimal" "((id 7)(body(Done((cpu_seconds 0x1_0p0)(peak_memory 42)))))";
  check "decimal" "((id 7)(body(Done((cpu_seconds 0x1p0)(peak_memory 0x2a)))))";
  check "out of range" "((id 7)(body(Done((cpu_seconds 0x1p0)(peak_memory 99999999999999999999)))))";
  let long = Printf.sprintf "((id %s)(body x))" (String.make 5000 'y') in
  match Protocol.reply_of_payload long with
  | Error reason -> Alcotest.(check bool) "errors are short" true (String.length reason < 400)
  | Ok _ -> Alcotest.fail "accepted"

let refuses_rationals () =
  let refused text =
    match Wire.Rational.t_of_sexp (Sexplib.Sexp.Atom text) with
    | q -> Alcotest.failf "%S was read as %s" text (Q.to_string q)
    | exception Sexplib.Conv.Of_sexp_error _ -> ()
  in
  List.iter refused [ "2/4"; "3/1"; "1/0"; "0/0"; "1/-2"; "0.5"; "1e3"; "0x10"; "+1"; " 1"; "inf"; "-inf"; ""; "/" ];
  let big = "-123456789012345678901234567890/987654321098765432109876543211" in
  Alcotest.(check string) "large" big (Q.to_string (Wire.Rational.t_of_sexp (Sexplib.Sexp.Atom big)))

(* Frames *)

let drain decoder =
  let rec go taken =
    match Protocol.Frame.next decoder with
    | Ok (Some payload) -> go (payload :: taken)
    | Ok None -> (List.rev taken, None)
    | Error message -> (List.rev taken, Some message)
  in
  go []

let decode ~chunk text =
  let decoder = Protocol.Frame.decoder () in
  let bytes = Bytes.of_string text in
  let rec feed position =
    if position < Bytes.length bytes then begin
      let length = min chunk (Bytes.length bytes - position) in
      Protocol.Frame.feed decoder (Bytes.sub bytes position length) length;
      feed (position + length)
    end
  in
  feed 0;
  drain decoder

let split_anywhere =
  let gen =
    let* payloads = Gen.(list_size (0 -- 6) (string_size (0 -- 40))) and* chunk = Gen.int_range 1 50 in
    return (payloads, chunk)
  in
  property "frames survive any split" gen (fun (payloads, chunk) ->
      decode ~chunk (String.concat "" (List.map Protocol.Frame.encode payloads)) = (payloads, None))

let bad_headers () =
  let check text =
    match decode ~chunk:3 ("2\nok" ^ text) with
    | [ "ok" ], Some _ -> ()
    | payloads, _ -> Alcotest.failf "%S: %d frames, no error" text (List.length payloads)
  in
  List.iter check [ "\n"; "x"; "-1\n"; " 2\n"; "2 \n"; "0x2\n"; "12345678901\n"; "67108865\n"; "2\r\n" ];
  Alcotest.(check (pair (list string) (option string))) "the limit itself" ([], None) (decode ~chunk:9 "67108864\nx");
  match Protocol.Frame.encode (String.make (Protocol.Frame.max_payload + 1) 'x') with
  | _ -> Alcotest.fail "encoded a payload over the limit"
  | exception Invalid_argument _ -> ()

(* Quadratic buffers take minutes for these; linear ones, a fraction of a second. *)
let linear_time () =
  let seconds f =
    let start = Process.now () in
    f ();
    Process.now () -. start
  in
  let whole = String.make Protocol.Frame.max_payload 'x' in
  let one = seconds (fun () -> assert (fst (decode ~chunk:65536 (Protocol.Frame.encode whole)) = [ whole ])) in
  let small = String.concat "" (List.init 300_000 (fun _ -> "3\nabc")) in
  let many = seconds (fun () -> assert (List.length (fst (decode ~chunk:65536 small)) = 300_000)) in
  if one > 10. || many > 10. then Alcotest.failf "64 MiB: %.1f s; 300,000 frames: %.1f s" one many

(* Kleene's logic *)

let a_witness : Verdict.witness =
  { file = "w.npy"; picture = None; classes = [ 1 ]; margin = 1.; distance = 0.; centre = false }

let concluded : Verdict.concluded Gen.t =
  let* name = Gen.oneofl [ "a"; "b"; "c" ] in
  Gen.oneofl
    [
      Verdict.Valid;
      Invalid (Verdict.Witness { a_witness with file = name });
      Invalid Proof_of_contrary;
      Unknown name;
      Timeout;
      Failure name;
    ]

(* Truth is 1, falsity -1, undecided 0: Kleene's and is the minimum, or the maximum, not the opposite. *)
let truth : Verdict.concluded -> int = function
  | Valid -> 1
  | Invalid _ -> -1
  | Unknown _ | Timeout | Failure _ -> 0

let severity : Verdict.concluded -> int = function
  | Valid | Invalid _ -> 0
  | Unknown _ -> 1
  | Timeout -> 2
  | Failure _ -> 3

let many = Gen.(list_size (0 -- 6) concluded)
let two_lists = Gen.pair many many

let undecided_is_the_first_worst fold verdicts =
  let result : Verdict.concluded = fold verdicts in
  Verdict.is_decided result
  ||
  let worst = List.fold_left max 0 (List.map severity verdicts) in
  List.find (fun verdict -> severity verdict = worst) verdicts = result

let kleene =
  [
    property "conjunction is the minimum" many (fun verdicts ->
        truth (Verdict.conjunction verdicts) = List.fold_left min 1 (List.map truth verdicts));
    property "disjunction is the maximum" many (fun verdicts ->
        truth (Verdict.disjunction verdicts) = List.fold_left max (-1) (List.map truth verdicts));
    property "negation is the opposite" concluded (fun verdict ->
        truth (Verdict.negation verdict) = -truth verdict);
    property "de Morgan, on truth and on what is undecided" many (fun verdicts ->
        let left = Verdict.negation (Verdict.conjunction verdicts) in
        let right = Verdict.disjunction (List.map Verdict.negation verdicts) in
        truth left = truth right && (Verdict.is_decided left || left = right));
    property "folding by parts is folding at once" two_lists (fun (left, right) ->
        let parts = [ Verdict.conjunction left; Verdict.conjunction right ] in
        Verdict.conjunction parts = Verdict.conjunction (left @ right));
    property "the first of the worst undecided, in and" many (undecided_is_the_first_worst Verdict.conjunction);
    property "the first of the worst undecided, in or" many (undecided_is_the_first_worst Verdict.disjunction);
    property "an Invalid verdict is one of those given" many (fun verdicts ->
        match Verdict.conjunction verdicts with
        | Invalid _ as verdict -> List.find (fun verdict -> truth verdict = -1) verdicts = verdict
        | Valid | Unknown _ | Timeout | Failure _ -> true);
    property "conclude keeps the truth" answered (fun verdict ->
        truth (Verdict.conclude verdict)
        = (match verdict with Valid -> 1 | Invalid _ -> -1 | Unknown _ | Timeout | Failure _ -> 0));
  ]

let () =
  Alcotest.run "protocol"
    [
      ("round trips", round_trips);
      ( "strictness",
        [ case "reads" reads; case "refuses" refuses; case "refuses rationals" refuses_rationals ] );
      ( "frames",
        [ split_anywhere; case "bad headers" bad_headers; case "linear time" linear_time ] );
      ("Kleene's logic", kleene);
    ]
