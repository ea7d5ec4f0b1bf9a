"""Tables of a campaign: results in flat form, results over the grid, and the drawn random numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from .. import __version__
from ..declare.bench import Floats
from ..declare.parameters import numbers
from ..errors import DataError
from ..sweeping.arguments import check_count
from ..sweeping.run import OK, as_folder
from .campaign import Campaign
from .finished import read_finished

_SHOWN = 5


def collect(campaign: Campaign, folder: Path | str, n: int) -> pd.DataFrame:
    """Return the results of the first `n` samples of `campaign` in its `folder`, in the form of `flat_results`.

    Raises
    ------
    ParameterError
        If `n` is not a valid number of samples, or `folder` not a path.
    DataError
        If a point is missing.
    """
    folder, n = as_folder(folder), campaign.check_samples(check_count("n", n))
    return flat_results(campaign, complete(campaign, read_finished(campaign, folder, n), n), n)


def complete(campaign: Campaign, rows: pd.DataFrame | None, n: int) -> pd.DataFrame:
    """Select the rows of the first `n` samples, ordered by sample and point, and check that none is missing.

    Parameters
    ----------
    campaign : Campaign
        The campaign.
    rows : DataFrame or None
        Finished points from `read_finished`.
    n : int
        Number of samples.

    Raises
    ------
    DataError
        If a point is missing; the message names the samples.
    """
    points = len(campaign.points)
    mine = rows[rows["sample"] < n] if rows is not None else pd.DataFrame({"sample": [], "point": []})
    if len(mine) == n * points:
        return mine.reset_index(drop=True)
    counts = np.bincount(mine["sample"].to_numpy(dtype=int), minlength=n)
    missing = np.flatnonzero(counts < points)
    shown = ", ".join(map(str, missing[:_SHOWN])) + (", ..." if len(missing) > _SHOWN else "")
    raise DataError(
        f"{n * points - len(mine)} of {n * points} points are not simulated yet, of samples {shown}; "
        "run the same command again, or the missing shard"
    )


def flat_results(campaign: Campaign, rows: pd.DataFrame, n: int) -> pd.DataFrame:
    """One row per sample, grid point and value of the bench's curve, with one column per swept parameter.

    The column ``id`` is the argument of ``--replay``.

    Parameters
    ----------
    campaign : Campaign
        The campaign.
    rows : DataFrame
        Finished points from `complete`.
    n : int
        Number of samples.
    """
    plan = campaign.plan
    where = pd.DataFrame([dict(point.where) for point in campaign.points])
    table = rows[["sample", "point"]].merge(where, left_on="point", right_index=True, how="left", sort=False)
    table.insert(0, "id", [f"{s}.{p}" for s, p in zip(rows["sample"], rows["point"], strict=True)])
    outputs = [output.name for output in plan.bench.outputs]
    table = pd.concat([table.drop(columns="point"), rows[[*outputs, "status", "reason", "key"]]], axis=1)
    if plan.bench.curve is not None:
        table = _exploded(table, plan.bench.curve.name, plan.curve, outputs)
    order = ["id", "sample", *where.columns, *([plan.bench.curve.name] if plan.bench.curve else []), *outputs]
    table = table[[*order, "status", "reason", "key"]].astype(dict.fromkeys(outputs, float)).reset_index(drop=True)
    table.attrs.update(attrs(campaign, rows, n))
    return table


def _exploded(table: pd.DataFrame, curve: str, values: Floats, outputs: list[str]) -> pd.DataFrame:
    """One row per value of the curve; a failed point has the same number of rows, without outputs."""
    empty = [float("nan")] * len(values)
    for name in outputs:
        table[name] = [cell if cell is not None and np.ndim(cell) else empty for cell in table[name]]
    table[curve] = [values.tolist()] * len(table)
    return table.explode([curve, *outputs]).astype({curve: float})


def attrs(campaign: Campaign, rows: pd.DataFrame, n: int) -> dict[str, Any]:
    """Attributes of a table: origin of the results, and numbers of points.

    Parameters
    ----------
    campaign : Campaign
        The campaign.
    rows : DataFrame
        Finished points.
    n : int
        Number of samples.
    """
    failed = rows.loc[rows["status"] != OK, "reason"]
    return {
        "circuit": campaign.plan.circuit.name,
        "bench": campaign.plan.bench.name,
        "technology": campaign.plan.technology.name,
        "technology_digest": campaign.plan.technology.digest,
        "campaign": campaign.digest,
        "vary": campaign.vary,
        "sampler": campaign.sampler.kind,
        "seed": campaign.sampler.seed,
        "n_samples": n,
        "n_points": len(rows),
        "n_ok": len(rows) - len(failed),
        "n_failed": len(failed),
        "failed_by_reason": {k: int(v) for k, v in failed.value_counts().items()},
        "steps": dict(campaign.request["steps"]),
        "package": f"gaincell-char {__version__}",
        "units": {o.name: o.unit for o in campaign.plan.bench.outputs},
    }


def tabulate_draws(campaign: Campaign, n: int) -> pd.DataFrame:
    """Drawn random numbers: a row per sample, a column per variable, in units of its sigma at the first point.

    Raises
    ------
    ParameterError
        If `n` is not a valid number of samples.
    """
    n = campaign.check_samples(check_count("n", n))
    table = pd.DataFrame(campaign.draws(n), columns=[v.name for v in campaign.variables])
    table.insert(0, "sample", range(n))
    table.attrs |= {
        "sigma": {v.name: v.sigma for v in campaign.variables},
        "sampler": campaign.sampler.kind,
        "seed": campaign.sampler.seed,
        "campaign": campaign.digest,
    }
    return table


def to_grid(campaign: Campaign, rows: pd.DataFrame, n: int) -> xr.Dataset:
    """Outputs over sample, corner, temperature, swept parameters and the bench's curve, in SI units; NaN if failed.

    The attributes are the numbers among the parameters that are not swept.

    Parameters
    ----------
    campaign : Campaign
        The campaign.
    rows : DataFrame
        Finished points from `complete`.
    n : int
        Number of samples.
    """
    plan, curve = campaign.plan, campaign.plan.bench.curve
    coords: dict[str, list[Any]] = {"sample": list(range(n)), **{name: list(v) for name, v in plan.dims.items()}}
    if curve is not None:
        coords[curve.name] = plan.curve.tolist()
    shape = [len(values) for values in coords.values()]
    length = len(plan.curve) if curve is not None else None
    data = {}
    for output in plan.bench.outputs:
        data[output.name] = (tuple(coords), _to_array(rows[output.name], length).reshape(shape))
    return xr.Dataset(data, coords, attrs=numbers(plan.fixed))


def _to_array(column: "pd.Series[Any]", length: int | None) -> Floats:
    """Numbers of one output, one row of `length` per point if the output is a curve; NaN if failed."""
    if length is None:
        return column.to_numpy(dtype=float)
    empty = np.full(length, np.nan)
    cells = [np.asarray(cell, dtype=float) if cell is not None and np.ndim(cell) else empty for cell in column]
    return np.stack(cells)
