"""Retention and window of cells with a write transistor in silicon and in an oxide semiconductor.

    python tools/window.py

The window is the number of tokens that are written before the stored value of the first one has moved by a given
amount: the retention divided by the time per token.  Retention is that of the lowest or the highest level of the DAC,
whichever moves first; other levels leak less.  It writes a table of docs/technologies.md.
"""

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from markdown_table import digits, power, table
from marked_block import rewrite

from gaincell_char import registry, units
from gaincell_char.spice.pool import Pool
from gaincell_char.sweeping.run import characterize
from gaincell_char.torch import Decay, WriteSchedule

TIMES = {"gc28": np.geomspace(1e-9, 1.0, 181), "osfet": np.geomspace(1e-3, 1e3, 121)}
TEMPS = (27.0, 85.0)
VDD, LEVELS = 0.9, 8
LOSSES = {"1 mV": 1e-3, "half an LSB of 3 bits (64 mV)": VDD / (LEVELS - 1) / 2}
TOKEN = 65e-9
"""Time per token [s]; Leroux et al. 2025."""
IDLE, RAIL, IN_USE = "idle at `vdd`/2", "held at the worse rail", "in use, by the model"
Values = np.ndarray[Any, Any]


def simulate(technology: str, pool: Pool) -> dict[tuple[str, float], Values]:
    """State of the write bitline and temperature -> movement [V] of the level that moves most, shape (n_times,)."""
    plan = registry.plan_bench(
        "capacitor_decay", "decay", technology=technology, temps=list(TEMPS),
        sweep={"v_wbl": [0.0, VDD / 2, VDD], "v_init": [0.0, VDD], "time": TIMES[technology].tolist()},
    )  # fmt: skip
    result = characterize(plan, pool=pool)
    assert not result.failures
    found = {}
    for temp in TEMPS:
        v_store = result.dataset.v_store.sel(temp=temp).isel(corner=0)
        moved = np.abs(v_store - v_store.v_init).max("v_init").transpose("v_wbl", "time").to_numpy()
        found |= {(IDLE, temp): moved[1], (RAIL, temp): moved.max(axis=0)}
    return found


def predict(technology: str) -> dict[tuple[str, float], Values]:
    """The same with a write bitline that is used for every token of a tile, by the software model of the records."""
    cell = registry.load_circuit("gain_cell")
    own = registry.load_technology(technology).sizes("gain_cell", cell.params | cell.bench("write").params)
    schedule = WriteSchedule(t_token=TOKEN, t_write=float(own.get("t_write", 10e-9)))
    v_init = torch.tensor([[0.0], [VDD]], dtype=torch.float64)
    times = torch.from_numpy(TIMES[technology])
    found = {}
    for temp in TEMPS:
        decay = Decay.from_records(technology, schedule=schedule, outside="extrapolate", temp=temp)
        found[IN_USE, temp] = (decay(v_init, times) - v_init).abs().max(0).values.numpy()
    return found


def crossing(moved: Values, times: Values, loss: float) -> float:
    """Time [s] at which a level has moved so far; infinite or minus infinite outside the simulated times."""
    if moved[0] >= loss:
        return float("-inf")
    return float(np.interp(loss, np.maximum.accumulate(moved), times)) if moved.max() >= loss else float("inf")


def show(retention: float, times: Values) -> tuple[str, str]:
    """Retention and window, a bound if the retention is censored."""
    sign = {float("inf"): "> ", float("-inf"): "< "}.get(retention, "")
    bound = {float("inf"): times[-1], float("-inf"): times[0]}.get(retention, retention)
    tokens = bound / TOKEN
    window = power(tokens, 1) if tokens >= 1e4 else digits(tokens, 2)
    return f"{sign}{units.show(float(f'{bound:.2g}'), 's')}", f"{sign}{window}"


def window_rows(pool: Pool) -> Iterator[list[str]]:
    """Rows of the table: technology, temperature, bitline, and both losses."""
    for technology, times in TIMES.items():
        found = simulate(technology, pool) | predict(technology)
        for temp in TEMPS:
            for bitline in (IDLE, IN_USE, RAIL):
                row = [technology, f"{temp:g}", bitline]
                for loss in LOSSES.values():
                    row += show(crossing(found[bitline, temp], times, loss), times)
                yield row


def main() -> None:
    """Rewrite the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    losses = [f"{what}, {loss}" for loss in LOSSES for what in ("retention", "window [tokens]")]
    with Pool(1) as pool:
        rows = list(window_rows(pool))
    rewrite("docs/technologies.md", "window", table(["technology", "degC", "write bitline", *losses], rows))


if __name__ == "__main__":
    main()
