"""From the hierarchies that people have to ours, and back: `caisar-ext hierarchy convert`.

A reader (`readers`, one module a format) makes a `source.Source`: nodes and links, as they are written. `tree`
makes the `shape.Tree` of a hierarchy from it, where every name keeps the classes that it has in the source, and
tells what it had to change. A writer (`writers`, one module a format) prints it. `formats` is the table of both;
`classes` reads lists of classes and of names. The orchestrator runs `python -m pyprover.hierarchy.convert REQUEST`
and prints what it answers.
"""
