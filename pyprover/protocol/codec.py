"""The typed level: any frozen dataclass to an s-expression and back, by the types of its fields.

The mapping is the table of ``grammar/protocol.md``: ``int``, ``bool``, ``str``, ``float`` and ``Fraction`` are atoms;
``T | None`` is an option, ``tuple[T, ...]`` a list, a dataclass a record, and a union of dataclasses a variant whose
constructors bear the classes' names (``DescribeNetwork`` is ``Describe_network``).
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any, NoReturn, Union, get_args, get_origin, get_type_hints

from pyprover.protocol.errors import ProtocolError
from pyprover.protocol.sexp import Sexp

Encode = Callable[[Any], Sexp]
Decode = Callable[[Sexp], Any]

_INTEGER = re.compile(r"-?\d+", re.ASCII)
_RATIONAL = re.compile(r"-?\d+(/\d+)?", re.ASCII)
_FLOAT = re.compile(r"-?(0x[0-9a-f]+(\.[0-9a-f]*)?p[+-]?\d+|inf(inity)?|nan)", re.ASCII)


class _Mismatch(Exception):
    """An s-expression that is not of its field's type; ``path`` grows from the inside outwards."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.path: list[str] = []


def encode(type_: Any, value: Any) -> Sexp:
    """Write ``value`` as a ``type_``."""
    return _encoder(type_)(value)


def decode(type_: Any, sexp: Sexp) -> Any:
    """Read a ``type_``; ``ProtocolError`` names the field that is not of its type."""
    try:
        return _decoder(type_)(sexp)
    except _Mismatch as error:
        raise ProtocolError(f"{''.join(reversed(error.path)).lstrip('.') or 'the message'}: {error}") from None


def _wire_name(constructor: type) -> str:
    return re.sub(r"(?<=[a-z])[A-Z]", lambda capital: "_" + capital[0].lower(), constructor.__name__)


def _members(union: Any) -> tuple[tuple[Any, ...], bool]:
    """Return the members of a union other than None, and whether None is one."""
    members = get_args(union)
    return tuple(member for member in members if member is not type(None)), type(None) in members


def _is_union(type_: Any) -> bool:
    return get_origin(type_) in (Union, types.UnionType)


def _fields(record: type) -> dict[str, Any]:
    hints = get_type_hints(record)
    return {field.name: hints[field.name] for field in dataclasses.fields(record)}


@cache
def _encoder(type_: Any) -> Encode:
    if type_ in _ATOMS:
        return _ATOMS[type_][0]
    if _is_union(type_):
        members, optional = _members(type_)
        if not optional:
            return _variant_encoder(members)
        inner = _encoder(members[0])
        return lambda value: [] if value is None else [inner(value)]
    if get_origin(type_) is tuple:
        item = _encoder(get_args(type_)[0])
        return lambda values: list(map(item, values))
    return _record_encoder(type_)


def _record_encoder(record: type) -> Encode:
    encoders = [(name, _encoder(type_)) for name, type_ in _fields(record).items()]
    return lambda value: [[name, field(getattr(value, name))] for name, field in encoders]


def _variant_encoder(members: tuple[type, ...]) -> Encode:
    encoders = {member: (_wire_name(member), _encoder(member)) for member in members}

    def encode_variant(value: Any) -> Sexp:
        name, record = encoders[type(value)]
        fields = record(value)
        return [name, fields] if fields else name

    return encode_variant


@cache
def _decoder(type_: Any) -> Decode:
    if type_ in _ATOMS:
        return _ATOMS[type_][1]
    if _is_union(type_):
        members, optional = _members(type_)
        return _option_decoder(_decoder(members[0])) if optional else _variant_decoder(members)
    if get_origin(type_) is tuple:
        return _list_decoder(_decoder(get_args(type_)[0]))
    return _record_decoder(type_)


def _list_decoder(item: Decode) -> Decode:
    def decode_list(sexp: Sexp) -> Any:
        values = []
        for index, entry in enumerate(_list(sexp, "a list")):
            try:
                values.append(item(entry))
            except _Mismatch as error:
                error.path.append(f"[{index}]")
                raise
        return tuple(values)

    return decode_list


