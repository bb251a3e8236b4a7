"""The codec: every value comes back exactly, and what is not of the protocol is refused with a place."""

from __future__ import annotations

import io
import math
import struct
import time
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprover import query, verdict
from pyprover.protocol import codec, messages, sexp
from pyprover.protocol.errors import ProtocolError
from pyprover.protocol.frames import MAX_PAYLOAD, read_frame, write_frame
from pyprover.protocol.sexp import Sexp

# Atoms and lists

paths = st.binary(max_size=12).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
delicate = st.text(alphabet="'`,[]{}|#;\\\"() \t\n\r\v\f\x00\x1f\x7f\x85\xa0é猫0ntx", max_size=8)
atoms = st.one_of(st.text(max_size=8), paths, delicate)
sexps = st.recursive(atoms, lambda inner: st.lists(inner, max_size=4), max_leaves=20)


def is_text(value: Sexp) -> bool:
    """Whether it holds no lone surrogate but those that stand for bytes."""
    if isinstance(value, list):
        return all(map(is_text, value))
    try:
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") == value
    except UnicodeEncodeError:
        return False


@given(sexps.filter(is_text))
def test_sexps_come_back(value: Sexp) -> None:
    assert sexp.parse(sexp.render(value)) == value


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"nil", "nil"),
        (b"t", "t"),
        (b"007", "007"),
        (b"1e5", "1e5"),
        (b"1/3", "1/3"),
        (b"'a", "'a"),
        (b"(' 'b' c'd)", ["'", "'b'", "c'd"]),
        (b"[a]", "[a]"),
        (b"{`,@}", "{`,@}"),
        (b"a\\b", "a\\b"),
        (b"#a|b#", "#a|b#"),
        (b"\va", "\va"),
        (b" \t\r\n\f(a\n( )b) ", ["a", [], "b"]),
        (b'a"b"', None),
        (b'(a"b"c)', ["a", "b", "c"]),
        (b'"\\065\\x42\\n\\t\\b\\r\\\\\\"\\\'"', "AB\n\t\b\r\\\"'"),
        (b'"\\195\\169"', "é"),
        (b'"\\q\\ \\f"', "\\q\\ \\f"),
        (b'"a\\\n   b\\\r\n\tc\nd"', "abc\nd"),
        (b'"\\255"', "\udcff"),
        (b'""', ""),
        ("é".encode(), "é"),
        ("a\u00a0b\u2028".encode(), "a\u00a0b\u2028"),
        (b"", None),
        (b"a b", None),
        (b"(a", None),
        (b"a)", None),
        (b'"a', None),
        (b'"a\\"', None),
        (b'"\\256"', None),
        (b'"\\9"', None),
        (b'"\\xg0"', None),
        (b"a;b", None),
        (b"#|a|# b", None),
        (b"#;a b", None),
        (b"\xff", None),
        (b"(" * 100_000, None),
    ],
)
def test_lexical_conventions_are_sexplibs(payload: bytes, value: Sexp | None) -> None:
    if value is None:
        with pytest.raises(ProtocolError):
            sexp.parse(payload)
    else:
        assert sexp.parse(payload) == value


def test_reading_takes_linear_time() -> None:
    """Ten times the text takes about ten times as long, in a list, in one atom and in one escaped atom."""
    for make in (
        lambda n: b"(" + b"0x1.8p-1 " * n + b")",
        lambda n: b'"' + b"a" * 9 * n + b'"',
        lambda n: b'"' + b"a\\n" * n + b'"',
    ):
        sexp.parse(make(1000))
        timings = []
        for count in (3_000, 30_000):
            payload = make(count)
            best = math.inf
            for _ in range(3):
                start = time.process_time()
                sexp.parse(payload)
                best = min(best, time.process_time() - start)
            timings.append(best)
        assert timings[1] < 40 * max(timings[0], 1e-4)


# Frames


@given(st.lists(st.binary(max_size=40)))
def test_frames_come_back(payloads: list[bytes]) -> None:
    stream = io.BytesIO()
    for payload in payloads:
        write_frame(stream, payload)
    stream.seek(0)
    assert [read_frame(stream) for _ in payloads] == payloads
    assert read_frame(stream) is None


