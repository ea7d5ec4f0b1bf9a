"""Finished points in a campaign's folder; only points with a verified key of this campaign are used."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..declare.bench import Floats
from ..errors import DataError
from ..storage import shards
from ..storage.manifest import read_manifest
from ..storage.shards import OK
from ..storage.tables import shown_path
from ..sweeping.identity import digest
from .campaign import Campaign

Values = Mapping[int, Floats]
"""Point -> device values of every sample in SI units, shape (n_samples, n_targets)."""


def device_values(campaign: Campaign, n: int) -> Values:
    """Device values of all groups that contain the first `n` samples."""
    draws = campaign.draws(campaign.padded(n))
    return {point: campaign.rows(point, draws)[1] for point in range(len(campaign.points))}


def point_keys(
    campaign: Campaign, simulator: str, values: Values, points: Sequence[int], samples: Sequence[int]
) -> list[str]:
    """Hash of each simulated point: deck, simulator, source files, declarations, device values of the whole group.

    Parameters
    ----------
    campaign : Campaign
        The campaign.
    simulator : str
        Name and version of the simulator.
    values : mapping
        From `device_values`.
    points, samples : sequence of int
        Grid point and sample of each simulated point.
    """
    about = digest(campaign.source, campaign.plan.digest, simulator)
    digests = [f"{deck.digest} {about}" for deck in campaign.grouped_decks]
    return shards.make_keys(digests, values, points, samples, campaign.copies)


def read_finished(
    campaign: Campaign, folder: Path, n: int, say: Callable[[str], None] = lambda _: None, values: Values | None = None
) -> pd.DataFrame | None:
    """Read every finished point of the first `n` samples, once, ordered by sample and point; None if there is none.

    Rows of a different campaign, source code or simulator are ignored.

    Parameters
    ----------
    campaign : Campaign
        The campaign.
    folder : Path
        Its folder.
    n : int
        Number of samples.
    say : callable
        Called with a message about damaged or ignored rows.
    values : mapping, optional
        From `device_values` for at least `n` samples, if already computed.

    Raises
    ------
    DataError
        If a row has the key of a point but no valid numbers.
    """
    found = shards.read_shards(folder, say)
    if found is None:
        return None
    values = device_values(campaign, n) if values is None else values
    count = min(len(next(iter(values.values()))), campaign.padded(n))
    mine = found[(found["sample"] < count) & (found["point"] < len(campaign.points))]
    simulator = read_manifest(folder).simulator
    expected = point_keys(campaign, simulator, values, mine["point"].tolist(), mine["sample"].tolist())
    proved = shards.with_keys(mine, expected)
    if others := len(mine) - len(proved):
        say(f"{others} points in {shown_path(folder)} belong to a different campaign; they are not used")
    proved = shards.once(proved)
    _check_numbers(campaign, proved, folder)
    return proved


def _check_numbers(campaign: Campaign, rows: pd.DataFrame, folder: Path) -> None:
    good = rows[rows["status"] == OK]
    width = len(campaign.plan.curve) if campaign.plan.bench.curve else None
    for output in campaign.plan.bench.outputs:
        if output.name not in rows or not _are_numbers(good[output.name], width):
            raise DataError(
                f"{shown_path(folder)}: the rows do not contain {output.name} as "
                f"{'numbers' if width is None else f'lists of {width} numbers'}; choose another folder"
            )


def _are_numbers(column: "pd.Series[Any]", width: int | None) -> bool:
    if width is None:
        return column.dtype.kind in "fiu" or bool(pd.to_numeric(column, errors="coerce").notna().all())
    return all(np.shape(cell) == (width,) and np.asarray(cell).dtype.kind in "fiu" for cell in column)
