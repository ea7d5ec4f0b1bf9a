"""The verb ``run``, the main job: simulate, check and fit every study of every circuit."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .. import registry
from ..spice.pool import Pool
from ..storage import tables
from ..sweeping.arguments import check_flag, check_words, refusal
from ..sweeping.run import as_folder
from ..technology.schema import Technology
from . import characterize_all, study_plans
from .characterize_all import CircuitResult
from .noise_floors import share_noise
from .simulators import use_pool
from .study_plans import CircuitPlan
from .watcher import SILENT, Watcher


@dataclass(frozen=True, kw_only=True)
class MainJobPlan:
    """Planned studies of circuits in a technology."""

    technology: Technology
    planned: tuple[CircuitPlan, ...]


@dataclass(frozen=True, kw_only=True)
class MainJobResult:
    """Results of the main job.

    Attributes
    ----------
    circuits : tuple of CircuitResult
        Datasets, fits and figures of merit of each circuit.
    folder : Path
        Folder of datasets and records.
    simulator : str
        Name and version.
    workers : int
        Number of simulator processes.
    wall_s : float
        Time of simulations, checks and fits [s].
    """

    technology: Technology
    circuits: tuple[CircuitResult, ...]
    folder: Path
    simulator: str
    workers: int
    wall_s: float


def plan_main_job(circuits: Sequence[str], technology: str, *, every_study: bool = False) -> MainJobPlan:
    """Plan the studies of the named `circuits`, or of all if none is named, in a `technology`.

    Optional studies are those over corner, supply and temperature; `every_study` includes them.

    Raises
    ------
    RequestError
        If a name is unknown, the technology cannot be used, or none of the studies can be planned in it.
    """
    names = list(dict.fromkeys(circuits)) or registry.circuit_names()
    chosen = [registry.load_circuit(name) for name in names]
    loaded = registry.load_technology(technology)
    planned = [study_plans.plan_circuit(circuit, technology, optional=every_study) for circuit in chosen]
    study_plans.check_plans(planned)
    return MainJobPlan(technology=loaded, planned=tuple(planned))


def run_main_job(plan: MainJobPlan, folder: Path, records: Path | None, pool: Pool, watcher: Watcher) -> MainJobResult:
    """Run every study that could be planned, and write each as soon as it is finished.

    Parameters
    ----------
    plan : MainJobPlan
        The studies.
    folder : Path
        Folder of datasets and records.
    records : Path, optional
        Another folder for a copy of the records.
    pool : Pool
        Simulators.
    watcher : Watcher
        Receives progress and messages.

    Raises
    ------
    RequestError
        If a folder cannot be written, or contains results of another technology.
    StorageError
        If a file could not be written.
    """
    began = time.perf_counter()
    pool.start(plan.technology.compiled_files)
    folders = characterize_all.prepare(folder, records, plan.technology.name)
    keep = partial(characterize_all.keep, folders=folders)
    for problem in study_plans.problems(plan.planned):
        watcher.say(f"skipped: {problem}")
    for note in study_plans.notes(plan.planned):
        watcher.say(f"limited: {note}")
    with watcher.progress("characterizing", sum(one.size for one in plan.planned)) as tick:
        results = [characterize_all.run_circuit(one, pool, progress=tick, finished=keep) for one in plan.planned]
    return MainJobResult(
        technology=plan.technology,
        circuits=share_noise(results),
        folder=folder,
        simulator=f"ngspice {pool.version}",
        workers=pool.workers,
        wall_s=time.perf_counter() - began,
    )


def describe_main_job(result: MainJobResult, wall_s: float) -> str:
    """Summary of the main job, as JSON; `wall_s` is the time of the whole job [s]."""
    return characterize_all.describe(result.circuits, result.technology.name, result.simulator, result.workers, wall_s)


def run(
    folder: Path | str,
    *,
    circuits: Sequence[str] = (),
    records: Path | str | None = None,
    every_study: bool = False,
    technology: Path | str = registry.DEFAULT_TECHNOLOGY,
    workers: int | None = None,
    timeout_s: float | None = None,
    pool: Pool | None = None,
) -> MainJobResult:
    """Characterize circuits: simulate all benches and fit all models, as ``gaincell run`` does.

    `report` writes the page.

    Parameters
    ----------
    folder : Path or str
        Folder for datasets, records and ``run.json``.
    circuits : sequence of str
        Names of circuits; all by default.
    records : Path or str, optional
        Another folder for a copy of the records, as ``<circuit>.<study>.json``.
    every_study : bool
        Include the optional studies: those over corner, supply and temperature.
    technology : Path or str
        Name of a technology, or path of its folder.
    workers : int, optional
        Simulator processes; one per core by default.
    timeout_s : float, optional
        Time limit of one simulation [s]; 60 s by default.
    pool : Pool, optional
        Running simulators to use instead of new ones.

    Returns
    -------
    MainJobResult
        ``circuits``: the studies of each circuit, with dataset [SI], fits and failures.

    Raises
    ------
    RequestError
        If a name is unknown, or a folder cannot be written or contains results of another technology.
    StorageError
        If a file could not be written.
    NgspiceMissingError
        If ngspice is not installed.

    Examples
    --------
    >>> import gaincell_char as gc
    >>> result = gc.run("results", circuits=["relu_c2p"], workers=1)
    >>> page = gc.report(result)
    >>> page.path.name, page.missing
    ('index.html', ())
    """
    if not isinstance(technology, Path | str):
        raise refusal("technology", technology, "a name or a path")
    place = as_folder(folder)
    others = None if records is None else as_folder(records)
    every = check_flag("every_study", every_study)
    plan = plan_main_job(check_words("circuits", circuits), str(technology), every_study=every)
    with use_pool(pool, workers, timeout_s) as simulators:
        result = run_main_job(plan, place, others, simulators, SILENT)
    tables.write_text(place / "run.json", describe_main_job(result, result.wall_s))
    return result
