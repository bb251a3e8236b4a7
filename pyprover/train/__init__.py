"""Training of small networks, so that there is something to prove: `python -m pyprover train`.

From the top: `command` reads `config` (built of `options`) and calls `run`, which makes the network (`networks`,
`layers`) and the data (`data`, `samples`, `levels`), trains it (`loop`, `checkpoint`, `schedule`) by one of the
`recipes`, writes it (`simplify`, `export`, `card`) and measures it (`measure`). `bounds` and `linear` enclose a
network's outputs, `losses` turns enclosures into objectives, `attack` climbs them.
Nothing here belongs to a proof: the figures guide the training, the prover decides.
"""
