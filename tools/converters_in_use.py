"""Converters in an array: errors of pulses with and without shared bias, course of the charge and bias current.

    python tools/converters_in_use.py results.json --simulate
    python tools/converters_in_use.py results.json

The first command simulates random charges, drawn after the fits (three minutes on two cores), the second writes the
table of docs/benchmarks.md.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from markdown_table import NONE, table
from marked_block import rewrite

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.spice.pool import Pool
from gaincell_char.sweeping.run import OK
from gaincell_char.sweeping.scattered import characterize_scattered
from gaincell_char.torch import ReLUC2P, SignedC2P
from gaincell_char.validation.array_netlist import ArrayCircuit
from gaincell_char.workflows.noise_floors import find_packaged_noise

SEED = 20261202
CONVERTERS: dict[str, Any] = {"scores": ReLUC2P, "values": SignedC2P}
RANGES = {"scores": (0.03e-12, 1.1e-12), "values": (-0.54e-12, 0.54e-12)}
"""Charges [C] with a pulse below the longest at every condition of the table."""
AWAY = 0.03e-12
"""Smallest charge [C]: nearer to the threshold a femtocoulomb decides whether there is a pulse."""
SHARED, COURSES, BIASES = 64, 24, 48
BIAS = (9.2e-6, 10.8e-6)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Corner and temperature [degC]."""

    corner: str
    temp: float

    def __str__(self) -> str:
        """The condition as the table shows it."""
        return f"{self.corner}, {self.temp:g} degC"


TYPICAL, WARM, HOT = (Condition(corner=c, temp=t) for c, t in (("tt", 27.0), ("tt", 85.0), ("ff", 125.0)))


def draw_charges(name: str, count: int, rng: np.random.Generator) -> Any:
    """Charges [C] of one operation, none nearer to the threshold than `AWAY`."""
    found = rng.uniform(*RANGES[name], 4 * count)
    return found[np.abs(found) >= AWAY][:count]


def convert(name: str, at: Condition, courses: Any, times: Any, pool: Pool, *, shared: bool) -> Any:
    """Pulses [s] of charges over time, one course for each converter; those that share no bias in decks of eight."""
    head = registry.load_head("attention")
    operation = head.operation(name)
    circuit = ArrayCircuit(head=head, operation=operation, corner=at.corner, temp=at.temp, shared_bias=shared)
    assert np.array_equal(circuit.times, times)
    size = len(courses) if shared else 8
    decks = [circuit.conversions(courses[first : first + size]) for first in range(0, len(courses), size)]
    found = {}
    for (k, _), outcome in pool.map(list(enumerate(decks)), lambda job: job[1], count=len(decks)):
        if outcome.reason:
            raise SystemExit(outcome.reason)
        mine = range(len(courses[k * size : (k + 1) * size]))
        found[k] = [float(circuit.outputs(outcome.vectors, c)[0][operation.output]) for c in mine]
    return np.array([pulse for k in sorted(found) for pulse in found[k]])


def _ramp(name: str, at: Condition) -> tuple[Any, Any]:
    """Times [s] of a course, and the part of a steady charge that has arrived by then."""
    head = registry.load_head("attention")
    circuit = ArrayCircuit(head=head, operation=head.operation(name), corner=at.corner, temp=at.temp)
    return circuit.times, np.clip((circuit.times - circuit.t_on) / circuit["t_max"], 0.0, 1.0)


def shared_bias(name: str, pool: Pool) -> dict[str, Any]:
    """Errors of converters that share one bias."""
    times, part = _ramp(name, TYPICAL)
    charge = draw_charges(name, SHARED, np.random.default_rng([SEED, 1]))
    spice = convert(name, TYPICAL, charge[:, None] * part, times, pool, shared=True)
    given = torch.from_numpy(charge)
    models = [CONVERTERS[name].from_records("gc28", shared_bias=shared) for shared in (False, True)]
    return _row(name, f"{SHARED} converters share one bias", TYPICAL, spice, *(m(given).numpy() for m in models))


def course(name: str, at: Condition, pool: Pool) -> dict[str, Any]:
    """Errors of charges that swing on their way: a triangle is added, and the course stays in the valid range."""
    times, part = _ramp(name, at)
    rng = np.random.default_rng([SEED, 2])
    charge = draw_charges(name, COURSES, rng)
    low, high = -0.2e-12 if name == "scores" else -0.7e-12, 1.4e-12 if name == "scores" else 0.7e-12
    swing = rng.uniform(low - np.minimum(charge, 0) / 2, high - np.maximum(charge, 0)) * 0.9
    triangle = 1 - np.abs(2 * part - 1)
    spice = convert(name, at, charge[:, None] * part + swing[:, None] * triangle, times, pool, shared=False)
    converter = CONVERTERS[name].from_records(gc.records_at("gc28", corner=at.corner, temp=at.temp))
    given, moved = torch.from_numpy(charge), torch.from_numpy(swing)
    return _row(name, "charge swings on its way", at, spice, converter(given).numpy(), converter(given, moved).numpy())


