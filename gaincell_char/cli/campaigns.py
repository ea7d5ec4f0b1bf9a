"""Functions on the folder of a campaign, shared by ``mc`` and ``merge``."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from .. import registry
from ..errors import GaincellError, RequestError
from ..fitting.specs import Spec, parse_spec
from ..montecarlo import quantities
from ..montecarlo.campaign import Campaign
from ..montecarlo.chunks import PointResult
from ..montecarlo.finished import read_finished
from ..storage import manifest
from ..sweeping.run import FAILED, KEPT_FAILURES, Failure
from .console import say


def read_specs(planned: Campaign, texts: Sequence[str]) -> list[Spec]:
    """Read every ``--spec``.

    Raises
    ------
    ParameterError
        If a limit cannot be parsed, or names an output or a grid point that is not in the campaign.
    """
    declared = planned.plan.circuit.spread(planned.plan.bench.name)
    units = {o.name: o.unit for o in planned.plan.bench.outputs}
    units |= {f.name: f.unit for f in (declared.features if declared else ())}
    specs = [parse_spec(text, units) for text in texts]
    for spec in specs:
        quantities.check_spec(planned, spec)
    return specs


def technology_of(folder: Path, there: manifest.Manifest, tech: str | None) -> str:
    """Return the technology of a campaign.

    The manifest alone cannot select files outside the package: the folder may come from an untrusted source.

    Parameters
    ----------
    folder : Path
        Folder of the campaign.
    there : Manifest
        Its manifest.
    tech : str or None
        Value of ``--tech``, if given.

    Raises
    ------
    RequestError
        If the technology of the campaign is not built in, and ``--tech`` is not given.
    """
    named = str(there.request.get("technology", ""))
    if tech is None and named not in registry.technology_names():
        raise RequestError(
            f"{folder}: the campaign was run in technology {named!r}, which is not built in; "
            f"add --tech {named} to use it"
        )
    return tech or named


def finished_rows(planned: Campaign, n: int, out: Path) -> pd.DataFrame:
    """Return the finished points of the first `n` samples of a campaign in the folder `out`.

    Damaged files are skipped with a message.  `planned` is the campaign.
    """
    found = read_finished(planned, out, n, say)
    rows = pd.DataFrame({"sample": [], "point": [], "status": [], "reason": []}) if found is None else found
    return rows[rows["sample"] < n]


def failure(rows: pd.DataFrame, kept: Path) -> GaincellError:
    """Error that reports the failed points, of this call and of earlier ones."""
    failed = rows[rows["status"] == FAILED]
    first = failed.iloc[0]
    return GaincellError(
        f"{len(failed)} of {len(rows)} points failed and are marked as failed in the results; the first, "
        f"{first['sample']}.{first['point']}: {first['reason']}; decks and logs are in {kept}; "
        "--retry-failed simulates them again"
    )


def failed_points(planned: Campaign, rows: pd.DataFrame, now: Sequence[PointResult]) -> list[Failure]:
    """Return the first few failed points with their decks and logs.

    Parameters
    ----------
    planned : Campaign
        The campaign.
    rows : DataFrame
        Finished points, one per row.
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
    return found
