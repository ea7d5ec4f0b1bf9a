"""Stored voltage of a cell in use, compared with transients of every write: a table of docs/benchmarks.md.

    python tools/decay_in_use.py --simulate decay.json [--workers 2]   # 30 minutes on two cores
    python tools/decay_in_use.py decay.json                            # the table

The model is that of the packaged record; it knows the mean over time of the leakage and no single write.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markdown_table import NONE, table
from marked_block import rewrite

import gaincell_char as gc
from gaincell_char import registry
from gaincell_char.workflows.noise_floors import find_packaged_noise

TOKEN, WRITE, VDD = 65e-9, 10e-9, 0.9
LEVELS = tuple(VDD * n / 7 for n in range(8))
INNER = (0.2, 0.45, 0.6, 0.75)
DECADES = tuple(TOKEN * n for n in (2, 15, 154, 1538, 15385))
"""Times [s] of 0.1, 1, 10, 100 and 1000 us, in whole tokens."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Cells at several levels while a level is written to other cells, or while they are read."""

    title: str
    bench: str
    levels: tuple[float, ...]
    times: tuple[float, ...]
    temp: float
    v_data: float | None

    def simulate(self, workers: int) -> dict[str, Any]:
        """Return the stored voltage [V] of each level over the times."""
        fixed = {"t_token": TOKEN} | ({} if self.v_data is None else {"v_data": self.v_data, "t_write": WRITE})
        found = gc.sweep(
            "capacitor_decay",
            self.bench,
            axes={"v_init": list(self.levels), "tokens": [round(t / TOKEN) for t in self.times]},
            temps=(self.temp,),
            fixed=fixed,
            workers=workers,
            timeout_s=3600,
        )
        assert found.attrs["n_failed"] == 0
        values = found.v_store.isel(corner=0, temp=0).transpose("v_init", "tokens").to_numpy()
        return {"title": self.title, "simulator": found.attrs["simulator"], "v_store": values.tolist()}

    def noise_floor(self) -> float | None:
        """Rms noise of the stored voltage [V]; None if it is not known."""
        record = registry.load_record("gc28", "capacitor_decay.decay")
        return find_packaged_noise(record, record.fit("four_leaks", temp=self.temp))

    def predict(self) -> np.ndarray[Any, Any]:
        """Stored voltage [V] by the model, shape (levels, times)."""
        model = gc.load_model(registry.load_record("gc28", "capacitor_decay.decay"), "four_leaks", temp=self.temp)
        duty = 0.0 if self.v_data is None else WRITE / TOKEN
        v_wbl, shares = np.array([VDD / 2, self.v_data or 0.0]), np.array([1 - duty, duty])
        found = model.mean(np.array(self.levels)[:, None], np.array(self.times), v_wbl, shares=shares)
        return np.asarray(found, dtype=float)


def cases() -> Iterator[Case]:
    """All cases: first that of the target."""
    at_low = "0 V for 10 of every 65 ns"
    yield Case(title=at_low, bench="half_select", levels=INNER, times=DECADES[3:4], temp=27.0, v_data=0.0)
    for temp in (27.0, 85.0):
        yield Case(title=at_low, bench="half_select", levels=LEVELS, times=DECADES, temp=temp, v_data=0.0)
    at_high = "0.9 V for 10 of every 65 ns"
    yield Case(title=at_high, bench="half_select", levels=INNER, times=DECADES[3:4], temp=27.0, v_data=VDD)
    read = "idle; the cell is read for 15 of every 65 ns"
    yield Case(title=read, bench="read_disturb", levels=INNER, times=DECADES[3:4], temp=27.0, v_data=None)


def rows(found: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Write bitline, temperature, levels, time, drift in SPICE, error of the model, noise floor."""
    for case, result in zip(cases(), found, strict=True):
        noise = case.noise_floor()
        simulated, predicted = np.array(result["v_store"]), case.predict()
        for index, time in enumerate(case.times):
            drift, error = simulated[:, index] - case.levels, predicted[:, index] - simulated[:, index]
            yield (
                case.title,
                f"{case.temp:g}",
                f"{len(case.levels)}",
                f"{time / TOKEN:.0f}",
                f"{time * 1e6:.4g}",
                f"{1e3 * np.sqrt(np.mean(drift**2)):.3g}",
                f"{1e3 * np.sqrt(np.mean(error**2)):.2g}",
                f"{1e3 * np.abs(error).max():.2g}",
                NONE if noise is None else f"{1e3 * noise:.2g}",
            )


def main() -> None:
    """Simulate, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.simulate:
        found = [case.simulate(arguments.workers) for case in cases()]
        arguments.results.write_text(json.dumps(found), encoding="utf-8")
        return
    found = json.loads(arguments.results.read_text(encoding="utf-8"))
    heads = (
        "write bitline", "degC", "levels", "tokens", "time, us", "drift in SPICE, mV rms", "error of the model, mV rms",
        "worst, mV", "noise floor, mV rms",
    )  # fmt: skip
    text = table(heads, list(rows(found)))
    rewrite("docs/benchmarks.md", "decay", f"{text}\n\nSimulated with {found[0]['simulator']}.")
    print(text)


if __name__ == "__main__":
    main()
