"""What several test files share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyprover.domains import constrained


@pytest.fixture(scope="module")
def few_steps() -> Iterator[None]:
    """Short ascents in constrained zonotopes: soundness does not depend on how far they go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constrained, "_STEPS", 6)
        patch.setattr(constrained, "_INNER_STEPS", 3)
        patch.setattr(constrained, "_ROUNDS", 2)
        yield