def _option_decoder(item: Decode) -> Decode:
    def decode_option(sexp: Sexp) -> Any:
        entries = _list(sexp, "an option, () or (x)")
        if len(entries) > 1:
            _expected("an option, () or (x)", sexp)
        return item(entries[0]) if entries else None

    return decode_option


def _record_decoder(record: type) -> Decode:
    decoders = {name: _decoder(type_) for name, type_ in _fields(record).items()}

    def decode_record(sexp: Sexp) -> Any:
        values: dict[str, Any] = {}
        for entry in _list(sexp, "a record"):
            if isinstance(entry, str) or len(entry) != 2 or not isinstance(name := entry[0], str):
                _expected("a field (name value)", entry)
            if name not in decoders or name in values:
                raise _Mismatch(f"{'second' if name in values else 'unknown'} field {name!r}")
            try:
                values[name] = decoders[name](entry[1])
            except _Mismatch as error:
                error.path.append(f".{name}")
                raise
        if len(values) < len(decoders):
            raise _Mismatch(f"missing field {', '.join(name for name in decoders if name not in values)}")
        return record(**values)

    return decode_record


def _variant_decoder(members: tuple[type, ...]) -> Decode:
    decoders = {_wire_name(member): (bool(_fields(member)), _decoder(member)) for member in members}

    def decode_variant(sexp: Sexp) -> Any:
        name, arguments = (sexp, []) if isinstance(sexp, str) else (sexp[0] if sexp else "", sexp[1:])
        if not isinstance(name, str) or name not in decoders:
            _expected(f"one of {', '.join(decoders)}", sexp)
        has_fields, record = decoders[name]
        if len(arguments) != has_fields or (not has_fields and not isinstance(sexp, str)):
            _expected(f"{name} with {'one record' if has_fields else 'no argument'}", sexp)
        try:
            return record(arguments[0] if arguments else [])
        except _Mismatch as error:
            error.path.append(f".{name}")
            raise

    return decode_variant


def _list(sexp: Sexp, expected: str) -> list[Sexp]:
    return sexp if isinstance(sexp, list) else _expected(expected, sexp)


def _expected(what: str, sexp: Sexp) -> NoReturn:
    text = repr(sexp)
    raise _Mismatch(f"expected {what}, got {text if len(text) <= 80 else text[:77] + '...'}")


def _atom(sexp: Sexp, pattern: re.Pattern[str], expected: str) -> str:
    return sexp if isinstance(sexp, str) and pattern.fullmatch(sexp) else _expected(expected, sexp)


def _decode_int(sexp: Sexp) -> int:
    try:
        return int(_atom(sexp, _INTEGER, "an integer"))
    except ValueError:  # Python's limit on the length of decimal text
        raise _Mismatch("an integer of too many digits") from None


def _decode_rational(sexp: Sexp) -> Fraction:
    numerator, _, denominator = _atom(sexp, _RATIONAL, "a rational, n or n/d").partition("/")
    n, d = _decode_int(numerator), _decode_int(denominator) if denominator else 1
    if denominator and (d <= 1 or math.gcd(n, d) != 1):
        _expected("a rational in lowest terms", sexp)
    return Fraction(n, d)


def _encode_float(value: float) -> str:
    text = float(value).hex()
    return re.sub(r"\.?0*p", "p", text) if "p" in text else text


def _decode_float(sexp: Sexp) -> float:
    text = _atom(sexp, _FLOAT, "a hexadecimal float")
    try:
        return float.fromhex(text)
    except (OverflowError, ValueError):
        raise _Mismatch(f"{text} is beyond float64") from None


def _decode_bool(sexp: Sexp) -> bool:
    if sexp not in ("true", "false"):
        _expected("true or false", sexp)
    return sexp == "true"


def _decode_str(sexp: Sexp) -> str:
    return sexp if isinstance(sexp, str) else _expected("an atom", sexp)


_ATOMS: dict[Any, tuple[Encode, Decode]] = {
    int: (str, _decode_int),
    bool: (lambda value: "true" if value else "false", _decode_bool),
    str: (str, _decode_str),
    float: (_encode_float, _decode_float),
    Fraction: (str, _decode_rational),
}
