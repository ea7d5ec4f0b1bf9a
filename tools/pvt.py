"""Errors of the models over corner, supply and temperature at conditions they were not fitted to.

    python tools/pvt.py pvt.json --simulate
    python tools/pvt.py pvt.json

The first command simulates random points (about five minutes on two cores), the second writes the table of
docs/benchmarks.md.  Points are drawn after the fits and lie between the supply rails of their condition.  Of a
converter only pulses between 0 and saturation count.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markdown_table import NONE, table
from marked_block import rewrite

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasheet import Study
from gaincell_char.declare.pvt import PvtModel
from gaincell_char.spice.pool import Pool
from gaincell_char.sweeping.run import OK
from gaincell_char.sweeping.scattered import characterize_scattered
from gaincell_char.workflows.noise_floors import find_packaged_noise
from gaincell_char.workflows.study_plans import plan_study

CIRCUITS = ("gain_cell", "relu_c2p", "signed_c2p")
SEED, COUNT = 20261130, 96
INSTANCES = 24
T_MAX_NS = 15.0
COLUMNS = (("tt", 27.0, None), ("tt", 85.0, None), ("ss", 27.0, None), ("ff", 27.0, None), ("ss", 85.0, 0.85))
"""Corner, temperature [degC] and supply [V] of the columns that are compared with SPICE."""
IN_USE = ("shared", "path")
NEAR = 0.2e-15
"""Distance [C] from the threshold within which the width of the shortest pulse decides over the error."""
SATURATED = 0.98
"""Pulses longer than this part of the longest one do not count."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Corner, temperature [degC], and supply as a part of the nominal one."""

    corner: str
    temp: float
    supply: float

    def __str__(self) -> str:
        """The condition as the table shows it."""
        supply = "" if self.supply == 1 else f", supply {100 * (self.supply - 1):+.0f} %"
        return f"{self.corner}, {self.temp:g} degC{supply}"


PLACES = (
    Place(corner="tt", temp=60.0, supply=1.0),
    Place(corner="tt", temp=85.0, supply=1.0),
    Place(corner="tt", temp=27.0, supply=0.95),
    Place(corner="tt", temp=27.0, supply=1.05),
    Place(corner="tt", temp=85.0, supply=0.95),
    Place(corner="ss", temp=85.0, supply=1.0),
    Place(corner="ff", temp=85.0, supply=1.0),
)


def studies() -> Iterator[tuple[Circuit, Study]]:
    """Every study over supply of the circuits of the head, without those of tools/converters_in_use.py."""
    for name in CIRCUITS:
        circuit = registry.load_circuit(name)
        for study in circuit.all_studies:
            models = [circuit.model(model) for model in study.models or ()]
            over = [isinstance(model, PvtModel) and model.kind == "supply" for model in models]
            if over and all(over) and study.bench not in IN_USE:
                yield circuit, study


def simulate(circuit: Circuit, study: Study, records: str, pool: Pool) -> list[dict[str, Any]]:
    """Errors of every model of a study at every place."""
    plan = plan_study(circuit, study, "gc28")
    record = registry.find_record(records, f"{circuit.name}.{study.key}")
    swept = [name for name in plan.sweep if name != "vdd"]
    vdd = circuit.params.resolve({})["vdd"]
    assert isinstance(vdd, float)
    found = []
    for number, place in enumerate(PLACES):
        rng = np.random.default_rng([SEED, number])
        where = []
        for _ in range(COUNT):
            at = {name: _draw(name, plan.sweep[name], place.supply * vdd, rng) for name in swept}
            where.append({"corner": place.corner, "temp": place.temp, "vdd": round(place.supply * vdd, 6), **at})
        rows = characterize_scattered(plan, where, pool).table
        for name in study.models or ():
            fit = record.fit(name, corner=place.corner)
            found.append({"study": f"{circuit.name}.{study.key}", **_errors(circuit, fit, rows, place)})
    return found


def _draw(name: str, axis: tuple[Any, ...], vdd: float, rng: np.random.Generator) -> float:
    """A value spread like the grid; a voltage lies between the rails."""
    ranks = np.linspace(0.0, 1.0, len(axis))
    value = float(np.interp(rng.random(), ranks, np.sort(np.array(axis, dtype=float))))
    return float(f"{min(value, vdd) if name.startswith('v_') else value:.12g}")


def _errors(circuit: Circuit, fit: Any, rows: pd.DataFrame, place: Place) -> dict[str, Any]:
    """Errors of one fit at the points of one place."""
    good = rows[rows["status"] == OK]
    output = good[fit.output].to_numpy(dtype=float)
    predicted = circuit.model(fit.model)(*(good[name].to_numpy(dtype=float) for name in fit.inputs), **fit.values())
    full = float(np.ptp(output))
    counted = np.ones(output.size, dtype=bool)
    if fit.unit == "s":
        longest = max(float(np.abs(output).max()), 0.9 * float(fit.full_range) / (2 if fit.model[0] == "s" else 1))
        counted = (np.abs(output) > 0) & (np.abs(output) < SATURATED * longest)
    error = (predicted - output)[counted]
    return {
        **_beyond(circuit, fit, good[counted], error),
        "model": fit.model,
        "unit": fit.unit,
        "place": str(place),
        "n": int(counted.sum()),
        "failed": int((rows["status"] != OK).sum()),
        "rms": float(np.sqrt(np.mean(error**2))),
        "worst": float(np.abs(error).max()),
        "full": full,
    }


