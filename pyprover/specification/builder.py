"""The syntax tree from the bottom up, while parsing: no recursion, however deep the terms.

`new_builder` makes a transformer with one method for each rule of `grammar/whyml.lark` that is not inlined.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

from lark import Token, Transformer, v_args

from pyprover.mistakes import Place
from pyprover.specification import lexical, precedence, syntax
from pyprover.specification.pieces import (
    NAMELESS,
    RESERVED,
    Attribute,
    BadToken,
    Form,
    Pattern,
    Spelling,
    Unnamed,
    Untyped,
    named,
    place_of,
    type_place,
    variables,
)
from pyprover.specification.precedence import Cast, Infix, Item, Prefix
from pyprover.specification.syntax import Declaration, Foreign, Name, Term, Type, Variable

_TERM, _TYPE = "this term", "this type"
_NO_TYPE = "the type of this parameter is missing"
_CONNECTIVES = {
    "->": (precedence.IMPLICATION, "implies"),
    "<->": (precedence.IMPLICATION, "iff"),
    "\\/": (precedence.DISJUNCTION, "or"),
    "||": (precedence.DISJUNCTION, "or_else"),
    "/\\": (precedence.CONJUNCTION, "and"),
    "&&": (precedence.CONJUNCTION, "and_then"),
}
_LEVELS = {
    "OP2": precedence.SUM,
    "MINUS": precedence.SUM,
    "OP3": precedence.PRODUCT,
    "OP4": precedence.OTHER,
}


@v_args(inline=True)
class _Declarations(Transformer[Token, syntax.File]):
    def start(self, *parts: syntax.Theory | Declaration) -> syntax.File:
        theories = tuple(part for part in parts if isinstance(part, syntax.Theory))
        if parts and not theories:
            first = cast(Declaration, parts[0])
            raise BadToken("declarations stand in a theory", first.place, "write: theory NAME ... end")
        return syntax.File(theories)

    def theory(self, name: Name, *declarations: Declaration) -> syntax.Theory:
        return syntax.Theory(name, declarations)

    def loose(self, declaration: Declaration) -> Declaration:
        return declaration

    def stray(self, declaration: Declaration) -> None:
        raise BadToken("declarations both inside and outside of a theory", declaration.place)

    def use(self, first: Token, *rest: Token | Spelling | tuple[str, Name | None]) -> syntax.Use:
        how = str(rest[0]) if rest[0] in ("import", "export") else "plain"
        theories = [item for item in rest if not isinstance(item, Token)]
        used = tuple((item.text, None) if isinstance(item, Spelling) else item for item in theories)
        return syntax.Use(how, used, place_of(first))

    def use_as(self, path: Spelling, name: Spelling | None = None) -> tuple[str, Name | None]:
        return path.text, None if name is None else Name(name.text, (), name.place)

    def theory_path(self, *parts: Spelling | syntax.Text) -> Spelling:
        words = [part.value if isinstance(part, syntax.Text) else part.text for part in parts]
        return Spelling(".".join(words), parts[0].place.to(parts[-1].place))

    def type(self, first: Token, name: Name, *rest: Name | Token | Type) -> syntax.TypeDeclaration:
        type_variables = tuple(item for item in rest if isinstance(item, Name))
        definition = rest[-1] if any(isinstance(item, Token) for item in rest) else None
        return syntax.TypeDeclaration(name, type_variables, cast(Type | None, definition), place_of(first))

    def type_case(self, first: Token, *_: object) -> Foreign:
        return Foreign("an algebraic type", place_of(first))

    def constant(self, first: Token, name: Name, *rest: Token | Type | Term) -> syntax.Function:
        return self.function(first, name, (), *rest)

    def function(
        self, first: Token, name: Name, parameters: tuple[Variable | Foreign, ...], *rest: Token | Type | Term
    ) -> syntax.Function:
        type_, *body = (item for item in rest if not isinstance(item, Token))
        term = cast(Term, body[0]) if body else None
        return syntax.Function(name, parameters, cast(Type, type_), term, place_of(first))

    def predicate(
        self, first: Token, name: Name, parameters: tuple[Variable | Foreign, ...], *body: Token | Term
    ) -> syntax.Predicate:
        return syntax.Predicate(name, parameters, cast(Term, body[1]) if body else None, place_of(first))

    def goal(self, first: Token, name: Name, _: Token, formula: Term) -> syntax.Goal:
        return syntax.Goal(name, formula, place_of(first))

    def attribute(self, token: Token) -> Attribute:
        return Attribute(str(token)[2:-1].strip(" \t\r"), place_of(token))

    def small(self, token: Token, *attributes: Attribute) -> Name:
        return named(str(token), attributes, place_of(token))

    capital = small

    def operator_symbol(self, operator: Spelling, *attributes: Attribute) -> Name:
        if RESERVED.search(operator.text):
            raise BadToken("names with ' before a letter cannot be declared", operator.place)
        return named(operator.text, attributes, operator.place)

    def blank(self, token: Token) -> Name:
        return Name("_", (), place_of(token))


@v_args(inline=True)
class _Types(_Declarations):
    def type_variable(self, token: Token, *attributes: Attribute) -> Name:
        return named(str(token), attributes, place_of(token))

    def type_name(self, path: Spelling) -> syntax.NamedType:
        return syntax.NamedType(path.text, (), path.place)

    def type_application(self, path: Spelling, *arguments: Type) -> syntax.NamedType:
        return syntax.NamedType(path.text, arguments, path.place.to(type_place(arguments[-1])))

    def type_variable_use(self, token: Token) -> syntax.TypeVariable:
        return syntax.TypeVariable(self.type_variable(token))

    def type_block(self, _first: Token, type_: Type, _last: Token) -> Type:
        return type_

    def type_arrow(self, left: Type, right: Type) -> Foreign:
        return Foreign(_TYPE, type_place(left).to(type_place(right)))

    def type_tuple(self, first: Token, *rest: Token | Type) -> Foreign:
        return Foreign(_TYPE, place_of(first).to(place_of(cast(Token, rest[-1]))))

    def type_scope(self, path: Spelling, _: Token, type_: Type) -> Foreign:
        return Foreign(_TYPE, path.place.to(type_place(type_)))

    def parameters(self, *groups: tuple[Variable | Foreign, ...]) -> tuple[Variable | Foreign, ...]:
        return tuple(variable for group in groups for variable in group)

    def parameter(self, form: Form) -> tuple[Variable | Foreign, ...]:
        if isinstance(form, Untyped):
            raise BadToken(_NO_TYPE, form.place, "write: (NAME: TYPE)")
        return (Foreign(NAMELESS, type_place(form.type)),) if isinstance(form, Unnamed) else form

    def binder(self, form: Form) -> None:
        if isinstance(form, Unnamed) and form.type == syntax.NamedType("ref", (), type_place(form.type)):
            raise BadToken("ref cannot be a name", type_place(form.type))

    def typed_parameters(
        self, _first: Token, names: tuple[Name, ...], _colon: Token, type_: Type, _last: Token
    ) -> tuple[Variable | Foreign, ...]:
        return variables(names, type_)

    def variables_head(self, type_: Type) -> tuple[Name, ...]:
        """Names in a row, which the grammar cannot tell from a type before what comes next."""
        if isinstance(type_, syntax.NamedType) and "." not in type_.path:
            words = [syntax.NamedType(type_.path, (), type_.place), *type_.arguments]
            names = [
                Name(word.path, (), word.place)
                for word in words
                if isinstance(word, syntax.NamedType) and not word.arguments and "." not in word.path
            ]
            for name in names[1:]:
                if name.text == "ref":
                    raise BadToken("ref cannot be a name", name.place)
            if len(names) == len(words) and names[-1].text != "ref":
                return tuple(names)
        raise BadToken("syntax error: expected the names of parameters before this")

    def variables_rest(self, *parts: tuple[Name, ...] | Attribute | Name) -> tuple[Name, ...]:
        names: list[Name] = []
        for part in parts:
            match part:
                case tuple():
                    names.extend(part)
                case Name():
                    names.append(part)
                case Attribute():
                    names[-1] = replace(names[-1], attributes=(*names[-1].attributes, part.text))
        return tuple(names)

    def unnamed_parameter(self, type_: Type) -> Unnamed:
        return Unnamed(type_)

    def untyped_parameter(self, first: Token | Name, *_: Attribute) -> Untyped:
        return Untyped(place_of(first) if isinstance(first, Token) else first.place)

    def untyped_parameters(self, _first: Token, names: tuple[Name, ...], last: Token) -> Untyped:
        return Untyped(names[0].place if len(names) == 1 else place_of(last))


def _attribute_prefix(attribute: Attribute) -> Prefix:
    return Prefix(
        precedence.ATTRIBUTE, lambda term: syntax.Attributed(attribute.text, term, attribute.place.to(term.place))
    )


@v_args(inline=True)
class _Terms(_Types):
    def sequence(self, *items: Item | Attribute) -> Term:
        return precedence.shape(_attribute_prefix(item) if isinstance(item, Attribute) else item for item in items)

    def not_(self, token: Token) -> Prefix:
        place = place_of(token)
        return Prefix(precedence.NEGATION, lambda term: syntax.Negation(term, place.to(term.place)))

    def prefix(self, token: Token) -> Prefix:
        place, operator = place_of(token), f"prefix {token}"
        return Prefix(precedence.PREFIX, lambda term: syntax.Operation(operator, (term,), place.to(term.place)))

    def connective(self, token: Token) -> Infix:
        level, name = _CONNECTIVES[str(token)]
        return Infix(level, lambda left, right: syntax.Connective(name, left, right, left.place.to(right.place)))

    def comparison(self, token: Token) -> Infix:
        name = f"infix {token}"
        return Infix(
            precedence.COMPARISON,
            lambda left, right: syntax.Comparison(name, left, right, left.place.to(right.place)),
        )

    def infix(self, token: Token) -> Infix:
        name = f"infix {token}"
        return Infix(
            _LEVELS[token.type],
            lambda left, right: syntax.Operation(name, (left, right), left.place.to(right.place)),
        )

    def cast(self, type_: Type) -> Cast:
        return Cast(lambda term: syntax.Typed(term, type_, term.place.to(type_place(type_))))

    def closed(self, term: Term) -> Term:
        return syntax.Closed(term, term.place) if isinstance(term, syntax.Comparison | syntax.Connective) else term

    def application(self, function: Term, *arguments: Term) -> Term:
        for argument in arguments:
            function = syntax.Application(function, argument, function.place.to(argument.place))
        return function

    def negative(self, minus: Token, number: Token) -> Term:
        place = place_of(minus)
        if number.type == "INTEGER":
            integer = self.integer(number)
            return replace(integer, value=-integer.value, place=place.to(integer.place))
        real = self.real(number)
        return replace(real, significand=-real.significand, place=place.to(real.place))

    def conditional(self, first: Token, condition: Term, _then: Token, yes: Term, _else: Token, no: Term) -> Term:
        return syntax.Conditional(condition, yes, no, place_of(first).to(no.place))

    def let(self, first: Token, pattern: Pattern, _is: Token, value: Term, _in: Token, body: Term) -> Term:
        place = place_of(first).to(body.place)
        if pattern.name is None:
            return Foreign(_TERM, place)
        for type_ in pattern.types:
            value = syntax.Typed(value, type_, value.place)
        return syntax.Let(pattern.name, value, body, place)

    def quantified(self, first: Token, *rest: tuple[Variable | Foreign, ...] | Token | Term) -> Term:
        body = cast(Term, rest[-1])
        place = place_of(first).to(body.place)
        if any(isinstance(item, Foreign) for item in rest[:-1]):
            return Foreign(_TERM, place)
        bound = self.parameters(*(item for item in rest if isinstance(item, tuple)))
        return syntax.Quantified(cast(Literal["forall", "exists"], str(first)), bound, body, place)

    def quantified_variables(self, *parts: Name | Type) -> tuple[Variable | Foreign, ...]:
        names = tuple(part for part in parts if isinstance(part, Name))
        return variables(names, None if isinstance(parts[-1], Name) else parts[-1])

    def name(self, path: Spelling) -> syntax.Reference:
        return syntax.Reference(path.text, path.place)

    def integer(self, token: Token) -> syntax.Integer:
        return syntax.Integer(lexical.integer_value(str(token)), place_of(token))

    def real(self, token: Token) -> syntax.Real:
        return syntax.Real(*lexical.real_value(str(token)), place_of(token))

    def string(self, token: Token) -> syntax.Text:
        return syntax.Text(lexical.read_string(str(token), 0), place_of(token))

    def truth(self, token: Token) -> syntax.Truth:
        return syntax.Truth(cast(Literal["true", "false"], str(token)), place_of(token))

    def tight(self, token: Token, term: Term) -> syntax.Operation:
        return syntax.Operation(f"prefix {token}", (term,), place_of(token).to(term.place))

    def access(self, vector: Term, _: Token, index: Term, last: Token) -> syntax.Operation:
        return syntax.Operation("mixfix []", (vector, index), vector.place.to(place_of(last)))

    def block(self, first: Token, *rest: Term | Token) -> Term:
        term = rest[0]
        place = place_of(first).to(place_of(cast(Token, rest[-1])))
        return Foreign(_TERM, place) if isinstance(term, Token) else replace(term, place=place)


@v_args(inline=True)
class _Builder(_Terms):
    """The tree of a whole file; `BadToken` and `lexical.BadText` for what the grammar lets through."""

    def pattern_variable(self, name: Name) -> Pattern:
        return Pattern(name, (), name.place)

    def operator_pattern(self, name: Name) -> Pattern:
        return Pattern(name, (), name.place)

    def pattern_cast(self, pattern: Pattern, type_: Type) -> Pattern:
        return replace(pattern, types=(type_, *pattern.types))

    def pattern_block(self, _first: Token, pattern: Pattern | Token, *_: Token) -> Pattern:
        return self._no_pattern() if isinstance(pattern, Token) else pattern

    def _no_pattern(self, *_: object) -> Pattern:
        return Pattern(None, (), Place(1, 1, 1, 1))

    let_function = pattern_tuple = pattern_as = pattern_application = pattern_name = pattern_scope = _no_pattern

    def tuple(self, *terms: Term) -> Foreign:
        return Foreign(_TERM, terms[0].place.to(terms[-1].place))

    def triggers(self, first: Token, *rest: Term | Token) -> Foreign:
        return Foreign(_TERM, place_of(first).to(place_of(cast(Token, rest[-1]))))

    def scope(self, path: Spelling, _: Token, term: Term) -> Foreign:
        return Foreign(_TERM, path.place.to(term.place))

    def field(self, record: Term | Spelling, *path: Spelling) -> Foreign:
        return Foreign(_TERM, record.place.to(path[-1].place))

    access_field = field

    def dotted_tight(self, token: Token, term: Term | Spelling) -> Foreign:
        return Foreign(_TERM, place_of(token).to(term.place))

    def path(self, *parts: Spelling) -> Spelling:
        return Spelling(".".join(part.text for part in parts), parts[0].place.to(parts[-1].place))

    lower_path = upper_path = path

    def lident(self, token: Token) -> Spelling:
        return Spelling(str(token), place_of(token))

    uident = lident

    def operator_name(self, first: Token, *rest: Token) -> Spelling:
        *signs, last = rest
        place = place_of(first).to(place_of(last))
        suffix = str(last)[1:]
        if signs[0] == "[":
            return Spelling(f"mixfix []{suffix}", place)
        kind = "prefix" if signs[0].type == "OPPREF" or len(signs) == 2 else "infix"
        return Spelling(f"{kind} {signs[0]}{suffix}", place)


def new_builder() -> Transformer[Token, syntax.File]:
    """The tree of a whole file; its methods raise `BadToken` for what the grammar lets through."""
    return _Builder()
