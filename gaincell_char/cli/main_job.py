"""The command ``run``."""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from ..errors import FitError, GaincellError
from ..spice.pool import Pool
from ..storage import tables
from ..workflows.characterize_all import CircuitResult
from ..workflows.run_verb import describe_main_job, plan_main_job, run_main_job
from ..workflows.study_plans import CircuitPlan
from ..workflows.watcher import Watcher
from . import command_options, listings
from .console import OUT, note, say
from .interrupts import Interrupts
from .progress import progress
from .sweeping import describe_failures

_ON_THE_PAGE_ONLY = ("form", "R2", "wall time")
"""Columns of the summary that a terminal has no room for."""
_SHORT = {"fitted to all points": "fitted", "cross-validation": "crossed", "fresh points": "fresh"}
_SHORT |= {"numerics floor": "numerics", "figure of merit": "merit"}
_LEGEND = (
    "NRMSE at the points of the fit (fitted), in cross-validation (crossed) and at fresh random points (fresh); "
    "rms noise of the output (noise floor); numerical error of the simulator (numerics); largest error at any "
    "simulated point (worst); first figure of merit (merit)"
)


@click.command(cls=command_options.Command)
@click.option(
    "-o", "--out", default="results", show_default=True, type=click.Path(path_type=Path), help="Folder to write."
)
@click.option("--circuit", "circuits", multiple=True, help="Only this circuit; may be repeated.")
@click.option(
    "--records", type=click.Path(path_type=Path), help="Also write the records here, as <circuit>.<study>.json."
)
@click.option("--all", "every_study", is_flag=True, help="Include the studies over corner, supply and temperature.")
@command_options.TECH
@command_options.WORKERS
@command_options.TIMEOUT
@command_options.NGSPICE
@command_options.INTERRUPTS
def run(
    interrupts: Interrupts,
    out: Path,
    circuits: Sequence[str],
    records: Path | None,
    every_study: bool,
    tech: str,
    workers: int | None,
    timeout: float,
) -> None:
    """Characterize every circuit: simulate all benches, fit all models, write report, pictures and records.

    With --all the studies over corner, supply and temperature are included; they take several minutes.

    \b
    Example:  gaincell run --out results
    """
    from .. import reporting  # imports matplotlib, which takes a second

    began = time.perf_counter()
    plan = plan_main_job(circuits, tech, every_study=every_study)
    with Pool(workers, timeout_s=timeout) as pool, interrupts.stopping(pool):
        job = run_main_job(plan, out, records, pool, Watcher(progress=progress, say=say))
    wall_s = time.perf_counter() - began
    page = reporting.write_report(out, job.technology, job.circuits, simulator=job.simulator, wall_s=wall_s)
    wall_s = time.perf_counter() - began
    tables.write_text(out / "run.json", describe_main_job(job, wall_s))
    summary = reporting.tabulate_models(job.circuits).drop(columns=list(_ON_THE_PAGE_ONLY))
    OUT.print(listings.frame(summary.rename(columns=_SHORT)))
    note(_LEGEND)
    note(f"{wall_s:.1f} s; open {page.path}")
    for part in page.missing:
        say(f"the page lacks {part}")
    if skipped := sum(len(one.problems) for one in plan.planned):
        say(f"{skipped} {'study was' if skipped == 1 else 'studies were'} skipped, which this technology cannot run")
    interrupts.check()
    if failure := _what_failed(plan.planned, job.circuits, out):
        raise failure


def _what_failed(planned: Sequence[CircuitPlan], results: Sequence[CircuitResult], out: Path) -> GaincellError | None:
    """Error of the main job, or None: failed points first, then failed fits; a skipped study is none."""
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


COMMANDS = (run,)
