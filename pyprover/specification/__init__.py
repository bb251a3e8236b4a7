"""Specifications: the language of `grammar/whyml.md`, parsed as Why3 parses it on the OCaml side. Nothing is typed.

`reader` is the way in: from text to `syntax.File`. Between the two, `lexical` makes tokens and blanks out comments,
`parser` follows the grammar, `builder` makes the tree, `precedence` gives sequences of operators their shape;
`canonical` writes the form in which both sides must agree.
"""
