"""Class hierarchies: the language of `grammar/hierarchy.md`, the same as on the OCaml side.

`reader` is the way in: from text to `lattice.Hierarchy`, the tree of classes and its overlays. Between the two,
`syntax` parses, `checks` looks for `mistakes` and `build` makes the lattice; `canonical` writes the form in which both
sides must agree.
"""
