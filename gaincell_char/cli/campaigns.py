"""What ``mc`` and ``merge`` do with the folder of a campaign."""

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
        If one has another form, or names an output or a place that the campaign does not have.
    """
    declared = planned.plan.circuit.spread(planned.plan.bench.name)
    units = {o.name: o.unit for o in planned.plan.bench.outputs}
    units |= {f.name: f.unit for f in (declared.features if declared else ())}
    specs = [parse_spec(text, units) for text in texts]
    for spec in specs:
        quantities.check_spec(planned, spec)
    return specs


def technology_of(folder: Path, there: manifest.Manifest, tech: str | None) -> str:
    """Technology of a campaign; a folder that came from elsewhere does not choose which files are read.

    Raises
    ------
    RequestError
        If the campaign was run in a technology that is not built in, and ``--tech`` does not name it.
    """
    named = str(there.request.get("technology", ""))
    if tech is None and named not in registry.technology_names():
        raise RequestError(
            f"{folder}: the campaign was run in technology {named!r}, which is not built in; "
            f"add --tech {named} to use it"
        )
    return tech or named


def finished_rows(planned: Campaign, n: int, out: Path) -> pd.DataFrame:
    """Rows of the first `n` samples that the folder has; a damaged file is left out, and said."""
    found = read_finished(planned, out, n, say)
    rows = pd.DataFrame({"sample": [], "point": [], "status": [], "reason": []}) if found is None else found
    return rows[rows["sample"] < n]


def failure(rows: pd.DataFrame, kept: Path) -> GaincellError:
    """What failed, in this call or before."""
    failed = rows[rows["status"] == FAILED]
    first = failed.iloc[0]
    return GaincellError(
        f"{len(failed)} of {len(rows)} points failed and are rows of the results; the first, "
        f"{first['sample']}.{first['point']}: {first['reason']}; decks and logs are in {kept}; "
        "--retry-failed tries them again"
    )


def failed_points(planned: Campaign, rows: pd.DataFrame, now: Sequence[PointResult]) -> list[Failure]:
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
    return found
