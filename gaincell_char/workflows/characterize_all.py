"""The main job: every study of every circuit simulated, checked and fitted."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy
import xarray as xr

from .. import __version__
from ..declare.bench import Numbers
from ..declare.circuit import Circuit
from ..declare.datasheet import Merit, Study
from ..declare.parameters import numbers
from ..errors import DataError, RequestError
from ..fitting.fit import Fit, fit_all
from ..fitting.record import Origin, Record, make_record
from ..fitting.solve import LeftOut
from ..spice.pool import Pool
from ..storage import untrusted
from ..storage.flat import flatten_dataset
from ..storage.manifest import check_no_folders, check_places
from ..storage.tables import check_folder, make_folder, make_inside, shown_path, write_dataset, write_text
from ..sweeping.plan import SweepPlan
from ..sweeping.run import OK, Failure, characterize
from ..sweeping.tight_runs import TIGHTER, longest_tight_run
from .fresh_points import FreshPoints, add_errors, simulate_fresh_points
from .study_plans import CircuitPlan
from .thresholds import with_thresholds
from .worst_search import list_known, search_largest

COMPARED = "technologies.csv"
"""Table of a comparison of technologies, in the folder ``tables/`` of its results."""
_POINTS_CHECKED, _POINTS_CHECKED_UNFITTED = 8, 3


@dataclass(frozen=True, kw_only=True)
class StudyResult:
    """One study of the main job.

    ``left_out`` lists the models that could not be fitted, with reasons.  ``numerics`` maps each output to its largest
    deviation from a run with a hundred times tighter tolerances, as a fraction of its full scale; ``n_checked``
    points were compared.  ``fresh`` was simulated after the fits, and then ``searched``; their failures are among the
    ``failures``.
    """

    study: Study
    plan: SweepPlan
    dataset: xr.Dataset
    failures: tuple[Failure, ...]
    fits: list[Fit]
    left_out: list[LeftOut]
    numerics: dict[str, float]
    n_checked: int
    wall_s: float
    fresh: FreshPoints = field(default_factory=FreshPoints)
    searched: FreshPoints = field(default_factory=FreshPoints)

    @property
    def counts(self) -> dict[str, int]:
        """Number of runs, including those after the fits: all, finished and failed."""
        own = {name: int(self.dataset.attrs[f"n_{name}"]) for name in ("points", "ok", "failed")}
        added = (self.fresh.counts, self.searched.counts)
        return {name: count + sum(one[name] for one in added) for name, count in own.items()}

    @property
    def record(self) -> Record:
        """The record of the study, as in ``fits/``."""
        origin = Origin.from_attrs(self.dataset.attrs)
        return make_record(origin=origin, study=self.study.key, fits=self.fits, numerics=self.numerics)


@dataclass(frozen=True, kw_only=True)
class CircuitResult:
    """Every study of one circuit, its figures of merit, and in ``problems`` the reasons of studies not run.

    ``notes`` maps a study that was run at fewer corners than declared to the reason.
    ``noise`` contains the fits of other circuits of the same job that give noise floors: circuit -> its fits.
    """

    circuit: Circuit
    params: Numbers
    studies: Mapping[str, StudyResult]
    merits: tuple[tuple[Merit, float], ...]
    problems: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    noise: Mapping[str, Sequence[Fit]] = field(default_factory=dict)

    @property
    def wall_s(self) -> float:
        """Time of all its studies [s]."""
        return sum(result.wall_s for result in self.studies.values())


def run_study(circuit: Circuit, study: Study, plan: SweepPlan, pool: Pool, progress: Callable[[], None]) -> StudyResult:
    """Simulate, check and fit one `study` of a `circuit` by its `plan`, simulate fresh points, and search the worst.

    `pool` contains the simulators; `progress` is called after each point of the grid.
    """
    began = time.perf_counter()
    result = characterize(plan, pool=pool, progress=progress)
    longest_s = longest_tight_run((time.perf_counter() - began) / plan.size)
    models = circuit.models_of(study, plan.fixed)
    checked = _POINTS_CHECKED if models else _POINTS_CHECKED_UNFITTED
    with pool.limited(longest_s):
        numerics, n_checked = check_numerics(plan, result.dataset, pool, checked)
    dataset, searched = with_thresholds(plan, result.dataset, models, pool)
    points = (flatten_dataset(dataset), tuple(map(str, dataset.dims)), numbers(plan.fixed))
    fits, left_out = fit_all(models, *points, {o.name: o.unit for o in plan.bench.outputs})
    fresh = simulate_fresh_points(plan, fits, pool)
    search = search_largest(plan, list_known(fits, circuit, *points, fresh), pool)
    return StudyResult(
        study=study,
        plan=plan,
        dataset=dataset,
        failures=(*result.failures, *searched, *fresh.failures, *search.runs.failures),
        fits=add_errors(search.add_largest(fits), fresh, circuit),
        left_out=left_out,
        numerics=numerics,
        n_checked=n_checked,
        fresh=fresh,
        searched=search.runs,
        wall_s=time.perf_counter() - began,
    )


def check_numerics(plan: SweepPlan, dataset: xr.Dataset, pool: Pool, most: int = 8) -> tuple[dict[str, float], int]:
    """Repeat at most `most` points with a hundred times tighter tolerances, and find the largest deviations.

    Parameters
    ----------
    plan : SweepPlan
        Plan of the study.
    dataset : Dataset
        Its results.
    pool : Pool
        The simulators.
    most : int
        Largest number of points.

    Returns
    -------
    deviations : mapping of str to float
        Output -> deviation as a fraction of the output's full scale.
    n_checked : int
        Number of points that finished in both runs; a run with tighter tolerances may not converge everywhere.
    """
    points = thin(plan, most)
    tight = characterize(plan.tightened(TIGHTER), pool=pool, only=points).dataset
    n_checked = int(((tight.status == OK) & (dataset.status == OK)).sum())
    deviations: dict[str, float] = {}
    if n_checked == 0:
        return deviations, 0
    for output in plan.bench.outputs:
        values = dataset[output.name]
        scale = plan.full_scale(output.name, values.to_numpy())
        if scale > 0:
            deviations[output.name] = float(np.abs(tight[output.name] - values).max()) / scale
    return deviations, n_checked


def run_circuit(
    planned: CircuitPlan,
    pool: Pool,
    *,
    progress: Callable[[], None] = lambda: None,
    finished: Callable[[StudyResult], None] = lambda _: None,
) -> CircuitResult:
    """Run every study of a circuit that could be planned, as in `planned`.

    `pool` contains the simulators; `progress` is called after each point, `finished` with the result of each study.
    """
    circuit = planned.circuit
    studies: dict[str, StudyResult] = {}
    for study in circuit.all_studies:
        if pool.stop.is_set():
            break
        if study.key in planned.plans:
            studies[study.key] = run_study(circuit, study, planned.plans[study.key], pool, progress)
            finished(studies[study.key])
    params, merits = numbers(next(iter(studies.values())).plan.fixed) if studies else {}, _merits(circuit, studies)
    return CircuitResult(
        circuit=circuit,
        params=params,
        studies=studies,
        merits=merits,
        problems=planned.problems,
        notes=planned.notes,
    )


def _merits(circuit: Circuit, studies: Mapping[str, StudyResult]) -> tuple[tuple[Merit, float], ...]:
    return tuple((merit, _merit(merit, studies[merit.study])) for merit in circuit.merits if merit.study in studies)


def _merit(merit: Merit, result: StudyResult) -> float:
    """Value of a figure of merit, or NaN if it cannot be computed because points failed."""
    try:
        return float(merit.compute(result.dataset, numbers(result.plan.fixed)))
    except (ArithmeticError, LookupError, ValueError):
        if result.failures or OK not in result.dataset.status:
            return float("nan")
        raise


def describe(results: Sequence[CircuitResult], technology: str, simulator: str, workers: int, wall_s: float) -> str:
    """Summarise the main job as JSON: counts, time, and the deviation of every output from a tighter run.

    It contains the names of the `technology` and the `simulator`, the number of `workers` and the time `wall_s` [s],
    and the counts and deviations of `results`.
    """
    studies = [study for result in results for study in result.studies.values()]
    numerics = {
        f"{study.plan.circuit.name}.{study.study.key} {output}": deviation
        for study in studies
        for output, deviation in study.numerics.items()
    }
    named = [str(study.dataset.attrs["library"]) for study in studies if "library" in study.dataset.attrs]
    library = {"library": named[0]} if named else {}
    summary = {
        "technology": technology,
        "simulator": simulator,
        **library,
        "package": f"gaincell-char {__version__}",
        "workers": workers,
        "wall_s": wall_s,
        "points": sum(study.counts["points"] for study in studies),
        "failed": sum(study.counts["failed"] for study in studies),
        "numerics": numerics,
    }
    return json.dumps(summary, indent=1) + "\n"


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Folders of the results of the main job."""

    data: Path
    records: tuple[Path, ...]


