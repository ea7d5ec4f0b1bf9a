"""Write the tables about Monte Carlo in README.md and docs/statistics.md from what the benchmarks measured.

    python benchmarks/mc_throughput.py --out measured/mc_throughput.json
    python benchmarks/sampling_efficiency.py --out measured/sampling_efficiency.json
    python benchmarks/mc_campaign.py --out measured/mc_campaign.json
    python tools/readme_statistics.py measured

No number of the tables is typed by hand.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from marked_block import rewrite

from gaincell_char.registry import load_record

PLACES = {"README.md": "monte carlo", "docs/statistics.md": "statistics"}
CELL, RELU = "gain_cell pulse", "relu_c2p transfer"


STACKED = "8 per deck, "
ACCURATE = "2 workers / PySpice loop, 1 process, same accuracy"


def times(ratios: dict[str, dict[str, float]], key: str) -> str:
    """A ratio: the cell with eight samples per deck, with one, and the ReLU converter."""
    return "; ".join(f"{value:.1f}x" for value in (ratios[CELL][STACKED + key], ratios[CELL][key], ratios[RELU][key]))


def throughput(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rows about speed."""
    ratios, inside = found["ratios"], found["share_in_transient"]
    shares = (inside[CELL]["same options, ours, 8 per deck, 2"], inside[CELL]["same options, ours, 2"],
              inside[RELU]["same options, ours, 2"])  # fmt: skip
    return [
        ("samples/s, 2 workers, against one default `ngspice -b` per sample, serial", "13x",
         times(ratios, "2 workers / one default ngspice -b per sample, serial")),
        ("against spicelib's SimRunner, its best", "15x", times(ratios, "2 workers / SimRunner, its best")),
        ("against a tuned `ngspice -b` per sample, 2 at a time", "3.5x",
         times(ratios, "2 workers / tuned ngspice -b per sample, 2 at a time")),
        ("against PySpice's loop in one process, same options: 1 worker", "1.3x",
         times(ratios, "1 worker / PySpice loop, 1 process")),
        ("the same, 2 workers", "3x", times(ratios, "2 workers / PySpice loop, 1 process")),
        ("the same, both accurate to 0.05 %", "20x",
         f"{ratios[CELL][ACCURATE]:.1f}x; -; {ratios[RELU][ACCURATE]:.1f}x"),
        ("share of wall time inside ngspice's transient", "85 %", "; ".join(f"{100 * s:.0f} %" for s in shares)),
    ]  # fmt: skip


