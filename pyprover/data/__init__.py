"""Datasets: several file formats, one form (channels first, exact values).

``read_dataset`` resolves a name or a path and reads it; ``Dataset`` is the form.
"""

from pyprover.data.dataset import Dataset
from pyprover.data.lookup import read_dataset

__all__ = ["Dataset", "read_dataset"]
