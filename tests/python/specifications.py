"""Generated specifications: well-formed ones of every construct of the profile, and damaged ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

LOWER = ["x", "y", "net", "eps'", "a_1", "range", "float", "x''", "ref"]
BINDABLE = [name for name in LOWER if name != "ref"]
UPPER = ["Int", "T", "Real'", "U_2"]
NUMBERS = [
    "0",
    "1",
    "42",
    "1_000",
    "0x1F",
    "0o17",
    "0b101",
    "1.0",
    "2.",
    ".5",
    "1e3",
    "2.50e-3",
    "0x1.8p-3",
    "0x.8",
    "1e-400",
]
STRINGS = [
    '"a.onnx"',
    '""',
    r'"say \"hi\""',
    r'"\065\x42\o103\n"',
    '"two\\\n   lines"',
    '"(* no comment *)"',
    r'"\255"',
]
CONNECTIVES = ["->", "<->", "\\/", "||", "/\\", "&&"]
COMPARISONS = ["=", "<>", "<", "<=", ">", ">=", "<.", "<=.", ">.", ">=.", "<<", "=="]
OPERATORS = ["+", "-", "*", "+.", "-.", "*.", "/.", "/", "@@", "%", "$", "^^", "|>", "+'"]
ATTRIBUTES = ["[@caisar_ext:domain linear]", "[@a]", "[@ two  words ]"]
SPACES = [" ", " ", " ", " ", "\n", "\t", "\r\n", "  ", "(* a (* b *) c *)", "(**)", "(* (*) é *)", "\n  "]
FOREIGN = re.findall(
    r"\S+", "match with fun by so at old begin axiom lemma let rec { } ; | & .. <- _ label clone meta ' ] )_a é ref"
)
PUNCTUATION = re.findall(
    r"\S+", ", . : ( ) [ ] = -> < 'a theory end goal function constant if then else in forall not as use type - !"
)
VOCABULARY = [
    *FOREIGN,
    *PUNCTUATION,
    *LOWER[:3],
    *UPPER[:2],
    "1",
    "1.0",
    '"s"',
    "[@a]",
    "+",
    "@@",
    "true",
    "(*",
    "*)",
    '"',
]


class Writer:
    """Writes the tokens of one specification; every choice is ``random``'s."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def one(self, *makers: Callable[[], list[str]]) -> list[str]:
        return self.random.choice(makers)()

    def some(self, words: list[str]) -> str:
        return self.random.choice(words)

    def often(self, tokens: Callable[[], list[str]], share: float = 0.3) -> list[str]:
        return tokens() if self.random.random() < share else []

    def attributes(self) -> list[str]:
        return self.often(lambda: [self.some(ATTRIBUTES)], 0.1)

    def name(self) -> list[str]:
        return [*self.often(lambda: [self.some(UPPER), "."], 0.1), self.some(LOWER)]

    def bound(self) -> list[str]:
        return [self.some(BINDABLE), *self.attributes()]

    def type(self, depth: int = 2) -> list[str]:
        if depth == 0:
            return self.one(self.name, lambda: ["'a"])
        inner = lambda: self.type(depth - 1)  # noqa: E731
        return self.one(
            self.name,
            lambda: [*self.name(), *self.type(0)],
            lambda: [*self.name(), "(", *inner(), ")", *self.type(0)],
            lambda: ["(", *inner(), ")"],
        )

    def operator(self) -> list[str]:
        sign = self.some([*OPERATORS, *COMPARISONS])
        sign = "=" if sign == "<>" else sign
        return self.one(
            lambda: ["(", sign, ")"],
            lambda: ["(", "-", "_", ")"],
            lambda: ["(", "+.", "_", ")"],
            lambda: ["(", "[", "]", ")"],
            lambda: ["(", "!", ")"],
        )

    def symbol(self) -> list[str]:
        return self.one(self.bound, self.bound, self.bound, self.operator)

    def argument(self, depth: int) -> list[str]:
        if depth == 0:
            return self.one(
                self.name,
                self.name,
                lambda: [self.some(NUMBERS)],
                lambda: [self.some(STRINGS)],
                lambda: [self.some(["true", "false"])],
            )
        inner = lambda: self.term(depth - 1)  # noqa: E731
        return self.one(
            lambda: self.argument(0),
            lambda: [*self.argument(depth - 1), "[", *inner(), "]"],
            lambda: ["(", *inner(), ")"],
            lambda: ["begin", *inner(), "end"],
            lambda: [self.some(["!", "?x"[:1], "!!"]), *self.argument(depth - 1)],
            self.operator,
        )

    def operand(self, depth: int) -> list[str]:
        if depth == 0:
            return self.argument(0)
        inner = lambda: self.term(depth - 1)  # noqa: E731
        return self.one(
            lambda: self.argument(depth),
            lambda: self.argument(depth),
            lambda: [*self.argument(depth - 1), *self.argument(depth - 1), *self.often(lambda: self.argument(0))],
            lambda: ["-", self.some(NUMBERS)],
            lambda: ["if", *inner(), "then", *inner(), "else", *inner()],
            lambda: ["let", *self.pattern(), "=", *inner(), "in", *inner()],
            lambda: self.quantified(depth),
        )

    def pattern(self) -> list[str]:
        return self.one(
            self.bound,
            lambda: ["_"],
            lambda: [*self.bound(), ":", *self.type()],
            lambda: ["(", *self.bound(), ":", *self.type(), ")"],
            self.operator,
        )

    def quantified(self, depth: int) -> list[str]:
        groups: list[str] = []
        for _ in range(self.random.randint(1, 2)):
            groups += [","] if groups else []
            groups += [*self.bound(), *self.often(self.bound)]
            # a path of a type would take in the dot
            groups += self.often(lambda: [":", *self.type()], 0.8)
        return [self.some(["forall", "exists"]), *groups, ".", *self.term(depth - 1)]

    def prefixes(self) -> list[str]:
        tokens: list[str] = []
        while self.random.random() < 0.2:
            tokens.append(self.some(["not", "-", "-.", "+", "<", *ATTRIBUTES[:2]]))
        return tokens

    def term(self, depth: int) -> list[str]:
        tokens = [*self.prefixes(), *self.operand(depth)]
        for _ in range(self.random.choice([0, 0, 1, 1, 2, 4]) if depth else 0):
            if self.random.random() < 0.1:
                tokens += [":", *self.type()]
            else:
                sign = self.some(self.random.choice([CONNECTIVES, COMPARISONS, OPERATORS]))
                tokens += [sign, *self.prefixes(), *self.operand(depth - 1)]
        return tokens

    def parameters(self) -> list[str]:
        tokens: list[str] = []
        for _ in range(self.random.choice([0, 1, 1, 2])):
            names = [word for _ in range(self.random.randint(1, 3)) for word in self.bound()]
            tokens += ["(", *names, ":", *self.type(), ")"]
        return tokens

    def declaration(self) -> list[str]:
        path = [word for _ in range(self.random.randint(0, 2)) for word in (self.some([*LOWER, *UPPER]), ".")]
        use = [*path, self.some(UPPER)]
        typed = [":", *self.type()]
        body = self.often(lambda: ["=", *self.term(2)], 0.8)
        return self.one(
            lambda: ["use", *self.often(lambda: ["import"]), *use, *self.often(lambda: ["as", "V"]), ",", *use],
            lambda: ["use", "export", *use],
            lambda: ["type", *self.bound(), *self.often(lambda: ["'a"]), *self.often(lambda: ["=", *self.type()])],
            lambda: ["constant", *self.symbol(), *typed, *body],
            lambda: ["function", *self.symbol(), *self.parameters(), *typed, *body],
            lambda: ["predicate", *self.symbol(), *self.parameters(), *body],
            lambda: ["goal", *self.symbol(), ":", *self.term(3)],
            lambda: ["goal", self.some(UPPER), *self.attributes(), ":", *self.term(4)],
        )

    def specification(self) -> list[str]:
        tokens: list[str] = []
        for _ in range(self.random.randint(1, 2)):
            tokens += [self.some(["theory", "module"]), self.some(UPPER), *self.attributes()]
            for _ in range(self.random.randint(0, 5)):
                tokens += self.declaration()
            tokens.append("end")
        return tokens

    def spaced(self, tokens: list[str]) -> str:
        return "".join(self.random.choice(SPACES) + token for token in tokens) + self.random.choice(SPACES)

    def damaged(self, tokens: list[str]) -> list[str]:
        tokens = list(tokens)
        for _ in range(self.random.randint(1, 2)):
            here, there = self.random.randrange(len(tokens) + 1), self.random.randrange(len(tokens) + 1)
            tokens[here : here + self.random.choice([0, 1, 1])] = self.random.choice(
                [[], [self.some(VOCABULARY)], [self.some(VOCABULARY)], tokens[there : there + 1]]
            )
        return tokens


def well_formed(random: Random) -> str:
    """A specification within the profile."""
    writer = Writer(random)
    return writer.spaced(writer.specification())


def damaged(random: Random) -> str:
    """A specification with one or two words missing, added or replaced."""
    writer = Writer(random)
    return writer.spaced(writer.damaged(writer.specification()))
