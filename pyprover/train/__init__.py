"""Certified training of small networks, so that there is something to prove.

`bounds` encloses a network's outputs, `losses` turns the enclosures into objectives (SABR and its group-level variant),
`loop` minimises them, `measure` counts what is certified at each level of a hierarchy, `export` writes the ONNX file,
`settings` reads a script's command line.
Nothing here belongs to a proof: the figures guide the training, the prover decides.
"""
