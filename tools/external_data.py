"""What a fit to somebody else's table is worth: writes the table of docs/external-data.md.

python tools/external_data.py
"""

import argparse

import numpy as np
import pandas as pd
from marked_block import rewrite

from gaincell_char import registry
from gaincell_char.workflows.fit_table import fit_table
from gaincell_char.workflows.reading import OUTLIERS, Reading

V = np.linspace(0, 0.9, 37)
PUBLISHED = registry.load_record("paper", "gain_cell.dc").fit("cubic").values()
CUBIC = registry.load_circuit("gain_cell").model("cubic")
I_BL = CUBIC(V, **PUBLISHED)
COLUMNS, UNITS = {"v_store": "v", "i_bl": "i"}, {"v_store": "mV", "i_bl": "uA"}
SEEDS = 200


def fit(i_bl, **policy):  # type: ignore[no-untyped-def]
    """Fit the cubic to a table in mV and uA."""
    frame = pd.DataFrame({"v": 1e3 * V, "i": 1e6 * i_bl, "s": 0.1})
    reading = Reading(columns=COLUMNS, units=UNITS, **policy)
    return fit_table(frame, circuit="gain_cell", models=["cubic"], reading=reading)[0].fits[0]


def rows() -> list[str]:
    """Figure and what was measured."""
    exact = fit(I_BL).values()
    off = max(abs(exact[name] / value - 1) for name, value in PUBLISHED.items() if value)
    inside: list[bool] = []
    for seed in range(SEEDS):
        noisy = I_BL + 1e-7 * np.random.default_rng(seed).standard_normal(V.size)
        found = fit(noisy, sigma="s").coefficients
        inside += [abs(found[n].value - v) < 1.96 * found[n].stderr for n, v in PUBLISHED.items() if found[n].stderr]
    bad = I_BL + 2e-8 * np.random.default_rng(1).standard_normal(V.size)
    bad[[5, 20]] += 8e-6
    scatter = {
        policy: np.abs(CUBIC(V, **fit(bad, outliers=policy).values()) - I_BL).max() / np.ptp(I_BL)
        for policy in OUTLIERS
    }
    return [
        "| figure | measured |", "|---|---|",
        f"| cubic refit of the published polynomial, in mV and uA: worst coefficient, relative | {off:.0e} |",
        f"| 0.1 uA of noise, {SEEDS} tables: 95 % intervals hold the truth | {100 * np.mean(inside):.1f} % |",
        "| 2 of 37 points 8 uA off: worst error of the curve, of its range, " + ", ".join(OUTLIERS) + " | "
        + ", ".join(f"{100 * scatter[policy]:.2f} %" for policy in OUTLIERS) + " |",
    ]  # fmt: skip


def main() -> None:
    """Rewrite the page's table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    text = "\n".join(rows())
    rewrite("docs/external-data.md", "data", text)
    print(text)


if __name__ == "__main__":
    main()