def check_results(out: Path, records: Path | None, technology: str) -> Folders:
    """Check that the main job can write to `out`, and to `records` a second copy of the records; creates nothing.

    Raises
    ------
    RequestError
        If a folder cannot be made or written, or contains results of another technology than `technology`.
    """
    folders = Folders(data=out / "data", records=(out / "records", *([records] if records else [])))
    for folder in (out, *([records] if records else [])):
        check_folder(folder)
    check_places(out, "data", "records", "figures", "tables")
    if (out / "tables" / COMPARED).exists():
        raise RequestError(
            f"{shown_path(out)} contains a comparison of technologies, whose page this run would replace; "
            "choose another folder"
        )
    if records:
        check_no_folders(records)
    _check_technology((out / "run.json", *_files(folders.data, "*.csv.json")), technology)
    _check_technology((path for folder in folders.records for path in _files(folder, "*.json")), technology)
    return folders


def prepare(out: Path, records: Path | None, technology: str) -> Folders:
    """Make the folders `out` and `records` of a `technology`, as of `check_results`, before the first simulation.

    Raises
    ------
    RequestError
        If a folder cannot be made or written, or contains other results.
    """
    folders = check_results(out, records, technology)
    make_folder(out)
    make_inside(out, "data", "records")
    if records:
        make_folder(records)
    return folders


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern)) if folder.is_dir() else []


