"""Terms of the laws over temperature and supply that a prediction needs: their search, and what it gains.

    python tools/needed_coefficients.py FOLDER --simulate
    python tools/needed_coefficients.py FOLDER --search [--model NAME]
    python tools/needed_coefficients.py FOLDER [--model NAME]

The first command simulates every study over conditions (ten minutes on two cores).  The second removes terms
of each law as long as the cross-validated error does not become larger, and writes the laws that remain into
circuits/*/_needed.py.  The third compares the errors of left-out points with all terms and with those that remain, and
writes the table of docs/benchmarks.md.  Studies whose results are in the folder are not simulated again.
"""

import argparse
import dataclasses
import json
import math
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from markdown_table import cells, table
from marked_block import ROOT, read, rewrite

from gaincell_char import registry
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasheet import Study
from gaincell_char.declare.law import Law
from gaincell_char.declare.parameters import numbers
from gaincell_char.declare.pvt import PvtModel, over_conditions
from gaincell_char.errors import DataError, FitError
from gaincell_char.fitting.elimination import (
    CONDITIONS,
    ROWS,
    LinearProblem,
    eliminate,
    errors_with,
    linear_problem,
)
from gaincell_char.fitting.least_squares import Problem
from gaincell_char.fitting.points import Selection, select
from gaincell_char.fitting.solve import pose_problem
from gaincell_char.spice.pool import Pool
from gaincell_char.storage.tables import read_table, write_dataset
from gaincell_char.sweeping.run import characterize
from gaincell_char.workflows.study_plans import plan_study
from gaincell_char.workflows.thresholds import with_thresholds

TECHNOLOGY = "gc28"
PAGE = "docs/benchmarks.md"
CIRCUITS = {"gain_cell": "gain_cell", "relu_c2p": "converters", "signed_c2p": "converters"}
"""Circuits of the head, and the folders of their declarations."""
WAYS = (CONDITIONS, ROWS)
LARGER = 1.001
"""Cross-validated error of whole fits without the terms over that with them, above which the terms remain."""
_HEAD = '''"""Laws over conditions without the terms that no error needs; written by tools/needed_coefficients.py."""

from gaincell_char.declare.law import Law, by_law

NEEDED = {
'''


@dataclass(frozen=True, kw_only=True)
class Job:
    """A model over conditions, the study that it is fitted to, and the table of its results."""

    circuit: str
    study: str
    model: str
    folder: Path

    def load(self) -> tuple[Circuit, Study, PvtModel]:
        """Circuit, study and model."""
        circuit = registry.load_circuit(self.circuit)
        model = circuit.model(self.model)
        assert isinstance(model, PvtModel)
        return circuit, next(one for one in circuit.all_studies if one.key == self.study), model

    @property
    def table(self) -> Path:
        """Results of the study."""
        return self.folder / f"{self.circuit}.{self.study}.nc"


def jobs(folder: Path) -> Iterator[Job]:
    """Every model over conditions of the circuits of the head."""
    for name in CIRCUITS:
        circuit = registry.load_circuit(name)
        for study in circuit.all_studies:
            for model in circuit.models_of(study):
                if isinstance(model, PvtModel):
                    yield Job(circuit=name, study=study.key, model=model.name, folder=folder)


def simulate(folder: Path, workers: int) -> None:
    """Simulate every study whose results are not in the folder."""
    with Pool(workers, timeout_s=120) as pool:
        for job in jobs(folder):
            if not job.table.exists():
                circuit, study, _ = job.load()
                plan = plan_study(circuit, study, TECHNOLOGY)
                dataset = characterize(plan, pool=pool).dataset
                write_dataset(with_thresholds(plan, dataset, circuit.models_of(study), pool)[0], job.table)


def selections(job: Job, model: PvtModel) -> tuple[list[Selection], dict[str, float]]:
    """Points of the study at each corner, and the parameters of the study."""
    circuit, study, _ = job.load()
    found = read_table(job.table)
    params = numbers(plan_study(circuit, study, TECHNOLOGY).fixed)
    return select(model, found.frame, found.dims, params), params


def with_laws(model: PvtModel, laws: dict[str, Law]) -> PvtModel:
    """The same model with other laws."""
    return over_conditions(
        model.nominal,
        model.widest,
        needed={model.name: laws},
        supply=model.supply,
        threshold=model.threshold,
        rails=model.rails,
        robust=model.robust,
        kind=model.kind,
    )


def fits(job: Job, model: PvtModel) -> Iterator[tuple[Selection, Problem, dict[str, float]]]:
    """Points, problem and coefficients at each corner; a search begins at the packaged record, if it fits the model."""
    points, params = selections(job, model)
    for selection in points:
        begin = near(job, model, str(selection.conditions.get("corner", "tt")))
        problem = pose_problem(model, selection, params, begin)
        try:
            solution = problem.fit(model.robust)
        except FitError:  # a leakage term that the record lacks begins too far away
            problem = pose_problem(model, selection, params)
            solution = problem.fit(model.robust)
        yield selection, problem, problem.coefficients(solution)


