"""The prover's side of the protocol of ``grammar/protocol.md``.

``sexp`` is the lexical level, ``codec`` the typed one, ``frames`` the transport, ``messages`` the messages,
``server`` the loop, and ``service`` what is done about each message.
"""
