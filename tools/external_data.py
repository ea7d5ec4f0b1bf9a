"""Accuracy of fits to measured tables: writes the table of docs/external-data.md.

python tools/external_data.py
"""

import argparse
from collections.abc import Iterator

import numpy as np
import pandas as pd
from markdown_table import NONE, power, table
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


def refit() -> float:
    """Largest relative deviation of a coefficient, fitted to a table of the published polynomial."""
    exact = fit(I_BL).values()
    return max(abs(exact[name] / value - 1) for name, value in PUBLISHED.items() if value)


def inside() -> float:
    """Share of the coefficients, over many noisy tables, whose 95 % interval contains the published value."""
    found: list[bool] = []
    for seed in range(SEEDS):
        noisy = I_BL + 1e-7 * np.random.default_rng(seed).standard_normal(V.size)
        fitted = fit(noisy, sigma="s").coefficients
        found += [abs(fitted[n].value - v) < 1.96 * fitted[n].stderr for n, v in PUBLISHED.items() if fitted[n].stderr]
    return float(np.mean(found))


def with_outliers(policy: str) -> float:
    """Largest deviation of the curve, relative to its range, where two points of the table are wrong."""
    bad = I_BL + 2e-8 * np.random.default_rng(1).standard_normal(V.size)
    bad[[5, 20]] += 8e-6
    return float(np.abs(CUBIC(V, **fit(bad, outliers=policy).values()) - I_BL).max() / np.ptp(I_BL))


def rows() -> Iterator[tuple[str, str, str]]:
    """Figure, target and measured value."""
    yield "table of the published polynomial, in mV and uA: worst coefficient, relative", "1e-9", power(refit())
    yield (
        f"0.1 uA of noise, {SEEDS} tables: 95 % intervals that contain the coefficient",
        "95 %",
        f"{100 * inside():.1f} %",
    )
    for policy in OUTLIERS:
        yield (
            f"2 of 37 points wrong by 8 uA, `--outliers {policy}`: worst error of the curve",
            NONE,
            f"{100 * with_outliers(policy):.2f} %",
        )


def main() -> None:
    """Rewrite the page's table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    text = table(("figure", "target", "measured"), rows())
    rewrite("docs/external-data.md", "data", text)
    print(text)


if __name__ == "__main__":
    main()
