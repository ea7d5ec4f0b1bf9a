"""Compare the software model with NumPy, the published model and SPICE, and its speed with SPICE and other attention.

    python benchmarks/software_model.py --out measured            every part except the last, about six minutes
    python benchmarks/software_model.py --out measured whole      a 64x64 array in one netlist, about 15 minutes

Each part writes ``measured/model_<part>.json``; tools/readme_model.py makes the tables from them.
"""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gaincell_char import registry
from gaincell_char.spice.pool import Pool
from gaincell_char.torch import Attention, GainCellArray, ReLUC2P, attention
from gaincell_char.validation import score, simulate
from gaincell_char.validation.array_netlist import ArrayCircuit
from gaincell_char.validation.cases import cases, make_validation
from gaincell_char.validation.software_model import make_software_models, pulses_of

C = [[0.17393044, 0.15653739, 0.14088365, 0.12679529], [5.51975209, 4.96777688, 4.4709992],
     [-1.44776001, -1.30298401], [46.05483778]]  # fmt: skip
V_IN, V_REF, S_SAT, A_SAT = 0.9, 0.45, 80.0, 40.0
HEADS, TOKENS, DIM, ROUNDS = 12, 1024, 64, 9
T_MAX, BATCH = 15e-9, 64


def parity() -> dict[str, Any]:
    """PyTorch compared with NumPy for every packaged fit; the paper's records with the published formulas in NumPy."""
    worst, count = 0.0, 0
    for tech in registry.record_sets():
        for name in registry.record_names(tech):
            record = registry.load_record(tech, name)
            for fit in record.fits:
                function = registry.load_circuit(record.circuit).model(fit.model)
                rng = np.random.default_rng(count)
                inputs = [rng.uniform(*fit.valid_range[i], 2000) for i in fit.inputs]
                ours = function(*inputs, **fit.values())
                theirs = function(*map(torch.from_numpy, inputs), **fit.values()).numpy()
                worst, count = max(worst, float(np.abs(theirs - ours).max() / np.abs(ours).max())), count + 1
    return {"fits": count, "torch_against_numpy": worst, "published": max(map(published, (0.0, 1.6e-4)))}


def published(rate: float) -> float:
    """Largest difference of scores, pulses and outputs from the published formulas, relative to the largest of each."""
    generator = torch.Generator().manual_seed(1)
    q, k, v = (torch.rand((4, 256, DIM), generator=generator, dtype=torch.float64) for _ in range(3))
    k, v = V_IN * k, V_IN * v
    ours = attention(q, k, v, records="paper", decay_per_token=rate, return_intermediates=True)
    x, y, z = (a.numpy() for a in (q, k, v))
    c = [sum(value * V_IN**j for j, value in enumerate(row)) for row in C]
    age = np.arange(256)[:, None] - np.arange(256)
    decay = np.exp(-rate * np.maximum(age, 0))
    s = sum(c[i] * decay**i * (x @ np.swapaxes((y - V_REF) ** i, -1, -2)) for i in range(4)) * (age >= 0)
    phi = np.clip(s / S_SAT, 0, 1)
    output = np.clip(sum(c[i] * ((phi * decay**i) @ (z - V_REF) ** i) for i in range(4)) / A_SAT, -1, 1)
    truth = {"S": s, "phi_S": phi, "output": output}
    return max(float(np.abs(ours[n].numpy() - t).max() / np.abs(t).max()) for n, t in truth.items())


def compared(folder: Path, **request: Any) -> dict[str, Any]:
    """One comparison, as made by the command: its summary, coverage, and time [s]."""
    comparison = make_validation(**request)
    models = make_software_models(comparison)
    todo = list(cases(comparison, pulses_of(models["scores"])))
    with Pool(2, timeout_s=600) as pool:
        done = simulate.run_validation(comparison, todo, folder, pool)
        version = pool.version
    judged = score.judge(comparison, models, simulate.finished_cases(comparison, folder, todo), todo)
    return {
        "ngspice": version, "spice_s": done.spice_s, "summary": judged.summary.to_dict("records"),
        "coverage": [cover.describe() for cover in judged.coverage],
    }  # fmt: skip


def spice(out: Path) -> dict[str, Any]:
    """The comparisons of the table, 64 tokens of 64 dimensions each."""
    return {
        "ideal": compared(out / "ideal", instances=24, columns=1),
        "resistor": compared(out / "resistor", instances=24, columns=1, clamp="resistor", r_clamp=300.0),
        "passive": compared(out / "passive", instances=24, columns=1, clamp="passive", head="attention_switched"),
        "mismatch": compared(out / "mismatch", instances=9, columns=0, mismatch=True),
    }


def operations(_: Path) -> dict[str, Any]:
    """A 64x64 array, both operations: cells and converters in SPICE on two cores, and the same in PyTorch."""
    found: dict[str, Any] = {}
    head = registry.load_head("attention")
    v, t = _array()
    with Pool(2, timeout_s=600) as pool:
        for operation in head.operations:
            circuit = ArrayCircuit(head=head, operation=operation)
            began = time.perf_counter()
            _decoupled(circuit, v, t, pool)
            found[operation.name] = {"spice_s": time.perf_counter() - began}
    array, relu = GainCellArray(torch.from_numpy(v)), ReLUC2P.from_records()
    pulses = torch.from_numpy(t)
    with torch.no_grad():
        found["torch_s"] = _median(lambda: relu(array(pulses)), 200)
        many = pulses * torch.rand((BATCH, 1), dtype=torch.float64)
        found["torch_batch_s"] = _median(lambda: relu(array(many)), 200) / BATCH
    return found


