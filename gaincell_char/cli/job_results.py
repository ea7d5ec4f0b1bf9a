"""Results of the main job in one technology: its page, and what failed."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FitError, GaincellError
from ..storage import tables
from ..workflows.characterize_all import CircuitResult
from ..workflows.run_verb import MainJobResult, describe_main_job
from ..workflows.study_plans import CircuitPlan
from .sweeping import describe_failures

if TYPE_CHECKING:
    from ..reporting import Written


def write_results(job: MainJobResult, began: float) -> "tuple[Written, float]":
    """Write the page and ``run.json`` of the main job to its folder.

    Parameters
    ----------
    job : MainJobResult
        The results.
    began : float
        Start of the job on the clock `time.perf_counter` [s].

    Returns
    -------
    page : Written
        The page.
    wall_s : float
        Time of the job with its page [s].
    """
    from .. import reporting  # imports matplotlib, which takes a second

    wall_s = time.perf_counter() - began
    page = reporting.write_report(job.folder, job.technology, job.circuits, simulator=job.simulator, wall_s=wall_s)
    wall_s = time.perf_counter() - began
    tables.write_text(job.folder / "run.json", describe_main_job(job, wall_s))
    return page, wall_s


def what_failed(planned: Sequence[CircuitPlan], results: Sequence[CircuitResult], out: Path) -> GaincellError | None:
    """Error of the main job, or None: failed points first, then failed fits; a skipped study is none.

    Parameters
    ----------
    planned : sequence of CircuitPlan
        The plans.
    results : sequence of CircuitResult
        What they gave.
    out : Path
        Folder of the results, with the decks and logs of failed points.
    """
    studies = [study for result in results for study in result.studies.values()]
    if failures := [failure for study in studies for failure in study.failures]:
        failed = sum(study.counts["failed"] for study in studies)
        total = sum(one.size for one in planned) + sum(study.counts["points"] - study.plan.size for study in studies)
        return describe_failures(failures, failed, total, out / "failed")
    if left_out := [reason for study in studies for reason in study.left_out]:
        return FitError(f"{_many(len(left_out), 'model')} could not be fitted; the first: {left_out[0]}")
    return None


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
