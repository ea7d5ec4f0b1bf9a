"""Compare the largest errors that records state with a dense re-simulation, and test the forms of models blind.

    gaincell run --out results
    python benchmarks/error_protocol.py results --out measured [--circuit gain_cell]
    python benchmarks/error_protocol.py --blind --out measured [--tech gc28 --tech sky130]

The dense points of a model are ten times as many as those behind its statement; none of them was used for it, so the
corners of the valid range are not among them.  In the blind test a model of two inputs is fitted to two rows of the
table, and predicts all others.  Each part writes ``measured/protocol_<part>.json``; tools/readme_protocol.py makes the
tables from them.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gaincell_char import registry
from gaincell_char.declare.bench import Numbers
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.model import Model
from gaincell_char.declare.parameters import numbers
from gaincell_char.errors import FitError
from gaincell_char.fitting.accuracy import compute_errors
from gaincell_char.fitting.fit import Fit, fit_model
from gaincell_char.fitting.points import Selection, select
from gaincell_char.fitting.record import Record, read_record
from gaincell_char.spice.pool import Pool
from gaincell_char.storage.flat import flatten_dataset
from gaincell_char.sweeping.plan import SweepPlan
from gaincell_char.sweeping.run import characterize
from gaincell_char.sweeping.scattered import characterize_scattered
from gaincell_char.workflows.fresh_points import Place, PlaceTable, draw_values, interpolate_ranks, list_places
from gaincell_char.workflows.study_plans import plan_study

TIMES = 10
SEED = 20261130
"""Seed of the dense points; those of fresh points and of the search are hashes of the plan."""
TECHNOLOGIES = ("gc28", "sky130")
PAIRS = ((1 / 9, 1.0), (4 / 9, 1.0))
"""Ranks of the two rows of a blind test among all rows."""


def dense(records: Sequence[Record], technology: str, pool: Pool) -> list[dict[str, Any]]:
    """Stated and dense worst error of every fit with a searched worst error."""
    rows = []
    for record in records:
        circuit = registry.load_circuit(record.circuit)
        [study] = [one for one in circuit.all_studies if one.key == record.study]
        plan = plan_study(circuit, study, technology)
        fits = [fit for fit in record.fits if fit.largest is not None]
        for number, place in enumerate(list_places(plan, fits)):
            here = [fit for fit in fits if place.holds(fit)]
            table = simulate_dense(plan, place, here, number, pool)
            rows += [compare(circuit, record.study, fit, table) for fit in here]
            sys.stdout.write(f"{record.circuit}.{record.study}: {rows[-1]}\n")
    return rows


def simulate_dense(plan: SweepPlan, place: Place, fits: Sequence[Fit], number: int, pool: Pool) -> PlaceTable:
    """Simulate ten times as many random points as are behind the statements of the fits of a place."""
    rng = np.random.default_rng([SEED, number])
    count = TIMES * max(fit.largest.n for fit in fits if fit.largest) + 2 ** len(place.inputs)
    if plan.bench.curve is not None:
        ranks = np.concatenate([[0.0], np.sort(rng.random(plan.curve.size)), [1.0]])
        plan = replace(plan, curve=interpolate_ranks(plan.curve, (plan.curve.min(), plan.curve.max()), ranks))
        count = math.ceil(count / plan.curve.size)
    result = characterize_scattered(plan, list(draw_values(plan, place, count, rng)), pool)
    return PlaceTable(place=place, table=result.table)


def compare(circuit: Circuit, study: str, fit: Fit, dense: PlaceTable) -> dict[str, Any]:
    """One row: the worst error that the record states, and that at the dense points."""
    points = without_corners(dense.select(fit.output), fit)
    error = np.asarray(circuit.model(fit.model)(*points.inputs.values(), **fit.values())) - points.output
    worst = int(np.abs(error).argmax())
    assert fit.largest is not None
    assert fit.stated is not None
    assert fit.fresh is not None
    stated, found = abs(fit.stated.worst) / fit.full_range, float(abs(error[worst])) / fit.full_range
    return {
        "circuit": circuit.name, "study": study, "model": fit.model, "form": fit.form, "conditions": fit.conditions,
        "n_stated": fit.largest.n, "n_searched": fit.largest.n_searched, "n_dense": int(error.size),
        "fresh": abs(fit.fresh.worst) / fit.full_range, "stated": stated, "dense": found, "ratio": found / stated,
        "dense_rms": float(np.sqrt(np.mean(error**2))) / fit.full_range, "stated_rms": fit.fresh.nrmse,
        "at": {name: float(x[worst]) for name, x in points.inputs.items()},
    }  # fmt: skip


def without_corners(points: Selection, fit: Fit) -> Selection:
    """The points that are not corners of the valid range, which every statement includes."""
    at_ends = [np.isin(x, fit.valid_range[name]) for name, x in points.inputs.items()]
    return points.part(~np.logical_and.reduce(at_ends))


def blind(technology: str, pool: Pool) -> list[dict[str, Any]]:
    """Every model of the cell's current over both inputs, fitted to two rows, with its errors in all other rows."""
    circuit = registry.load_circuit("gain_cell")
    [study] = [one for one in circuit.all_studies if one.key == "dc"]
    plan = plan_study(circuit, study, technology)
    dataset = characterize(plan, pool=pool).dataset
    points = (flatten_dataset(dataset), tuple(map(str, dataset.dims)), numbers(plan.fixed))
    rows = []
    for model in [m for m in circuit.models if m.bench == study.bench and len(m.inputs) == 2]:
        [table] = select(model, *points)
        rows += [predict_rows(model, table, points[2], technology, pair) for pair in PAIRS]
    return rows


