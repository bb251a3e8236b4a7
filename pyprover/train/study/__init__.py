"""Studies: a grid of trainings, each network verified through the orchestrator, and one table of all figures.

`config` reads `study.toml`, `cells` lays out the grid, `cell` trains and verifies one, `specification` and `report`
are what is asked of the orchestrator and what it answers, `rows` makes one line a network, radius and level of that,
`tables` and `plots` show them, `command` runs it all.
"""
