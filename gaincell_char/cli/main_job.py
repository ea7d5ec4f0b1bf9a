"""The command ``run``."""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from .. import registry
from ..spice.pool import Pool
from ..workflows.run_verb import plan_main_job, run_main_job
from ..workflows.watcher import Watcher
from . import command_options, listings
from .compared_runs import RunOptions, run_technologies, split_technologies
from .console import OUT, note, say
from .interrupts import Interrupts
from .job_results import what_failed, write_results
from .progress import progress

_ON_THE_PAGE_ONLY = ("form", "R2", "wall time")
"""Columns of the summary that a terminal has no room for."""
_SHORT = {"fitted to all points": "fitted", "cross-validation": "crossed", "fresh points": "fresh"}
_SHORT |= {"numerics floor": "numerics", "figure of merit": "merit"}
_LEGEND = (
    "NRMSE at the points of the fit (fitted), in cross-validation (crossed) and at fresh random points (fresh); "
    "rms noise of the output (noise floor); numerical error of the simulator (numerics); largest error at any "
    "simulated point (worst); first figure of merit (merit)"
)


_TECHS = click.option(
    "--tech",
    default=registry.DEFAULT_TECHNOLOGY,
    show_default=True,
    help="Technology: name or folder; several with commas are compared on one page.",
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
@_TECHS
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

    With several technologies each has a folder of its name in --out, and index.html compares them.

    \b
    Example:  gaincell run --out results
              gaincell run --tech gc28,sky130 --out compared
    """
    techs = split_technologies(tech)
    if len(techs) > 1:
        options = RunOptions(
            out=out, circuits=circuits, records=records, every_study=every_study, workers=workers, timeout=timeout
        )
        run_technologies(techs, options, interrupts)
        return
    from .. import reporting  # imports matplotlib, which takes a second

    began = time.perf_counter()
    plan = plan_main_job(circuits, techs[0], every_study=every_study)
    with Pool(workers, timeout_s=timeout) as pool, interrupts.stopping(pool):
        job = run_main_job(plan, out, records, pool, Watcher(progress=progress, say=say))
    page, wall_s = write_results(job, began)
    summary = reporting.tabulate_models(job.circuits).drop(columns=list(_ON_THE_PAGE_ONLY))
    OUT.print(listings.frame(summary.rename(columns=_SHORT)))
    note(_LEGEND)
    note(f"{wall_s:.1f} s; open {page.path}")
    for part in page.missing:
        say(f"the page lacks {part}")
    if skipped := sum(len(one.problems) for one in plan.planned):
        say(f"{skipped} {'study was' if skipped == 1 else 'studies were'} skipped, which this technology cannot run")
    interrupts.check()
    if failure := what_failed(plan.planned, job.circuits, out):
        raise failure


COMMANDS = (run,)
