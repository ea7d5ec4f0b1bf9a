"""Single points anywhere in the ranges of a plan -> a table: points that do not form a grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ..declare.bench import Floats
from ..declare.parameters import Value, Values
from ..spice.measure import measure
from ..spice.ngspice import Outcome
from ..spice.pool import Pool
from .plan import Point, SweepPlan
from .run import FAILED, NOT_RUN, OK, Failure

RUN = "run"
"""Column with the index of a run in the requested list."""


@dataclass(frozen=True, kw_only=True)
class ScatteredResult:
    """One row per run, or per run and value of the bench's curve, in order, and the failures with their decks.

    Columns are `RUN`, every dimension of the plan, the curve, every output, ``status`` and ``reason``.
    """

    table: pd.DataFrame
    failures: tuple[Failure, ...]


def characterize_scattered(plan: SweepPlan, where: Sequence[Values], pool: Pool) -> ScatteredResult:
    """Simulate single points with the bench, parameters and options of a plan, but not at its grid.

    Parameters
    ----------
    plan : SweepPlan
        The plan.
    where : sequence of mappings
        For each run, a value of every dimension of the plan [SI unit].
    pool : Pool
        The simulators.

    Returns
    -------
    ScatteredResult
        Every run; a run without a result has its reason.
    """
    points = _points(plan, where)
    rows: list[dict[str, Any]] = [{**at, "status": NOT_RUN, "reason": ""} for at in where]
    failures: dict[int, Failure] = {}
    for (number, point), outcome in pool.map(enumerate(points), lambda job: job[1].deck, count=len(points)):
        measured, reason = _measure(plan, point, outcome)
        rows[number] |= {**measured, "status": FAILED if reason else OK, "reason": reason}
        if reason:
            failures[number] = Failure(where=point.where, reason=reason, deck=point.deck.text, log=outcome.log)
    return ScatteredResult(
        table=_tabulate(plan, rows), failures=tuple(failure for _, failure in sorted(failures.items()))
    )


def _points(plan: SweepPlan, where: Sequence[Values]) -> list[Point]:
    """The runs as points of a grid of all their values; most points of that grid are not used."""
    axes: dict[str, tuple[Value, ...]] = {name: tuple(dict.fromkeys(at[name] for at in where)) for name in plan.dims}
    grid = replace(
        plan,
        corners=tuple(map(str, axes["corner"])),
        temps=tuple(map(float, axes["temp"])),
        sweep={name: axes[name] for name in plan.sweep},
    )
    return [grid.point(tuple(values.index(at[name]) for name, values in axes.items())) for at in where]


def _measure(plan: SweepPlan, point: Point, outcome: Outcome) -> tuple[Mapping[str, Floats], str]:
    if outcome.reason:
        return {}, outcome.reason
    return measure(plan.bench.outputs, outcome.vectors, point.values)


def _tabulate(plan: SweepPlan, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of every run: one, or one per value of the curve; without a result the outputs are NaN."""
    length = 1 if plan.bench.curve is None else len(plan.curve)
    columns: dict[str, Any] = {RUN: np.repeat(np.arange(len(rows)), length)}
    columns |= {name: [row[name] for row in rows for _ in range(length)] for name in plan.dims}
    if plan.bench.curve is not None:
        columns[plan.bench.curve.name] = np.tile(plan.curve, len(rows))
    for output in plan.bench.outputs:
        values = [np.broadcast_to(row.get(output.name, np.nan), (length,)) for row in rows]
        columns[output.name] = np.array(values, dtype=float).ravel()
    columns |= {name: [row[name] for row in rows for _ in range(length)] for name in ("status", "reason")}
    return pd.DataFrame(columns)