@pytest.mark.parametrize(
    "content",
    [
        b"\n",
        b"x\n",
        b"-1\n",
        b" 1\na",
        b"1\r\na",
        b"12345678901\n",
        b"1",
        b"2\na",
        b"+1\na",
        b"67108865\n",
        "１\na".encode(),
    ],
)
def test_frames_that_are_not_well_formed(content: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_frame(io.BytesIO(content))


def test_frames_have_a_largest_size() -> None:
    stream = io.BytesIO()
    with pytest.raises(ProtocolError):
        write_frame(stream, bytes(MAX_PAYLOAD + 1))
    assert stream.getvalue() == b""


# Typed values


@given(st.floats())
def test_floats_are_exact_to_the_bit(value: float) -> None:
    back = codec.decode(float, sexp.parse(sexp.render(codec.encode(float, value))))
    if math.isnan(value):
        assert math.isnan(back)
    else:
        assert struct.pack("<d", back) == struct.pack("<d", value)


@given(st.fractions())
def test_rationals_are_exact(value: Fraction) -> None:
    assert codec.decode(Fraction, sexp.parse(sexp.render(codec.encode(Fraction, value)))) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x1.8p-1", 0.75),
        ("0x1p+0", 1.0),
        ("-0x1.4p3", -10.0),
        ("infinity", math.inf),
        ("-inf", -math.inf),
        ("0x0p+0", 0.0),
    ],
)
def test_floats_as_ocaml_writes_them(text: str, value: float) -> None:
    assert codec.decode(float, text) == value


texts = st.text(max_size=5)
counts = st.integers(-(2**62), 2**62 - 1)
rationals = st.fractions(max_denominator=1000)
floats = st.floats(allow_nan=False)


def tuples(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=3).map(tuple)


networks = st.builds(
    query.NetworkRef, texts, st.none() | st.builds(query.Normalization, tuples(rationals), tuples(rationals))
)
datasets = st.builds(query.DatasetRef, texts, texts)
rows = st.builds(query.Row, datasets, texts, counts)
bounds = st.one_of(
    st.builds(query.Ball, datasets, counts, rationals),
    st.builds(query.Radii, datasets, counts, rows),
    st.builds(query.Relative, datasets, counts, rationals),
    st.builds(query.Box, rows, rows),
    st.builds(query.Range, st.none() | rationals, st.none() | rationals),
    st.builds(query.Feature, counts, st.none() | rationals, st.none() | rationals, st.booleans(), st.booleans()),
)
comparisons = st.builds(query.Comparison, tuples(st.builds(query.Term, counts, rationals)), rationals, st.booleans())
properties = st.builds(query.Within, tuples(counts)) | st.builds(query.Avoid, tuples(tuples(comparisons)))
requests = st.one_of(
    st.builds(
        messages.Hello,
        *(counts, texts, st.none() | texts, texts, st.booleans()),
        *(st.none() | counts, st.none() | texts, st.none() | counts, counts, counts, texts),
    ),
    st.builds(messages.DescribeNetwork, networks),
    st.builds(messages.DescribeDataset, datasets),
    st.builds(messages.Predict, networks, datasets, tuples(counts)),
    st.builds(
        messages.Verify,
        networks,
        tuples(st.builds(query.Query, counts, tuples(bounds), tuples(properties))),
        floats,
        st.booleans(),
        st.none() | texts,
    ),
)
witnesses = st.builds(verdict.Witness, texts, st.none() | texts, tuples(counts), floats, floats, st.booleans())
noise = st.builds(verdict.NoiseUse, texts, texts, counts, counts, counts, floats)
verdicts = st.one_of(
    st.just(verdict.Valid()),
    st.just(verdict.Timeout()),
    st.builds(verdict.Invalid, witnesses),
    st.builds(verdict.Unknown, texts),
    st.builds(verdict.Failure, texts),
)
replies = st.one_of(
    st.builds(messages.Welcome, counts, texts, texts, texts),
    st.builds(
        messages.Network,
        tuples(counts),
        counts,
        counts,
        tuples(st.builds(messages.Operator, texts, counts)),
        counts,
        counts,
        texts,
        st.none() | texts,
    ),
    st.builds(messages.Dataset, counts, tuples(counts), tuples(counts), tuples(texts), tuples(texts), texts),
    st.builds(messages.Predicted, tuples(tuples(counts))),
    st.builds(
        verdict.Answer,
        counts,
        tuples(st.builds(verdict.Outcome, verdicts, texts, st.none() | floats)),
        tuples(counts),
        tuples(counts),
        tuples(st.builds(verdict.Reached, counts, witnesses)),
        floats,
        tuples(st.builds(verdict.Step, texts, floats, st.none() | noise)),
    ),
    st.builds(messages.Done, floats, counts),
    st.builds(messages.Refused, texts, texts, st.none() | texts),
)