def campaign(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rows about long campaigns."""
    memory, fails = found["memory"], found["failures"]
    return [
        ("memory growth of a worker over 20,000 samples", "50 MB", f"{memory['growth_mb']:.1f} MB"),
        ("cost from 1,000 to 20,000 samples: off a straight line", "5 %",
         f"{100 * found['linearity']['off the line']:.1f} %"),
        (f"5 % of {fails['samples']} samples forced to fail: points failed, listed; largest change of a sigma",
         f"all; {100 * fails['standard error of a sigma']:.1f} % (its standard error)",
         f"{fails['failed points']}, {fails['with a reason']}; {100 * fails['largest change of a sigma']:.1f} %"),
    ]  # fmt: skip


def _three(value: float) -> str:
    """Three digits, no exponent."""
    return f"{float(f'{value:.3g}'):g}"


def sampling(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rows about Sobol points."""
    fewer = {(row["n"], row["of"]): row["fewer"] for row in found["rows"] if row["sampler"] == "sobol"}
    counts = sorted({n for n, _ in fewer})
    return [
        (f"simulations for the same error of the {of}, Sobol against random, at {', '.join(map(str, counts))}", asked,
         ", ".join(f"{_three(fewer[n, of])}x" for n in counts))
        for of, asked in (("mean", "10x fewer"), ("sigma", "3x fewer"))
    ]  # fmt: skip


def cells() -> list[tuple[str, str, str]]:
    """Row about the random cell, from the packaged record."""
    record = load_record("gc28", "gain_cell.dc_mismatch")
    assert record.spread is not None
    [fit] = record.spread.random
    return [
        ("four random coefficients per cell: share of the mismatch variance; sigma(`v_store`), worst", "99 %; 10 %",
         f"{100 * fit.explained:.3f} %; {100 * fit.sigma_error:.1f} %")
    ]  # fmt: skip


def markdown(rows: list[tuple[str, str, str]]) -> str:
    """A table of figures."""
    body = [f"| {figure} | {asked} | **{measured}** |" for figure, asked, measured in rows]
    return "\n".join(["| figure | asked | measured |", "|---|---|---|", *body])


def methods(found: dict[str, Any]) -> str:
    """Every method of the comparison."""
    names = "bench, compared at, method, workers, samples/s, CPU ms per sample, growth kB per sample, deviation"
    lines = [f"| {names.replace(', ', ' | ')} |", "|" + "---|" * 8]
    for r in found["rows"]:
        lines.append(
            f"| {r['bench']} | {r['what']} | {r['method']} | {r['workers']} | {r['rate']:.3g} | "
            f"{1e3 * r['cpu_s']:.3g} | {r['rss_kb']:.2g} | {r['deviation']:.1e} |"
        )
    return "\n".join(lines)


def efficiency(found: dict[str, Any]) -> str:
    """Every sampler and count."""
    lines = [
        "| sampler | n | of | error, in sigma | random, in sigma | times fewer simulations |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['sampler']} | {r['n']} | {r['of']} | {r['error']:.2g} | {r['random error']:.2g} | {r['fewer']:.3g} |"
        for r in found["rows"]
    ]
    return "\n".join(lines)


def long(found: dict[str, Any], speed: dict[str, Any], points: dict[str, Any]) -> str:
    """The part of docs/statistics.md."""
    spin, memory = speed["spinning"], found["memory"]
    return "\n\n".join([
        "Speed, two cores, medians of rounds in which every method has its turn. The ReLU converter's transient takes "
        "tens of milliseconds: there is little beside it to save. Two default `ngspice -b` at a time give "
        f"{spin[CELL]:.3g} ({spin[RELU]:.3g}) samples/s, when their OpenMP threads wait for each other. Starting two "
        f"workers takes {speed['start_s'][CELL]:.1f} s.",
        methods(speed),
        "What was asked and is not reached: by the cell, 15x against SimRunner, narrowly; with one sample per "
        "deck also 3.5x against a tuned process per sample, 3x against PySpice's loop and 85 % of the time inside "
        "the transient. By the converter, all but the last: its transient takes what it takes, whoever starts it. "
        "And by both, 20x at the same accuracy: on the cell's deck, whose edges are corners of the stimulus and "
        "whose charge the simulator integrates, PySpice needs no finer step than 1 ns, the coarsest tried; 20x "
        "would leave less time per sample than ngspice spends inside our transient.",
        f"A campaign of the cell's pulse bench with measured step control: {memory['rate']:.0f} samples/s over "
        f"{2 * memory['samples per worker']:.0f} samples, {100 * memory['share in transient']:.0f} % of the wall time "
        "inside the transient.",
        f"Error of mean and sigma of the cell's current, root mean square over {points['seeds']} seeds, the worst of "
        f"`v_store` = {', '.join(f'{v:g}' for v in points['v_store'])} V.",
        efficiency(points),
    ])  # fmt: skip


def main() -> None:
    """Rewrite both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    speed, points, found = (
        json.loads((folder / f"{name}.json").read_text())
        for name in ("mc_throughput", "sampling_efficiency", "mc_campaign")
    )
    short = markdown([*throughput(speed), *sampling(points), *cells(), *campaign(found)])
    note = (
        "Speed: the cell's pulse bench, eight samples per deck as campaigns run it; one per deck, equal to all others "
        "to 1e-6; the ReLU converter. What falls short of what was asked, and why: "
        "[docs/statistics.md](docs/statistics.md#measured)."
    )
    texts = {"README.md": f"{short}\n\n{note}", "docs/statistics.md": long(found, speed, points)}
    for name, block in PLACES.items():
        rewrite(name, block, texts[name])
    sys.stdout.write(short + "\n")


if __name__ == "__main__":
    main()
