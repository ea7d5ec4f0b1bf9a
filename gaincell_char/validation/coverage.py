"""Intervals of the software model with random cells and converters: how many SPICE results are inside."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..declare.bench import Floats
from ..fitting.statistics import Proportion, wilson
from ..sweeping.run import OK

LEVELS = (0.5, 0.9, 0.99)
"""Levels of the central intervals whose coverage is computed."""
CLEAR, TIED = "clear", "tied"
"""Columns whose drawn outputs differ, and columns of which many draws give the same output."""
_TIED_SHARE = 0.05
_SAME = 1e-12
"""Outputs that differ by less [s] are tied: a thousandth of a step of the output."""
_RANKS = 13  # stream of the seed


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Fraction of SPICE results inside an interval of the software model.

    Attributes
    ----------
    columns : {"clear", "tied"}
        In clear columns fewer than one drawn output in twenty is the same, in tied columns more: no pulse, or the
        longest.
    """

    operation: str
    level: float
    columns: str
    share: Proportion

    def describe(self) -> Mapping[str, object]:
        """Return the numbers as JSON has them."""
        return {"operation": self.operation, "level": self.level, "columns": self.columns, **vars(self.share)}


def rank_columns(drawn: Floats, spice: Floats, seed: int, number: int) -> pd.DataFrame:
    """Rank the SPICE results among the drawn outputs.

    A rank is drawn uniformly among those of equal outputs, so the ranks of a correct model are uniform between 0 and 1,
    with ties, too (Czado, Gneiting and Held, Biometrics 65, 1254 (2009)).

    Parameters
    ----------
    drawn : ndarray, shape (draws, columns)
        Outputs of random arrays [s].
    spice : ndarray, shape (columns,)
        Results of SPICE [s]; NaN if there is none.
    seed : int
        Seed of the comparison.
    number : int
        Number of the case.

    Returns
    -------
    DataFrame
        For each column ``rank``, and ``ties``, the largest share of draws with the same output.
    """
    rng = np.random.default_rng([seed, _RANKS, number])
    below = (drawn < spice - _SAME).sum(axis=0)
    same = (np.abs(drawn - spice) <= _SAME).sum(axis=0)
    rank = (below + rng.random(spice.size) * (same + 1)) / (len(drawn) + 1)
    return pd.DataFrame({"rank": rank, "ties": [_largest_tie(column) for column in drawn.T]})


def _largest_tie(outputs: Floats) -> float:
    """Largest share of outputs that are the same; 0 if all differ."""
    ordered = np.sort(outputs)
    reach = np.searchsorted(ordered, ordered + _SAME, side="right") - np.arange(ordered.size)
    return float(reach.max() / ordered.size) if reach.max() > 1 else 0.0


def measure_coverage(rows: pd.DataFrame, operation: str) -> list[Coverage]:
    """Measure the coverage of every level in clear and in tied columns.

    Parameters
    ----------
    rows : DataFrame
        One row per column, with ``operation``, ``status``, ``rank`` and ``ties``.
    operation : str
        The operation.
    """
    mine = rows[(rows["operation"] == operation) & (rows["status"] == OK)]
    tied = mine["ties"] >= _TIED_SHARE
    return [
        Coverage(operation=operation, level=level, columns=kind, share=_count_inside(some, level))
        for kind, some in ((CLEAR, mine[~tied]), (TIED, mine[tied]))
        for level in LEVELS
    ]


def _count_inside(rows: pd.DataFrame, level: float) -> Proportion:
    away = np.abs(rows["rank"].to_numpy(dtype=float) - 0.5)
    return wilson(int(np.count_nonzero(away <= level / 2)), len(rows))