def near(job: Job, model: PvtModel, corner: str) -> dict[str, float] | None:
    """Coefficients of the packaged record that the model has; None if the record is of another model."""
    try:
        values = registry.load_record(TECHNOLOGY, f"{job.circuit}.{job.study}").fit(model.name, corner=corner).values()
    except DataError:
        return None
    return {name: value for name, value in values.items() if name in model.coefficients}


def search(job: Job) -> dict[str, Law]:
    """Laws that remain of those with all terms; all of them if whole fits do not confirm that the error is not larger.

    That of a measured threshold remains as it is: its seven terms nearly interpolate twelve measured conditions, and
    without one of them the pulses at 60 degC, which is not fitted, have errors of 8 to 15 ps instead of 6 ps.
    """
    _, _, model = job.load()
    model = with_laws(model, {})
    problems = linear_problems(job, model)
    measured = model.threshold.coefficient if model.threshold else ""
    first, steps = eliminate(problems, {name: law for name, law in model.widest.items() if name != measured})
    laws = {**model.widest, **{step.coefficient: step.law for step in steps}}
    confirmed = errors_with(linear_problems(job, with_laws(model, laws)), laws, laws, problems)
    print(
        f"{job.circuit}.{job.study} {job.model}: {len(steps)} steps, {first}, {confirmed} after whole fits", flush=True
    )
    return laws if math.prod(confirmed.values()) <= LARGER * math.prod(first.values()) else dict(model.widest)


def laws_of(only: str | None, job: Job) -> dict[str, Law]:
    """Laws of one model that remain; those of today unless it is the `only` one to search, or all are."""
    _, _, model = job.load()
    return search(job) if only in (None, job.model) else dict(model.laws)


def linear_problems(job: Job, model: PvtModel) -> list[LinearProblem]:
    """Linear problem near a whole fit, at each corner."""
    return [linear_problem(model, problem, values, model.robust) for _, problem, values in fits(job, model)]


def write_laws(found: dict[str, dict[str, dict[str, Law]]]) -> None:
    """Write the laws that remain into the folders of the declarations."""
    for folder, models in found.items():
        lines = [_HEAD]
        for model, laws in models.items():
            groups: dict[Law, list[str]] = {}
            for name, law in laws.items():
                groups.setdefault(law, []).append(name)
            lines += [f"    {json.dumps(model)}: by_law({{\n"]
            for law, names in groups.items():
                words = textwrap.wrap(" ".join(names), 84)
                quoted = [json.dumps(word + " " * (i + 1 < len(words))) for i, word in enumerate(words)]
                text = quoted[0] if len(quoted) == 1 else "(" + " ".join(quoted) + ")"
                lines += [f"        {show(law)}: {text},\n"]
            lines += ["    }),\n"]
        path = ROOT / "circuits" / folder / "_needed.py"
        path.write_text("".join([*lines, "}\n"]), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "ruff", "format", "-q", str(path)], check=True)


def show(law: Law) -> str:
    """The law as Python code, without what has its default."""
    given = {f.name: getattr(law, f.name) for f in dataclasses.fields(law) if getattr(law, f.name) != f.default}
    return f"Law({', '.join(f'{name}={value}' for name, value in given.items())})"


def measure(job: Job) -> dict[str, Any]:
    """Errors at left-out points, with all terms and with those that remain."""
    _, _, model = job.load()
    widest = with_laws(model, {})
    problems = linear_problems(job, widest)
    counts = [sum(not c.fixed for c in one.coefficients.values()) for one in (widest, model)]
    errors = [errors_with(problems, model.widest, laws) for laws in (model.widest, model.laws)]
    print(job.circuit, job.study, job.model, counts, errors, flush=True)
    return {"study": f"{job.circuit}.{job.study}", "model": job.model, "coefficients": counts, "errors": errors}


def rows(found: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """One row per model."""
    for one in found:
        errors = [f"{100 * errors[way]:.2g} %" for way in WAYS for errors in one["errors"]]
        yield f"`{one['study']}`", f"`{one['model']}`", *map(str, one["coefficients"]), *errors


def main() -> None:
    """Simulate, search, or fit and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--model", help="only this model; laws and rows of the others remain")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    every = list(jobs(arguments.folder))
    if arguments.simulate:
        simulate(arguments.folder, arguments.workers)
        return
    with ProcessPoolExecutor(arguments.workers) as executor:
        if arguments.search:
            laws: dict[str, dict[str, dict[str, Law]]] = {}
            for job, left in zip(every, executor.map(partial(laws_of, arguments.model), every), strict=True):
                laws.setdefault(CIRCUITS[job.circuit], {})[job.model] = left
            write_laws(laws)
            return
        found = list(executor.map(measure, [job for job in every if arguments.model in (None, job.model)]))
    (arguments.folder / "needed.json").write_text(json.dumps(found), encoding="utf-8")
    heads = (
        "study", "model", "coefficients: all", "coefficients: needed", "conditions: all", "conditions: needed",
        "rows: all", "rows: needed",
    )  # fmt: skip
    here = list(rows(found))
    if arguments.model:
        older = [tuple(row) for row in cells(read(PAGE, "needed"))[1:]]
        new = {row[:2]: row for row in here}
        here = [new.get(row[:2], row) for row in older]
    text = table(heads, here)
    rewrite(PAGE, "needed", text)
    print(text)


if __name__ == "__main__":
    main()