def _beyond(circuit: Circuit, fit: Any, good: pd.DataFrame, error: Any) -> dict[str, float]:
    """Rms error of a converter at points at least `NEAR` from its threshold, at which there is no step."""
    model = circuit.model(fit.model)
    if not isinstance(model, PvtModel) or model.threshold is None:
        return {}
    law = model.at(good["temp"].to_numpy(), good["vdd"].to_numpy(), **fit.values())[model.threshold.coefficient]
    beyond = np.abs(good[model.threshold.input].to_numpy() - law) >= NEAR
    return {"rms_beyond": float(np.sqrt(np.mean(error[beyond] ** 2))), "n_near": int((~beyond).sum())}


def rows(found: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """One row per model: rms errors at every place, and the noise floor at the conditions at which it is known."""
    for study, model in dict.fromkeys((one["study"], one["model"]) for one in found):
        own = {one["place"]: one for one in found if (one["study"], one["model"]) == (study, model)}
        noise = noise_floor(study, model)
        yield (f"`{study}`", f"`{model}`", *(_show(own[str(place)]) for place in PLACES), noise)
        if "rms_beyond" in next(iter(own.values())):
            beyond = [{**own[str(place)], "rms": own[str(place)]["rms_beyond"]} for place in PLACES]
            yield (f"`{study}`", f"`{model}`, without charges near the threshold", *map(_show, beyond), noise)


def noise_floor(study: str, name: str) -> str:
    """Rms noise of the output of a model over conditions at tt and 27 degC, in the unit of its errors."""
    circuit = registry.load_circuit(study.partition(".")[0])
    model = circuit.model(name)
    assert isinstance(model, PvtModel)
    own = circuit.study_of(model.nominal)
    assert own is not None
    record = registry.load_record("gc28", f"{circuit.name}.{own.key}")
    fit = record.fit(model.nominal.name)
    floor = find_packaged_noise(record, fit)
    return NONE if floor is None else _show({"unit": fit.unit, "rms": floor, "full": fit.full_range})


def _show(one: dict[str, Any]) -> str:
    """Rms error: of a pulse in ps, else in percent of the range at that condition."""
    return f"{1e12 * one['rms']:.2g} ps" if one["unit"] == "s" else f"{100 * one['rms'] / one['full']:.2g} %"


def compare_columns(workers: int) -> list[dict[str, Any]]:
    """Differences between SPICE and the software model for columns of 64 cells, at every condition."""
    found = []
    for corner, temp, vdd in COLUMNS:
        with Pool(workers, timeout_s=120) as pool:
            result = gc.compare(instances=INSTANCES, columns=1, corner=corner, temp=temp, vdd=vdd, pool=pool)
        for row in result.summary.to_dict("records"):
            if row["form"] == "pulsed":
                found.append({"corner": corner, "temp": temp, "vdd": vdd, **row})
    return found


def columns(found: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """One row per condition and operation."""
    for one in found:
        supply = "nominal" if one["vdd"] is None else f"{one['vdd']:g} V"
        yield (
            one["operation"],
            one["corner"],
            f"{one['temp']:g}",
            supply,
            f"{one['n']}",
            f"{one['n_silent']}",
            f"{1e3 * one['rms_ns']:.2g}",
            f"{100 * one['rms_ns'] / T_MAX_NS:.2g}",
            NONE if np.isnan(one["noise_percent"]) else f"{one['noise_percent']:.2g}",
            f"{1e3 * one['stated_ns']:.2g}",
        )


def main() -> None:
    """Simulate, or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--records", default="gc28")
    parser.add_argument("--circuit", action="append", help="only its studies, and the columns; may be repeated")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.simulate:
        with Pool(arguments.workers, timeout_s=120) as pool:
            chosen = [one for one in studies() if not arguments.circuit or one[0].name in arguments.circuit]
            errors = [row for one in chosen for row in simulate(*one, arguments.records, pool)]
        if arguments.circuit:
            again = {row["study"] for row in errors}
            before = json.loads(arguments.results.read_text(encoding="utf-8"))["errors"]
            errors = [*(row for row in before if row["study"] not in again), *errors]
        found = {"errors": errors, "columns": compare_columns(arguments.workers)}
        arguments.results.write_text(json.dumps(found, default=float), encoding="utf-8")
        return
    found = json.loads(arguments.results.read_text(encoding="utf-8"))
    heads = ("study", "model", *map(str, PLACES), "noise floor at tt, 27 degC")
    counts = [one["n"] for one in found["errors"] if one["unit"] == "s"]
    text = "\n\n".join(
        [
            table(heads, list(rows(found["errors"]))),
            f"{COUNT} random points per study and condition; {min(counts)} to {max(counts)} of them are pulses between "
            "0 and saturation.",
        ]
    )
    rewrite("docs/benchmarks.md", "pvt", text)
    heads = (
        "operation", "corner", "degC", "supply", "columns with a pulse", "without", "rms, ps", "rms, % of t_max",
        "noise floor, % of t_max", "stated, ps",
    )  # fmt: skip
    more = table(heads, list(columns(found["columns"])))
    rewrite("docs/benchmarks.md", "pvt-columns", more)
    print(f"{text}\n\n{more}")


if __name__ == "__main__":
    main()
