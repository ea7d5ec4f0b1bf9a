"""Types of what a circuit computes from a finished sweep: `Dataset` and `DataArray` of xarray.

A process with a simulator loads the circuits, too, for what they measure; it need not load xarray for the names of
types, which takes longer than a short sweep.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xarray import DataArray, Dataset
else:
    DataArray = Dataset = Any

__all__ = ["DataArray", "Dataset"]
