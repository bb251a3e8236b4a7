"""One module a format, each with `write`: from a `shape.Tree` to the text of a file."""
