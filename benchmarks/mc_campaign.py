"""Time by number of samples, memory, and failed samples of long campaigns.

``python benchmarks/mc_campaign.py [--rounds 3] [--out mc_campaign.json]``: the cell's pulse bench with its measured
step control, as in ``gaincell mc``, and its DC bench for the random cells.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from mc_throughput import ACCURACY, rss_kb

from gaincell_char import registry
from gaincell_char.montecarlo import results
from gaincell_char.montecarlo.analysis import analyse
from gaincell_char.montecarlo.campaign import Campaign, plan_campaign
from gaincell_char.montecarlo.execute import run_campaign
from gaincell_char.montecarlo.finished import read_finished
from gaincell_char.spice.pool import Pool
from gaincell_char.sweeping.run import FAILED

COUNTS = (1000, 5000, 20000)
LONG = 40000
SPOILED_EVERY = 20
CELLS = 1024


def pulse() -> Campaign:
    """One charge of the cell."""
    pareto = registry.load_steps("gc28", "gain_cell", "pulse")
    assert pareto is not None
    steps = pareto.choose(ACCURACY).steps
    return plan_campaign("gain_cell", "pulse", vary="mismatch", sweep={"v_store": [0.7]}, steps=steps)


def linearity(pool: Pool, rounds: int) -> dict[str, Any]:
    """Time per sample of campaigns of different size, run in turn; largest deviation from a straight line."""
    run_fresh(pulse(), 500, pool)
    times: dict[int, list[float]] = {n: [] for n in COUNTS}
    for _ in range(rounds):
        for n in COUNTS:
            times[n].append(run_fresh(pulse(), n, pool))
    wall = np.array([median(times[n]) for n in COUNTS])
    line = np.polyval(np.polyfit(COUNTS, wall, 1, w=1 / wall), COUNTS)
    return {
        "wall_s": dict(zip(map(str, COUNTS), wall.tolist(), strict=True)),
        "off the line": float(np.abs(wall / line - 1).max()),
        "per sample, 20000 against 1000": float(wall[-1] / COUNTS[-1] / (wall[0] / COUNTS[0]) - 1),
    }


def run_fresh(campaign: Campaign, n: int, pool: Pool) -> float:
    """Run a campaign in an empty folder and return its time [s]."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run_campaign(campaign, n, Path(folder), pool=pool)
        return time.perf_counter() - began


def memory() -> dict[str, float]:
    """Growth of the memory of each worker over 20,000 samples, after its first 1,000."""
    with Pool(2) as pool, tempfile.TemporaryDirectory() as folder:
        run_campaign(pulse(), 2000, Path(folder), pool=pool)
        pids = [s._process.pid for s in pool._all if s._process is not None]
        before = [rss_kb([pid]) for pid in pids]
        began = time.perf_counter()
        done = run_campaign(pulse(), 2000 + LONG, Path(folder), pool=pool)
        after = [rss_kb([pid]) for pid in pids]
        share = done.spent_s / (2 * (time.perf_counter() - began))
    return {
        "samples per worker": LONG / 2, "growth_mb": max(a - b for a, b in zip(after, before, strict=True)) / 1024,
        "rate": done.simulated / done.wall_s, "share in transient": share, "failed": done.failed,
    }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Spoiled(Campaign):
    """A campaign in which every twentieth sample has a threshold voltage that ngspice cannot solve."""

    def rows(self, point: int, draws: Any) -> Any:
        """The numbers of the devices, some of them impossible."""
        targets, values = Campaign.rows(self, point, draws)
        values = values.copy()
        values[::SPOILED_EVERY, targets.index("@m.xcell.xn.m1[delvto]")] = 1e300
        return targets, values


def failures(pool: Pool) -> dict[str, Any]:
    """The same random cells with and without samples that fail."""
    clean = plan_campaign("gain_cell", "dc", vary="mismatch")
    spoiled = Spoiled(plan=clean.plan, vary=clean.vary, sampler=clean.sampler, copies=1, request=clean.request)
    found = {}
    for name, campaign in (("clean", clean), ("spoiled", spoiled)):
        with tempfile.TemporaryDirectory() as folder:
            done = run_campaign(campaign, CELLS, Path(folder), pool=pool)
            rows = results.complete(campaign, read_finished(campaign, Path(folder), CELLS), CELLS)
            found[name] = (done, rows, analyse(clean, rows, CELLS, pool=pool))
    one, other = found["clean"][2].random[0], found["spoiled"][2].random[0]
    change = max(abs(b.sigma / a.sigma - 1) for a, b in zip(one.coefficients, other.coefficients, strict=True))
    rows = found["spoiled"][1]
    failed = rows[rows["status"] == FAILED]
    return {
        "samples": CELLS, "points": len(rows), "failed points": len(failed),
        "with a reason": int((failed["reason"] != "").sum()),
        "failed samples": int(failed["sample"].nunique()), "largest change of a sigma": change,
        "standard error of a sigma": float(1 / np.sqrt(2 * CELLS)),
        "explained": one.explained, "sigma_error": one.sigma_error,
    }  # fmt: skip


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("mc_campaign.json"))
    given = parser.parse_args()
    with Pool(2) as pool:
        found = {"linearity": linearity(pool, given.rounds), "memory": memory(), "failures": failures(pool)}
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
