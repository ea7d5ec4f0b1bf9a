"""The command ``run`` with several technologies: the main job in each, and one page that compares them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import GaincellError
from ..spice.pool import Pool
from ..technology.folder import MANIFEST
from ..workflows.run_verb import run_main_job
from ..workflows.technology_comparison import TechnologyComparison, compare_technologies
from ..workflows.technology_records import TechnologyRecords
from ..workflows.technology_runs import PlannedTechnology, check_technology_folders, plan_technologies
from ..workflows.watcher import Watcher
from . import listings, requests
from .console import OUT, note, say
from .interrupts import Interrupts
from .job_results import what_failed, write_results
from .progress import progress


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of the command, as `main_job.run` takes them; `timeout` is in seconds."""

    out: Path
    circuits: Sequence[str]
    records: Path | None
    every_study: bool
    workers: int | None
    timeout: float


def split_technologies(text: str) -> list[str]:
    """Names and folders in the value of ``--tech``; a folder whose path contains a comma is one.

    Raises
    ------
    ParameterError
        If an item is empty.
    """
    try:
        whole = (Path(text) / MANIFEST).is_file()
    except (OSError, ValueError):  # a name too long for a file, or one with a zero byte
        whole = False
    return [text] if whole or "," not in text else requests.words(text, "--tech")


def run_technologies(techs: Sequence[str], options: RunOptions, interrupts: Interrupts) -> None:
    """Characterize circuits in several technologies, each in a folder of its name, and compare them.

    Parameters
    ----------
    techs : sequence of str
        Names or folders.
    options : RunOptions
        Options of the command.
    interrupts : Interrupts
        A signal stops the simulators; what is finished is compared.

    Raises
    ------
    RequestError
        If a name is unknown, two technologies have one name, or a folder cannot be written.
    GaincellError
        If a technology was not completely characterized; the page is written before.
    """
    planned = plan_technologies(techs, options.circuits, every_study=options.every_study)
    check_technology_folders(planned, options.out, options.records)
    with Pool(options.workers, timeout_s=options.timeout) as pool, interrupts.stopping(pool):
        found = [_characterize(one, options, pool) for one in planned]
    print_comparison(options.out, compare_technologies(found))
    interrupts.check()
    if failed := [one for one in found if one.failure]:
        for one in failed:
            say(f"{one.name}: {one.failure}")
        raise GaincellError(
            f"{len(failed)} of {len(found)} technologies not completely characterized: "
            f"{', '.join(one.name for one in failed)}; the results of the others are complete"
        )


def _characterize(planned: PlannedTechnology, options: RunOptions, pool: Pool) -> TechnologyRecords:
    """Run the main job in one technology; an error does not stop the others."""
    if planned.plan is None:
        return planned.records(options.out)
    if pool.stop.is_set():
        return planned.records(options.out, "interrupted before it began")
    began, out = time.perf_counter(), options.out / planned.name
    records = options.records / planned.name if options.records else None
    note(f"{planned.name}: {planned.plan.technology.title}")
    try:
        job = run_main_job(planned.plan, out, records, pool, Watcher(progress=progress, say=say))
        page, wall_s = write_results(job, began)
    except GaincellError as error:
        return planned.records(options.out, str(error))
    note(f"{planned.name}: {wall_s:.1f} s; open {page.path}")
    for part in page.missing:
        say(f"{planned.name}: the page lacks {part}")
    if pool.stop.is_set():
        return planned.records(options.out, "interrupted")
    failure = what_failed(planned.plan.planned, job.circuits, out)
    return planned.records(options.out, str(failure) if failure else "")


def print_comparison(out: Path, comparison: TechnologyComparison) -> None:
    """Write the page of a comparison to a folder, and print its table.

    Raises
    ------
    StorageError
        If a file cannot be written.
    """
    from .. import reporting  # imports matplotlib, which takes a second

    page = reporting.write_technologies(out, comparison)
    OUT.print(listings.frame(reporting.tabulate_side_by_side(comparison)))
    note(f"open {page.path}, which states conditions, and the reason of every missing value")
    for part in page.missing:
        say(f"the page lacks {part}")
