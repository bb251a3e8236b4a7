"""Studies: a grid of trainings, each network verified through the orchestrator, and one table of all figures.

`config` reads `study.toml`, `cells` lays out the grid, `work` trains and verifies one cell: `specification` is what is
asked of the orchestrator, `orchestrator` asks it, `stability` counts unstable ReLUs. `rows` makes one line a network,
radius and level of what was found, `tables` and `plots` show them, `command` runs it all.
"""
