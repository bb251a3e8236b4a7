"""Cases that stay open under constrained zonotopes, with the inequalities of the case itself among the constraints.

What is bounded so holds only where the case does: in a part of the region, possibly empty. Outside of it some margin is
positive by definition, so that a case that is excluded there is excluded everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyprover.domains.analysis import Check, PartBounds, RegionBounds
from pyprover.domains.constrained import where_nonpositive
from pyprover.domains.products import parts_of
from pyprover.engine.case import Case, matrix
from pyprover.engine.ledger import Cover
from pyprover.engine.problem import Progress
from pyprover.engine.weights import Ask, combine


def exclude_conditionally(bounds: RegionBounds, batch: Sequence[Progress], check: Check) -> None:
    """Try the open cases of each property, the worst first, until one stays; nothing without constrained zonotopes."""
    for place, progress in enumerate(batch):
        for k in progress.open:
            cases = [case for case in progress.cases[k] if not progress.ledger.excludes(case)]
            for case in sorted(cases, key=lambda case: progress.ledger.margin(case) or 0.0):
                check()
                if not _exclude(bounds, place, case, progress):
                    break


def _exclude(bounds: RegionBounds, place: int, case: Case, progress: Progress) -> bool:
    part = bounds_where(bounds, place, case)
    if part is None:
        return False
    (found,) = combine(part.linearised, [Ask(case, 0, progress.ledger.best_margin(case))])
    if found.bound > 0:
        progress.ledger.record_cover(Cover.by_contradiction(case))
    return found.bound > 0


def bounds_where(bounds: RegionBounds, place: int, case: Case) -> PartBounds | None:
    """Bounds on the part of a region where a case holds; ``None`` when nothing is known beside those of the region."""
    if not case.margins:
        return None
    for network in parts_of(bounds.linearised):
        margins, constants = matrix(case.margins, network.graph.outputs)
        part = where_nonpositive(network, place, margins, constants)
        if part is not None:
            return PartBounds(part)
    return None