def bias_current(name: str, at: Condition, pool: Pool) -> dict[str, Any]:
    """Errors of converters whose bias current is up to 8 % off."""
    rng = np.random.default_rng([SEED, 3])
    charge = draw_charges(name, BIASES, rng)
    bias = rng.uniform(*BIAS, BIASES)
    operation = registry.load_head("attention").operation(name)
    plan = registry.plan_bench(
        operation.converter,
        "transfer",
        sweep={"q_in": [0.0], "i_bias": list(BIAS)},
        corners=(at.corner,),
        temps=(at.temp,),
        own_sweep=False,
    )
    where: list[dict[str, float | str]] = [
        {"corner": at.corner, "temp": at.temp, "q_in": float(f"{q:.12g}"), "i_bias": float(f"{i:.12g}")}
        for q, i in zip(charge, bias, strict=True)
    ]
    rows = characterize_scattered(plan, where, pool).table
    if (rows["status"] != OK).any():
        raise SystemExit(f"{operation.converter}: a point failed")
    q, i = (torch.from_numpy(rows[name].to_numpy(dtype=float, copy=True)) for name in ("q_in", "i_bias"))
    kind = CONVERTERS[name]
    nominal = kind.from_records(gc.records_at("gc28", temp=at.temp))(q).numpy()
    own = [
        float(kind.from_records(gc.records_at("gc28", temp=at.temp, i_bias=float(current)))(one[None])[0])
        for one, current in zip(q, i, strict=True)
    ]
    spice = rows[operation.output].to_numpy(dtype=float)
    return _row(name, "bias current up to 8 % off", at, spice, nominal, np.array(own))


def _row(name: str, effect: str, at: Condition, spice: Any, without: Any, with_it: Any) -> dict[str, Any]:
    rms = [float(np.sqrt(np.mean((model - spice) ** 2))) for model in (without, with_it)]
    worst = float(np.abs(with_it - spice).max())
    converter = registry.load_head("attention").operation(name).converter
    about = {"converter": converter, "effect": effect, "at": str(at), "n": len(spice)}
    return about | {"without": rms[0], "rms": rms[1], "worst": worst}


def simulate(workers: int) -> Iterator[dict[str, Any]]:
    """Errors of both converters for each effect."""
    with Pool(workers, timeout_s=590) as pool:
        for name in CONVERTERS:
            yield shared_bias(name, pool)
            yield from (course(name, at, pool) for at in (TYPICAL, WARM, HOT))
            yield from (bias_current(name, at, pool) for at in (TYPICAL, WARM))


def rows(found: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """One row per effect, condition and converter."""
    for one in sorted(found, key=lambda one: one["effect"]):
        without, rms, worst = (_show(one[name]) for name in ("without", "rms", "worst"))
        floor = noise_floor(one["converter"]) if one["at"] == str(TYPICAL) else NONE
        yield (one["effect"], f"`{one['converter']}`", one["at"], f"{one['n']}", without, rms, floor, worst)


def _show(error: float) -> str:
    """An error [s] in picoseconds."""
    return f"{1e12 * error:.0f} ps" if error >= 99.5e-12 else f"{1e12 * error:.2g} ps"


def noise_floor(converter: str) -> str:
    """Rms jitter of the pulses of a converter at tt and 27 degC."""
    record = registry.load_record("gc28", f"{converter}.transfer")
    found = find_packaged_noise(record, record.fits[-1])
    return NONE if found is None else f"{1e12 * found:.2g} ps"


def main() -> None:
    """Simulate, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.simulate:
        arguments.results.write_text(json.dumps([*simulate(arguments.workers)]), encoding="utf-8")
        return
    heads = (
        "effect",
        "converter",
        "condition",
        "charges",
        "rms without its term",
        "rms with it",
        "noise floor",
        "worst with it",
    )
    text = table(heads, list(rows(json.loads(arguments.results.read_text(encoding="utf-8")))))
    rewrite("docs/benchmarks.md", "converters in use", text)
    print(text)


if __name__ == "__main__":
    main()
