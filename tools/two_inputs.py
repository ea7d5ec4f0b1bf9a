"""Error of the two-input current in every technology at corners and temperatures: a table of docs/technologies.md.

    python tools/two_inputs.py

At each corner and temperature the model is fitted to the grid of the bench and compared with random points over the
closed range, which are drawn after the fit (about two minutes on two cores).
"""

import argparse
from collections.abc import Iterator

import numpy as np
from markdown_table import table
from marked_block import rewrite

from gaincell_char import registry
from gaincell_char.declare.parameters import numbers
from gaincell_char.fitting.fit import fit_model
from gaincell_char.fitting.points import select
from gaincell_char.spice.pool import Pool
from gaincell_char.sweeping.plan import SweepPlan
from gaincell_char.sweeping.run import OK, characterize
from gaincell_char.sweeping.scattered import characterize_scattered

CIRCUIT, BENCH, MODEL, OUTPUT = "gain_cell", "dc", "ekv_2d", "i_bl"
INPUTS = ("v_store", "v_in")
TECHNOLOGIES = ("gc28", "sky130", "gf180mcu")
PLACES = (("tt", 27.0), ("ss", -40.0), ("ss", 125.0), ("ff", -40.0), ("ff", 125.0), ("sf", 27.0), ("fs", 27.0))
"""Corners, and temperatures [degC]."""
COUNT, SEED = 400, 20261201
TARGET, TARGET_WORST = "0.1 %", "0.5 %"


def plan_at(technology: str, corner: str, temp: float) -> SweepPlan:
    """The grid of the bench at one corner and temperature."""
    return registry.plan_bench(CIRCUIT, BENCH, technology=technology, corners=[corner], temps=[temp])


def draw(plan: SweepPlan, number: int) -> list[dict[str, float | str]]:
    """Random points over the closed range of the grid; its four corners are among them."""
    rng = np.random.default_rng([SEED, number])
    ranges = {name: np.array(plan.sweep[name], dtype=float) for name in INPUTS}
    ends = [[(x.min(), x.max())[side] for x, side in zip(ranges.values(), (a, b), strict=True)]
            for a in (0, 1) for b in (0, 1)]  # fmt: skip
    points = [*ends, *([rng.uniform(x.min(), x.max()) for x in ranges.values()] for _ in range(COUNT - len(ends)))]
    [v_bl] = plan.sweep["v_bl"]
    condition: dict[str, float | str] = {"corner": plan.corners[0], "temp": plan.temps[0], "v_bl": float(v_bl)}
    return [{**condition, **{name: float(f"{x:.9g}") for name, x in zip(INPUTS, at, strict=True)}} for at in points]


def rows(pool: Pool) -> Iterator[tuple[str, ...]]:
    """One row per technology, corner and temperature."""
    model = registry.load_circuit(CIRCUIT).model(MODEL)
    for technology in TECHNOLOGIES:
        for number, (corner, temp) in enumerate(PLACES):
            plan = plan_at(technology, corner, temp)
            dataset = characterize(plan, pool=pool).dataset
            table_ = dataset.to_dataframe().reset_index()
            [points] = select(model, table_, list(map(str, dataset.dims)), numbers(plan.fixed))
            fit = fit_model(model, points, numbers(plan.fixed), "A", leave_out=False)
            found = characterize_scattered(plan, draw(plan, number), pool).table
            assert (found["status"] == OK).all()
            predicted = model(*(found[name].to_numpy(dtype=float) for name in INPUTS), **fit.values())
            error = (predicted - found[OUTPUT].to_numpy(dtype=float)) / fit.full_range
            rms, worst = float(np.sqrt(np.mean(error**2))), float(np.abs(error).max())
            yield (
                technology, corner, f"{temp:g}", TARGET, f"{100 * rms:.3f} %", TARGET_WORST, f"{100 * worst:.2f} %",
            )  # fmt: skip


def main() -> None:
    """Simulate, fit, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    heads = ("technology", "corner", "degC", "NRMSE: target", "NRMSE: measured", "worst: target", "worst: measured")
    with Pool(parser.parse_args().workers) as pool:
        text = table(heads, rows(pool))
    rewrite("docs/technologies.md", "two-inputs", text)
    print(text)


if __name__ == "__main__":
    main()
