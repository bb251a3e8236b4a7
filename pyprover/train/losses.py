"""Objectives on scores and on lower bounds of margins f_i - f_j.

`allowed` (B, C) tells which answers are right for each sample at some level; at the finest level, the label alone.
The group loss is this project's.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def worst_case(margins: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of worst-case scores; `margins` (B, C) bound f_y - f_j from below, `labels` (B,).

    Source: Gowal et al. 2019 (arXiv 1810.12715).
    """
    return functional.cross_entropy(-margins, labels)


def group_loss(margins: Tensor, allowed: Tensor) -> Tensor:
    """Return log(1 + sum over outsiders j of exp(-max over allowed i of margin(i, j))), a sample, (B,).

    Small when every class outside is beaten by some class inside; `margins` (B, C, C) bound f_i - f_j from below. With
    one allowed class this is the cross-entropy of worst-case scores.
    """
    beaten_by = margins.masked_fill(~allowed.unsqueeze(2), -torch.inf).amax(1)
    outsiders = (-beaten_by).masked_fill(allowed, -torch.inf)
    return functional.softplus(outsiders.logsumexp(1))


def group_error(scores: Tensor, allowed: Tensor) -> Tensor:
    """Return by how much the best outsider beats the best allowed class, (B,); `scores` (B, C).

    For a sample without outsiders it is -inf.
    """
    return scores.masked_fill(allowed, -torch.inf).amax(1) - scores.masked_fill(~allowed, -torch.inf).amax(1)


def all_margins(scores: Tensor) -> Tensor:
    """Return f_i - f_j (B, C, C) of scores (B, C)."""
    return scores.unsqueeze(2) - scores.unsqueeze(1)