def whole(_: Path) -> dict[str, Any]:
    """A 64x64 array with its converters in one netlist, compared with its cells and converters one by one."""
    head = registry.load_head("attention")
    circuit = ArrayCircuit(head=head, operation=head.operations[0])
    v, t = _array()
    with Pool(2, timeout_s=600) as pool:
        charge, width = _decoupled(circuit, v, t, pool)
    with Pool(1, timeout_s=7200) as pool:
        began = time.perf_counter()
        [(_, outcome)] = pool.map([circuit.columns(v, t)], lambda deck: deck, count=1)
        spent = time.perf_counter() - began
    memory = _peak_mb()
    assert not outcome.reason, outcome.reason
    columns = range(v.shape[1])
    widths = np.array([float(circuit.outputs(outcome.vectors, c)[0][circuit.operation.output]) for c in columns])
    charges = circuit.charges(outcome.vectors, len(columns))
    return {
        "wall_s": spent, "memory_mb": memory, "time_points": len(outcome.vectors["time"]),
        "transistors_of_cells": 4 * v.size,
        "charge": float(np.abs(charges - charge).max() / 1.2e-12), "width": float(np.abs(widths - width).max() / T_MAX),
        "width_rms": float(np.sqrt(np.mean((widths - width) ** 2)) / T_MAX),
    }  # fmt: skip


def _peak_mb() -> float:
    """Largest memory of any finished simulator of this process [MB]."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _array() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.uniform(0, 0.9, (64, 64)), T_MAX * rng.uniform(0.01, 1, 64)


def _decoupled(circuit: ArrayCircuit, v: np.ndarray, t: np.ndarray, pool: Pool) -> tuple[np.ndarray, np.ndarray]:
    columns = v.shape[1]
    course, width = np.zeros((columns, circuit.times.size)), np.zeros(columns)
    rows = [circuit.row(v[r], t[r]) for r in range(len(t))]
    for _, outcome in pool.map(rows, lambda deck: deck, count=len(rows)):
        assert not outcome.reason, outcome.reason
        course += circuit.courses(outcome.vectors, columns)
    feet = list(enumerate(circuit.conversions(c[None]) for c in course))
    for (c, _), outcome in pool.map(feet, lambda item: item[1], count=columns):
        assert not outcome.reason, outcome.reason
        width[c] = float(circuit.outputs(outcome.vectors, 0)[0][circuit.operation.output])
    return course[:, -1], width


def speed(_: Path) -> dict[str, Any]:
    """Forward passes of 12 heads of 1024 tokens of 64 dimensions, float32, interleaved; medians in seconds."""
    torch.manual_seed(0)
    q, k, v = (torch.rand(HEADS, TOKENS, DIM) for _ in range(3))
    k, v = V_IN * k, V_IN * v
    mask = torch.ones(TOKENS, TOKENS).tril()

    def terms(x: torch.Tensor, w: torch.Tensor, decay: torch.Tensor | None, *, inputs: bool) -> torch.Tensor:
        """The published evaluation: one product per term of the cubic."""
        total = torch.zeros(())
        for i, row in enumerate(C):
            for j, c in enumerate(row):
                power = (w - V_REF) ** i
                if decay is None:
                    total = total + c * (x @ power) * V_IN**j
                elif inputs:
                    total = total + c * ((x * decay**i) @ power) * V_IN**j
                else:
                    total = total + c * (x @ power) * decay**i * V_IN**j
        return total

    def term_by_term(decay: torch.Tensor | None = None) -> torch.Tensor:
        phi = (terms(q, k.mT, decay, inputs=False) / S_SAT).clamp(0, 1) * mask
        return (terms(phi, v, decay, inputs=True) / A_SAT).clamp(-1, 1)

    age = torch.arange(TOKENS)[:, None] - torch.arange(TOKENS)
    decay = torch.exp(-1.6e-4 * age.clamp(min=0))
    compiled = {name: torch.compile(Attention(name), fullgraph=True) for name in ("gc28", "paper")}
    runs: dict[str, Callable[[], object]] = {
        "matmul": lambda: ((q @ k.mT * mask).clamp(0, S_SAT) / S_SAT) @ v,
        "softmax": lambda: (q @ k.mT / 8).masked_fill(mask == 0, -torch.inf).softmax(-1) @ v,
        "sdpa": lambda: torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True),
        "term_by_term": term_by_term,
        "term_by_term_decay": lambda: term_by_term(decay),
        "paper": lambda: attention(q, k, v, records="paper"),
        "paper_decay": lambda: attention(q, k, v, records="paper", decay_per_token=1.6e-4),
        "paper_compiled": lambda: compiled["paper"](q, k, v),
        "pulsed": lambda: attention(q, k, v, records="gc28"),
        "pulsed_compiled": lambda: compiled["gc28"](q, k, v),
    }
    taken: dict[str, list[float]] = {name: [] for name in runs}
    with torch.no_grad():
        for run in runs.values():
            run()
        for _ in range(ROUNDS):
            for name, run in runs.items():
                began = time.perf_counter()
                run()
                taken[name].append(time.perf_counter() - began)
    return {"threads": torch.get_num_threads(), "seconds": {n: statistics.median(s) for n, s in taken.items()}}


def _median(run: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "parity": lambda _: parity(), "spice": spice, "operations": operations, "speed": speed, "whole": whole,
}  # fmt: skip


def main() -> None:
    """Run the selected parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS)[:-1], help=f"which of {', '.join(PARTS)}")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for part in arguments.parts:
        began = time.perf_counter()
        found = PARTS[part](arguments.out)
        (arguments.out / f"model_{part}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"{part}: {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
