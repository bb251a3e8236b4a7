(** The command [caisar-ext hierarchy convert].

    Python does the conversion: it has the readers of JSON, YAML and tables, and the twin of our own. This side declares
    the options, prints what comes back like every other message, and writes the file. The request and the answer are
    described in [pyprover/hierarchy/convert/__main__.py]. *)

val cmd : int Cmdliner.Cmd.t
