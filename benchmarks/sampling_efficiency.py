"""Simulations for the same error of mean and sigma: Sobol points and Latin hypercubes compared with random draws.

``python benchmarks/sampling_efficiency.py [--seeds 32] [--out sampling_efficiency.json]``: the cell's bitline
current with every device and the die drawn, at three stored voltages; each sampler from many seeds.  The error is
the root mean square over seeds, relative to all Sobol samples together.  Errors of random draws decrease with the
square root of n, so the number of random draws with the same error follows from a line fitted to the measured errors.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from gaincell_char.montecarlo.campaign import plan_campaign
from gaincell_char.montecarlo.execute import simulate_samples
from gaincell_char.spice.pool import Pool

COUNTS = (64, 256, 1024)
V_STORE = (0.0, 0.45, 0.9)


def outputs(kind: str, seed: int, n: int, pool: Pool) -> Any:
    """Bitline current of `n` samples, shape (n, len(V_STORE))."""
    campaign = plan_campaign(
        "gain_cell", "dc", vary="both", sampler=kind, seed=seed, block=n, sweep={"v_store": list(V_STORE)}
    )
    found = [float(item.values["i_bl"]) for item in simulate_samples(campaign, n, pool)]
    return np.array(found).reshape(n, len(V_STORE))


def statistics(values: Any) -> Any:
    """Mean and sigma, shape (2, len(V_STORE))."""
    return np.stack([values.mean(axis=0), values.std(axis=0, ddof=1)])


def measure(seeds: int) -> dict[str, Any]:
    """Errors in units of sigma, by sampler and count: shape (len(COUNTS), 2, len(V_STORE))."""
    found: dict[str, list[Any]] = {kind: [] for kind in ("sobol", "lhs", "random")}
    everything = []
    with Pool() as pool:
        for seed in range(1, seeds + 1):
            for kind in found:
                if kind == "lhs":  # one hypercube per size: the first samples of a hypercube are not a hypercube
                    parts = [outputs(kind, seed, n, pool) for n in COUNTS]
                else:
                    whole = outputs(kind, seed, COUNTS[-1], pool)
                    parts = [whole[:n] for n in COUNTS]
                found[kind].append([statistics(part) for part in parts])
                if kind == "sobol":
                    everything.append(parts[-1])
    truth = statistics(np.concatenate(everything))
    return {
        kind: np.sqrt(np.mean((np.array(values) - truth) ** 2, axis=0)) / truth[1] for kind, values in found.items()
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=32)
    parser.add_argument("--out", type=Path, default=Path("sampling_efficiency.json"))
    given = parser.parse_args()
    errors = measure(given.seeds)
    root = np.sqrt(np.array(COUNTS))[:, None, None]
    scale = (errors["random"] * root).mean(axis=0)
    rows = []
    for kind in ("sobol", "lhs"):
        fewer = (scale / errors[kind]) ** 2 / np.array(COUNTS)[:, None, None]
        for i, n in enumerate(COUNTS):
            for j, name in enumerate(("mean", "sigma")):
                rows.append({
                    "sampler": kind, "n": n, "of": name, "error": float(errors[kind][i, j].max()),
                    "random error": float(errors["random"][i, j].max()), "fewer": float(fewer[i, j].min()),
                })  # fmt: skip
    given.out.write_text(json.dumps({"seeds": given.seeds, "v_store": V_STORE, "rows": rows}, indent=1) + "\n")
    print("| sampler | n | of | error [sigma] | random [sigma] | times fewer simulations |\n|" + " --- |" * 6)
    for row in rows:
        print("| {sampler} | {n} | {of} | {error:.2g} | {random error:.2g} | {fewer:.3g} |".format(**row))


if __name__ == "__main__":
    main()
