"""Retention of silicon and oxide-semiconductor cells over twelve decades, and errors of the fits in each technology.

    python tools/technologies.py

It simulates the retention, reads the packaged records, and writes the tables of docs/technologies.md and the picture
docs/images/retention.png.  No number of a table is typed by hand.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from markdown_table import table
from marked_block import rewrite
from stated_errors import noise_percent, stated

from gaincell_char import registry, units
from gaincell_char.spice.pool import Pool
from gaincell_char.sweeping.run import characterize

ROOT = Path(__file__).parents[1]
TIMES = np.geomspace(1e-9, 1e3, 97)
HALF_LSB = 0.9 / 7 / 2
TECHNOLOGIES = ("gc28", "sky130", "gf180mcu", "ihp-sg13g2", "osfet")
CELLS = (
    ("silicon: gc28, svt write transistors", "gc28", {}),
    ("silicon: gc28, uhvt write transistors", "gc28", {"write_flavour": "uhvt"}),
    ("oxide write transistor, thin-oxide read transistors", "osfet", {"read_flavour": "rvt"}),
    ("osfet: oxide write transistor, thick-oxide read transistors", "osfet", {}),
)
COLOURS = ("#0072B2", "#56B4E9", "#E69F00", "#D55E00")  # Okabe and Ito


def decay(pool: Pool, technology: str, set_: dict[str, str], **options: float):  # type: ignore[no-untyped-def]
    """Stored voltage over time, from both rails."""
    plan = registry.plan_bench(
        "capacitor_decay", "decay", technology=technology, set_=set_, options=options,
        sweep={"time": TIMES.tolist(), "v_wbl": ["vdd/2"], "v_init": [0.0, 0.9]},
    )  # fmt: skip
    return characterize(plan, pool=pool).dataset.v_store.isel(corner=0, temp=0, v_wbl=0)


def retention(v_store) -> str:  # type: ignore[no-untyped-def]
    """Time until either voltage has changed by half an LSB of 3 bits."""
    moved = np.abs(v_store - v_store.v_init).max("v_init").to_numpy()
    if moved[-1] < HALF_LSB:
        return f"over {units.show(TIMES[-1], 's')}"
    return units.show(float(f"{np.exp(np.interp(HALF_LSB, moved, np.log(TIMES))):.2g}"), "s")


def retention_rows(pool: Pool) -> list[tuple[str, str]]:
    """Draw the picture; a row per cell."""
    figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    rows = []
    for (name, technology, set_), colour in zip(CELLS, COLOURS, strict=True):
        v_store = decay(pool, technology, set_)
        for v_init, style in ((0.9, "-"), (0.0, "--")):
            axes.semilogx(
                TIMES, v_store.sel(v_init=v_init), style, color=colour, lw=1.8, label=name if style == "-" else None
            )
        rows.append((name, retention(v_store)))
    axes.set(
        xlabel="time since the write [s]", ylabel="v_store [V]", title="A cell written high (solid) and low (dashed)"
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left")
    figure.savefig(ROOT / "docs" / "images" / "retention.png", dpi=110)
    return rows


def gmin_rows(pool: Pool) -> list[tuple[str, str]]:
    """Effect of the simulator's gmin on the oxide cell: v_store 1000 s after a high value was written."""
    rows = []
    for gmin in (1e-30, 1e-27, 1e-24, 1e-21, 1e-18, 1e-15, 1e-12):
        end = float(decay(pool, "osfet", {}, gmin=gmin).sel(v_init=0.9)[-1])
        rows.append((f"{gmin:g}", f"{end:.7f}"))
    return rows


def fit_rows() -> Iterator[tuple[str, ...]]:
    """Errors of one model of each study in each technology, at random points that were simulated after the fit."""
    for study, model, output in (
        ("gain_cell.dc", "ekv", "current at `v_in` = `vdd`"),
        ("gain_cell.pulse", "ekv_charge", "charge per pulse"),
        ("gain_cell_switched.dc", "ekv", "current at `v_in` = `vdd`"),
        ("capacitor_decay.decay", "four_leaks", "stored voltage"),
        ("relu_c2p.transfer", "relu_knee", "pulse width"),
        ("signed_c2p.transfer", "signed_knee", "signed pulse width"),
    ):
        for technology in TECHNOLOGIES:
            record = registry.load_record(technology, study)
            fit = registry.load_model(record, model).fit
            errors = stated(fit)
            floor = noise_percent(record, fit)
            worst = f"{100 * abs(errors.worst) / fit.full_range:.2f} %"
            numbers = (f"{errors.r2:.7f}", f"{100 * errors.nrmse:.4f} %", worst, floor)
            yield f"`{study}`", output, f"`{fit.model}`", technology, *numbers


FITS = ("record", "output", "model", "technology", "R2", "NRMSE", "worst", "noise floor")


def main() -> None:
    """Rewrite the page's tables and its picture."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with Pool(2) as pool:
        tables = {
            "retention": table(("cell", "retention"), retention_rows(pool)),
            "gmin": table(("gmin [S]", "v_store after 1000 s [V]"), gmin_rows(pool)),
        }
    tables["fits"] = table(FITS, fit_rows())
    for name, text in tables.items():
        rewrite("docs/technologies.md", name, text)


if __name__ == "__main__":
    main()
