"""One module a format, each with `read`: from the text of a file to a `source.Source`."""