def _check_technology(files: Iterable[Path], technology: str) -> None:
    """Refuse files that state another technology; damaged files are ignored."""
    for path in files:
        try:
            said = untrusted.parse_json(untrusted.read_text(path, "result"), shown_path(path)) if path.exists() else {}
        except DataError:
            continue
        about = said.get("attrs", said) if isinstance(said, dict) else {}
        there = about.get("technology") if isinstance(about, dict) else None
        if isinstance(there, str) and there not in ("", technology):
            raise RequestError(
                f"{shown_path(path)} is of technology {untrusted.printable(there)}, and this run is of {technology}; "
                "choose another folder"
            )


def keep(result: StudyResult, folders: Folders) -> None:
    """Write a finished study: its dataset, and, if it has fits, its record and the points simulated after the fits.

    The copy of the record outside the results is for others, and does not contain the path of the simulator's library.
    """
    name = f"{result.plan.circuit.name}.{result.study.key}"
    write_dataset(result.dataset, folders.data / f"{name}.nc")
    write_dataset(result.dataset, folders.data / f"{name}.csv")
    if result.fits:
        for kind, points in (("fresh", result.fresh), ("searched", result.searched)):
            write_text(folders.data / f"{name}.{kind}.csv", points.frame.to_csv(index=False, lineterminator="\n"))
        own, *others = folders.records
        write_text(own / f"{name}.json", result.record.to_json())
        for folder in others:
            write_text(folder / f"{name}.json", result.record.without_library().to_json())


def thin(plan: SweepPlan, most: int) -> list[tuple[int, ...]]:
    """At most `most` indices, spread evenly along every dimension of the grid: a Latin hypercube with a fixed seed."""
    where = scipy.stats.qmc.LatinHypercube(len(plan.shape), rng=np.random.default_rng(0)).random(most)
    indices = np.floor(where * np.array(plan.shape)).astype(int)
    return sorted({tuple(int(i) for i in index) for index in indices})
