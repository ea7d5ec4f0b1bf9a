"""Repetition of a few points, each alone in a new process: with the same tolerances, and a hundred times tighter."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ..declare.bench import Floats
from ..errors import SimulationError
from ..spice.deck import Deck
from ..spice.measure import measure
from ..spice.simulator import Simulator
from ..sweeping.run import OK
from ..sweeping.tight_runs import TIGHTER, longest_tight_run
from .campaign import Campaign

_POINTS = 4
_ROUNDING = 8 * float(np.finfo(float).eps)
_LARGEST_DEVIATION = 1e-9
"""Largest deviation of a point simulated alone, as a fraction of full scale."""
_LARGEST_DEVIATION_SHARED = 1e-3
"""Largest deviation of a point that shared deck and time steps with other samples, as a fraction of full scale."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Result of the check.

    Attributes
    ----------
    ids : tuple of str
        Repeated points.
    alone : mapping of str to float
        Output -> largest deviation from the same point alone in a new process, as a fraction of full scale.
    tight : mapping of str to float
        The same with tolerances a hundred times tighter; empty if these simulations did not converge.
    """

    ids: tuple[str, ...]
    alone: Mapping[str, float]
    tight: Mapping[str, float]


def check(campaign: Campaign, rows: pd.DataFrame, n: int, *, timeout_s: float) -> Verification:
    """Simulate a few finished points again, spread over the campaign, and compare.

    Parameters
    ----------
    campaign : Campaign
        The campaign.
    rows : DataFrame
        Finished points from `results.complete`.
    n : int
        Number of samples.
    timeout_s : float
        Time limit of one simulation [s].

    Raises
    ------
    SimulationError
        If a point gives a different result: the simulator or the disk may be faulty.
    """
    good = rows[rows["status"] == OK]
    chosen = good.iloc[np.unique(np.linspace(0, len(good) - 1, min(_POINTS, len(good))).round().astype(int))]
    draws = campaign.draws(n)
    tight = replace(campaign, plan=campaign.plan.tightened(TIGHTER))
    alone: dict[str, float] = {}
    tighter: dict[str, float] = {}
    for _, row in chosen.iterrows():
        sample, point = int(row["sample"]), int(row["point"])
        stored = {o.name: np.asarray(row[o.name], dtype=float) for o in campaign.plan.bench.outputs}
        deck = campaign.deck(sample, point, draws[sample])
        began = time.perf_counter()
        again = _run(campaign, deck, point, timeout_s)
        longest_s = min(timeout_s, longest_tight_run(time.perf_counter() - began))
        found = _deviations(campaign, rows, stored, again) if again else {}
        limit = _LARGEST_DEVIATION if campaign.copies == 1 else _LARGEST_DEVIATION_SHARED
        if again is None or max(found.values(), default=0.0) > limit:
            raise SimulationError(_complaint(f"{sample}.{point}", stored, again), deck=deck.text, log="")
        _keep_larger(alone, found)
        better = _run(tight, tight.deck(sample, point, draws[sample]), point, longest_s)
        if better is not None:
            _keep_larger(tighter, _deviations(campaign, rows, stored, better))
    ids = tuple(f"{s}.{p}" for s, p in zip(chosen["sample"], chosen["point"], strict=True))
    return Verification(ids=ids, alone=alone, tight=tighter)


def _run(campaign: Campaign, deck: Deck, point: int, timeout_s: float) -> dict[str, Floats] | None:
    simulator = Simulator()
    try:
        [outcome] = simulator.run([deck], timeout_s)
    finally:
        simulator.close()
    if outcome.reason:
        return None
    measured, reason = measure(campaign.plan.bench.outputs, outcome.vectors, campaign.points[point].values)
    return None if reason else measured


def _deviations(
    campaign: Campaign, rows: pd.DataFrame, stored: Mapping[str, Floats], again: Mapping[str, Floats]
) -> dict[str, float]:
    found = {}
    for name, value in stored.items():
        cells = [np.asarray(c, dtype=float) for c in rows.loc[rows["status"] == OK, name]]
        scale = campaign.plan.full_scale(name, np.asarray(cells))
        if scale > 0:
            deviation = float(np.abs(value - again[name]).max()) / scale
            # The last bits of a result may differ between two processes.
            found[name] = deviation if deviation > _ROUNDING else 0.0
    return found


def _keep_larger(largest: dict[str, float], found: Mapping[str, float]) -> None:
    for name, value in found.items():
        largest[name] = max(largest.get(name, 0.0), value)


def _complaint(which: str, stored: Mapping[str, Floats], again: Mapping[str, Floats] | None) -> str:
    if again is None:
        return f"check failed: sample {which} is in the campaign, but its simulation alone in a new process fails"
    pairs = [f"{name} = {_shown(value)} there and {_shown(again[name])} here" for name, value in stored.items()]
    return f"check failed: sample {which} has {'; '.join(pairs)}, alone in a new process"


def _shown(value: Any) -> str:
    return f"{float(value):.9g}" if np.ndim(value) == 0 else f"[{', '.join(f'{v:.6g}' for v in value[:3])}, ...]"
