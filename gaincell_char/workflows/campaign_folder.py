"""Contents of a campaign folder: the campaign, its finished points and its failed points."""

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
    """Parse the limits whose yield is computed, for example ``"i_bl > 8u"``.

    Raises
    ------
    ParameterError
        If a limit cannot be parsed, or refers to an output or a point that the campaign does not have.
    """
    declared = planned.plan.circuit.spread(planned.plan.bench.name)
    units = {o.name: o.unit for o in planned.plan.bench.outputs}
    units |= {f.name: f.unit for f in (declared.features if declared else ())}
    specs = [parse_spec(text, units) for text in texts]
    for spec in specs:
        quantities.check_spec(planned, spec)
    return specs


def restore_folder(folder: Path, technology: str | None) -> tuple[Campaign, int]:
    """Return the campaign in a folder, and the number of samples that were requested.

    Raises
    ------
    RequestError
        If the technology must be named, or anything that affects the results has changed since.
    DataError
        If the folder contains no campaign, or its manifest is incomplete or invalid.
    """
    there = manifest.read_manifest(folder)
    named = technology_of(folder, there, technology)
    planned = campaign.restore_campaign({**there.request, "technology": named}, str(folder))
    if (planned.digest, planned.source) != (there.digest, there.source):
        raise RequestError(
            f"{folder}: technology, netlist or source code of this package has changed since the simulation; "
            "simulate again"
        )
    planned.check_samples(there.n)
    return planned, there.n


def technology_of(folder: Path, there: manifest.Manifest, technology: str | None) -> str:
    """Name or folder of the technology of a campaign.

    The folder is untrusted: only a built-in technology is taken from its manifest, and no path.

    Parameters
    ----------
    folder : Path
        Folder of the campaign.
    there : Manifest
        Its manifest.
    technology : str, optional
        Technology named by the user.

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
    """Finished samples of a folder.

    Attributes
    ----------
    rows : DataFrame
        One row per point.
    failures : tuple of Failure
        The first few failed points.
    kept : Path
        Folder with their decks and logs.
    """

    rows: pd.DataFrame
    failures: tuple[Failure, ...]
    kept: Path


def collect_samples(
    planned: Campaign, n: int, folder: Path, now: Sequence[PointResult], say: Callable[[str], None]
) -> FinishedSamples:
    """Read the finished points of the first `n` samples, and write decks and logs of failed points to ``failed/``.

    Parameters
    ----------
    planned : Campaign
        The campaign.
    n : int
        Number of samples.
    folder : Path
        Folder of the campaign.
    now : sequence of PointResult
        Points that failed in this call, with their logs.
    say : callable
        Receives a message for each damaged file, which is left out.

    Raises
    ------
    DataError
        If a row has the key of a point but different parameter values.
    """
    rows = finished_rows(planned, n, folder, say)
    failed = failed_points(planned, rows, now)
    kept = keep_failures(failed, folder / "failed") if failed else folder
    return FinishedSamples(rows=rows, failures=failed, kept=kept)


def finished_rows(planned: Campaign, n: int, folder: Path, say: Callable[[str], None]) -> pd.DataFrame:
    """Finished rows of the first `n` samples of campaign `planned` in `folder`.

    A damaged file is left out, with a message to `say`.
    """
    found = read_finished(planned, folder, n, say)
    rows = pd.DataFrame({"sample": [], "point": [], "status": [], "reason": []}) if found is None else found
    return rows[rows["sample"] < n]


def failed_points(planned: Campaign, rows: pd.DataFrame, now: Sequence[PointResult]) -> tuple[Failure, ...]:
    """The first few failed points with their decks.

    Parameters
    ----------
    planned : Campaign
        The campaign.
    rows : DataFrame
        Finished points.
    now : sequence of PointResult
        Points that failed in this call; only these have a log.
    """
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
