"""Spread of the leakage between cells, compared with SPICE samples: a table of docs/benchmarks.md.

    python tools/leak_spread.py [-n 400] [--seed 97]

The samples are drawn after the fit, with a seed of their own.
"""

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
from markdown_table import table
from marked_block import rewrite

import gaincell_char as gc
from gaincell_char import registry

LEVELS = (0.05, 0.2, 0.3, 0.6, 0.8, 0.88)
IDLE = 0.45
DRAWN = 400_000
Values = np.ndarray[Any, Any]


def simulate(n: int, seed: int) -> Values:
    """Logarithm of the leakage of `n` cells with mismatch, shape (n, levels)."""
    found = gc.monte_carlo(
        "capacitor_decay",
        "leak",
        n=n,
        seed=seed,
        vary="mismatch",
        sampler="random",
        axes={"v_store": [*LEVELS], "v_wbl": [IDLE]},
    )
    assert not found.failures
    return np.log(np.abs(found.samples.pivot(index="sample", columns="v_store", values="i_leak").to_numpy()))


def draw(seed: int) -> Values:
    """The same by the records."""
    leaks = registry.load_random(registry.load_record("gc28", "capacitor_decay.leak_both"), "random_leaks")
    numbers = leaks.draw(1, DRAWN, seed, ("mismatch",))
    at = np.array(LEVELS)[:, None]
    return np.log(np.abs(leaks(at, np.full_like(at, IDLE), **numbers))).T


def rows(simulated: Values, drawn: Values) -> Iterator[tuple[str, ...]]:
    """Quantity, SPICE, model."""
    for index, level in enumerate(LEVELS):
        yield (
            f"sigma of ln(leak) at {level:g} V",
            "15 % or 0.02",
            f"{simulated[:, index].std(ddof=1):.3f}",
            f"{drawn[:, index].std():.3f}",
        )
    ends = [np.corrcoef(x[:, 0], x[:, -1])[0, 1] for x in (simulated, drawn)]
    yield f"correlation of ln(leak) at {LEVELS[0]:g} and {LEVELS[-1]:g} V", "0.1", *(f"{x:.2f}" for x in ends)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=400)
    parser.add_argument("--seed", type=int, default=97)
    arguments = parser.parse_args()
    heads = ("figure", "largest difference allowed", f"SPICE, {arguments.n} samples", "model")
    text = table(heads, list(rows(simulate(arguments.n, arguments.seed), draw(arguments.seed))))
    rewrite("docs/benchmarks.md", "leak spread", text)
    print(text)


if __name__ == "__main__":
    main()