@settings(max_examples=150)
@given(counts, requests)
def test_requests_come_back(id_: int, body: messages.Body) -> None:
    request = messages.Request(id_, body)
    assert messages.read_request(sexp.render(codec.encode(messages.Request, request))) == request


@settings(max_examples=150)
@given(counts, replies)
def test_replies_come_back(id_: int, body: messages.ReplyBody) -> None:
    reply = messages.Reply(id_, body)
    assert codec.decode(messages.Reply, sexp.parse(messages.write_reply(reply))) == reply


def test_the_pages_example() -> None:
    answer = verdict.Answer(3, (), (), (), (), 0.0, ())
    payload = messages.write_reply(messages.Reply(7, answer))
    assert payload == (
        b"((id 7) (body (Answer ((query 3) (outcomes ()) (centre ()) (impossible ()) (reached ())"
        b" (seconds 0x0p+0) (steps ())))))"
    )


def test_fields_come_in_any_order() -> None:
    request = messages.read_request(b"((body(Describe_dataset((dataset((base /d)(source a:b))))))(id 1))")
    assert request == messages.Request(1, messages.DescribeDataset(query.DatasetRef("a:b", "/d")))


@pytest.mark.parametrize(
    ("type_", "text", "words"),
    [
        (int, "1.0", "expected an integer"),
        (int, "0x10", "expected an integer"),
        (int, "1_0", "expected an integer"),
        (int, "١", "expected an integer"),
        (int, "()", "expected an integer"),
        (int, "9" * 5000, "too many digits"),
        (bool, "True", "expected true or false"),
        (bool, "()", "expected true or false"),
        (str, "()", "expected an atom"),
        (float, "0.5", "expected a hexadecimal float"),
        (float, "10", "expected a hexadecimal float"),
        (float, "0x1p99999", "beyond float64"),
        (Fraction, "0.5", "expected a rational"),
        (Fraction, "2/4", "lowest terms"),
        (Fraction, "2/1", "lowest terms"),
        (Fraction, "1/0", "lowest terms"),
        (Fraction, "1/-2", "expected a rational"),
        (int | None, "1", "expected an option"),
        (int | None, "(1 2)", "expected an option"),
        (tuple[int, ...], "1", "expected a list"),
        (tuple[int, ...], "(1 x)", r"\[1\]: expected an integer"),
        (query.Term, "((output 1))", "missing field weight"),
        (query.Term, "((output 1)(weight 1)(weight 1))", "second field 'weight'"),
        (query.Term, "((output 1)(weight 1)(more 1))", "unknown field 'more'"),
        (query.Term, "((output 1)(weight))", "expected a field"),
        (query.Term, "(output 1)", "expected a field"),
        (query.Term, "((output 1)(weight x))", "weight: expected a rational"),
        (query.Property, "Without", "expected one of Within, Avoid"),
        (query.Property, "Within", "expected Within with one record"),
        (query.Property, "(Within () ())", "expected Within with one record"),
        (query.Property, "(Within ((classes (0 a))))", r"Within.classes\[1\]: expected an integer"),
        (query.Property, "()", "expected one of"),
        (query.Property, "((Within))", "expected one of"),
        (verdict.Verdict, "(Valid)", "expected Valid with no argument"),
        (verdict.Verdict, "(Valid ())", "expected Valid with no argument"),
    ],
)
def test_values_of_another_type(type_: Any, text: str, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        codec.decode(type_, sexp.parse(text.encode()))
