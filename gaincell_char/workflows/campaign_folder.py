"""What the folder of a campaign contains: which campaign, what is finished, and what failed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .. import registry
from ..errors import RequestError
from ..fitting.specs import Spec, parse_spec
from ..montecarlo import campaign, quantities
from ..montecarlo.campaign import Campaign
from ..montecarlo.chunks import PointResult
from ..montecarlo.finished import read_finished
from ..storage import manifest
from ..sweeping.run import FAILED, KEPT_FAILURES, Failure
from .kept_failures import keep_failures


def read_specs(planned: Campaign, texts: Sequence[str]) -> list[Spec]:
    """Read limits whose yield is wanted.

    Raises
    ------
    ParameterError
        If one has another form, or names an output or a place that the campaign does not have.
    """
    declared = planned.plan.circuit.spread(planned.plan.bench.name)
    units = {o.name: o.unit for o in planned.plan.bench.outputs}
    units |= {f.name: f.unit for f in (declared.features if declared else ())}
    specs = [parse_spec(text, units) for text in texts]
    for spec in specs:
        quantities.check_spec(planned, spec)
    return specs


def restore_folder(folder: Path, technology: str | None) -> tuple[Campaign, int]:
    """Return the whole campaign in a folder, and how many samples were asked for.

    Raises
    ------
    RequestError
        If its technology must be named, or something that decides its results has changed.
    DataError
        If there is none, or its manifest lacks something or contains something else.
    """
    there = manifest.read_manifest(folder)
    named = technology_of(folder, there, technology)
    planned = campaign.restore_campaign({**there.request, "technology": named}, str(folder))
    if (planned.digest, planned.source) != (there.digest, there.source):
        raise RequestError(
            f"{folder}: its technology, its netlist or the source of this package has changed since; simulate it again"
        )
    planned.check_samples(there.n)
    return planned, there.n


def technology_of(folder: Path, there: manifest.Manifest, technology: str | None) -> str:
    """Technology of a campaign; a folder that came from elsewhere does not choose which files are read.

    Raises
    ------
    RequestError
        If the campaign was run in a technology that is not built in, and `technology` does not name it.
    """
    named = str(there.request.get("technology", ""))
    if technology is None and named not in registry.technology_names():
        raise RequestError(
            f"{folder}: the campaign was run in technology {named!r}, which is not built in; "
            f"add --tech {named} to use it"
        )
    return technology or named


@dataclass(frozen=True, kw_only=True)
class FinishedSamples:
    """What a folder has: a row per point, the first few failures, and the folder with their decks and logs."""

    rows: pd.DataFrame
    failures: tuple[Failure, ...]
    kept: Path


def collect_samples(
    planned: Campaign, n: int, folder: Path, now: Sequence[PointResult], say: Callable[[str], None]
) -> FinishedSamples:
    """Read what is finished of the first `n` samples, and keep decks and logs of what failed beside it.

    Parameters
    ----------
    now : sequence of PointResult
        What failed in this call, with its logs.
    say : callable
        Told of a damaged file, which is left out.

    Raises
    ------
    DataError
        If a row has the key of a point and not its numbers.
    """
    rows = finished_rows(planned, n, folder, say)
    failed = failed_points(planned, rows, now)
    kept = keep_failures(failed, folder / "failed") if failed else folder
    return FinishedSamples(rows=rows, failures=failed, kept=kept)


def finished_rows(planned: Campaign, n: int, folder: Path, say: Callable[[str], None]) -> pd.DataFrame:
    """Rows of the first `n` samples that the folder has; `say` is told of a damaged file, which is left out."""
    found = read_finished(planned, folder, n, say)
    rows = pd.DataFrame({"sample": [], "point": [], "status": [], "reason": []}) if found is None else found
    return rows[rows["sample"] < n]


def failed_points(planned: Campaign, rows: pd.DataFrame, now: Sequence[PointResult]) -> tuple[Failure, ...]:
    """The first few failed points with their decks, and with the log of those that failed in this call."""
    logs = {(item.sample, item.point): item.log for item in now}
    failed = rows[rows["status"] == FAILED].head(KEPT_FAILURES)
    draws = planned.draws(planned.padded(int(failed["sample"].max()) + 1)) if len(failed) else np.empty((0, 0))
    found = []
    for sample, point, reason in zip(failed["sample"], failed["point"], failed["reason"], strict=True):
        deck = planned.deck(int(sample), int(point), draws[int(sample)])
        where = {"sample": int(sample), **planned.points[int(point)].where}
        log = logs.get((int(sample), int(point)), "")
        name = f"{sample}.{point}"
        found.append(Failure(where=where, reason=str(reason), deck=deck.text, log=log, name=name))
    return tuple(found)