def predict_rows(
    model: Model, table: Selection, params: Numbers, technology: str, ranks: tuple[float, float]
) -> dict[str, Any]:
    """Fit a model to two rows of a table, given by their ranks among all rows, and predict the other rows."""
    first, second = model.inputs
    values = np.unique(table.inputs[second])
    used = values[[round(rank * (values.size - 1)) for rank in ranks]]
    fitted = np.isin(table.inputs[second], used)
    row = {"technology": technology, "model": model.name, "form": model.form, "row": second, "used": used.tolist()}
    row |= {"n_fitted": int(fitted.sum()), "n_predicted": int((~fitted).sum()), "along": first}
    try:
        fit = fit_model(model, table.part(fitted), params, "A", leave_out=False)
    except FitError as error:
        return {**row, "reason": str(error)}
    rest = table.part(~fitted)
    predicted = np.asarray(model(*rest.inputs.values(), **fit.values()), dtype=float)
    errors = compute_errors(rest, predicted, table.full_range)
    assert fit.fitted is not None
    worst, own = abs(errors.worst) / table.full_range, fit.fitted.rms / table.full_range
    return {**row, "nrmse": errors.nrmse, "worst": worst, "fitted_nrmse": own, "at": errors.worst_at}


def read_records(results: Path, circuits: Sequence[str]) -> Iterator[Record]:
    """The records of a run, of some or of all circuits, that contain fits."""
    for path in sorted((results / "records").glob("*.json")):
        record = read_record(path)
        if record.fits and (not circuits or record.circuit in circuits):
            yield record


def main() -> None:
    """Run the measurement and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--circuit", dest="circuits", action="append", default=[])
    parser.add_argument("--blind", action="store_true", help="the blind test only")
    parser.add_argument("--tech", dest="technologies", action="append", default=[])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    with Pool(2, timeout_s=600) as pool:
        if arguments.blind:
            rows = [row for name in arguments.technologies or TECHNOLOGIES for row in blind(name, pool)]
        else:
            records = list(read_records(arguments.results, arguments.circuits))
            job = json.loads((arguments.results / "run.json").read_text(encoding="utf-8"))
            rows = dense(records, job["technology"], pool)
    part = "blind" if arguments.blind else "dense"
    (arguments.out / f"protocol_{part}.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{part}: {time.perf_counter() - began:.0f} s\n")


if __name__ == "__main__":
    main()
