"""Write the tables about Monte Carlo in docs/benchmarks.md, and the figures of README.md, from benchmark results.

    python benchmarks/mc_throughput.py --out measured/mc_throughput.json
    python benchmarks/sampling_efficiency.py --out measured/sampling_efficiency.json
    python benchmarks/mc_campaign.py --out measured/mc_campaign.json
    python tools/readme_statistics.py measured

No number of the tables is typed by hand.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import headline
from markdown_table import NONE, digits, power, table
from marked_block import rewrite

from gaincell_char.registry import load_record

CELL, RELU = "gain_cell pulse", "relu_c2p transfer"
STACKED = "8 per deck, "
ACCURATE = "2 workers / PySpice loop, 1 process, same accuracy"
TARGETS = {"mean": "10x", "sigma": "3x"}
FIGURE = ("figure", "target", "measured")
SAME_OPTIONS = (
    ("2 workers, over default `ngspice -b`", "13x", "2 workers / one default ngspice -b per sample, serial"),
    ("2 workers, over SimRunner", "15x", "2 workers / SimRunner, its best"),
    ("2 workers, over tuned `ngspice -b`", "3.5x", "2 workers / tuned ngspice -b per sample, 2 at a time"),
    ("1 worker, over a PySpice loop", "1.3x", "1 worker / PySpice loop, 1 process"),
    ("2 workers, over a PySpice loop", "3x", "2 workers / PySpice loop, 1 process"),
)


def speed_rows(found: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Speed of the cell with eight samples per deck, with one, and of the ReLU converter."""
    ratios, inside = found["ratios"], found["share_in_transient"]
    for name, target, key in SAME_OPTIONS:
        values = (ratios[CELL][STACKED + key], ratios[CELL][key], ratios[RELU][key])
        yield name, target, *(f"{value:.1f}x" for value in values)
    accurate = (f"{ratios[bench][ACCURATE]:.1f}x" for bench in (CELL, RELU))
    yield (
        "2 workers, over a PySpice loop, both accurate to 0.05 %",
        "20x",
        next(accurate),
        "not measured",
        next(accurate),
    )
    cell = inside[CELL]
    shares = (
        cell["same options, ours, 8 per deck, 2"],
        cell["same options, ours, 2"],
        inside[RELU]["same options, ours, 2"],
    )
    yield "share of wall time in the transient analysis", "85 %", *(f"{100 * share:.0f} %" for share in shares)


def speed(found: dict[str, Any]) -> str:
    """Table of speed, a column per bench."""
    heads = ("samples per second of `gaincell mc`", "target", "measured, cell, 8 per deck",
             "measured, cell, 1 per deck", "measured, ReLU converter")  # fmt: skip
    return table(heads, speed_rows(found))


def readable(method: str) -> str:
    """Name of a method on the page."""
    named = method.replace("our step control", "step control of gaincell").replace("ours", "gaincell")
    return named.replace(", integrating i(vbl) itself", ", charge from i(vbl)")


def methods(found: dict[str, Any], bench: str) -> str:
    """Every method of the comparison on one bench."""
    heads = ("comparison", "method", "processes", "samples/s", "CPU time per sample [ms]",
             "memory growth per sample [kB]", "largest deviation")  # fmt: skip
    return table(
        heads,
        (
            (r["what"], readable(r["method"]), str(r["workers"]), digits(r["rate"], 3), digits(1e3 * r["cpu_s"], 3),
             digits(r["rss_kb"], 2), power(r["deviation"], 1))
            for r in found["rows"] if r["bench"] == bench
        ),
    )  # fmt: skip


def samplers(found: dict[str, Any]) -> str:
    """Every sampler and number of samples."""
    heads = ("sampler", "samples", "statistic", "error [sigma]", "error of random draws [sigma]", "target", "measured")
    text = table(
        heads,
        (
            (r["sampler"], str(r["n"]), r["of"], f"{r['error']:.2g}", f"{r['random error']:.2g}",
             TARGETS[r["of"]] if r["sampler"] == "sobol" else NONE, f"{digits(r['fewer'], 3)}x")
            for r in found["rows"]
        ),
    )  # fmt: skip
    voltages = ", ".join(f"{v:g}" for v in found["v_store"])
    return f"{text}\n\nErrors are rms over {found['seeds']} seeds, the largest of `v_store` = {voltages} V."


def random_cell() -> str:
    """Share of the variance that the random coefficients of the packaged record explain."""
    record = load_record("gc28", "gain_cell.dc_mismatch")
    assert record.spread is not None
    [fit] = record.spread.random
    return table(
        FIGURE,
        [
            ("share of the mismatch variance", "99 %", f"{100 * fit.explained:.3f} %"),
            ("error of sigma over `v_store`: worst", "10 %", f"{100 * fit.sigma_error:.1f} %"),
        ],
    )


def campaigns(found: dict[str, Any]) -> str:
    """Long campaigns, and failed samples."""
    memory, fails = found["memory"], found["failures"]
    failed = fails["failed points"]
    return table(
        FIGURE,
        [
            ("memory growth of a worker over 20,000 samples", "50 MB", f"{memory['growth_mb']:.1f} MB"),
            ("time of 1,000 to 20,000 samples, deviation from a straight line", "5 %",
             f"{100 * found['linearity']['off the line']:.1f} %"),
            (f"samples per second over {2 * memory['samples per worker']:.0f} samples, measured step control", NONE,
             f"{memory['rate']:.0f}"),
            ("share of wall time in the transient analysis, measured step control", NONE,
             f"{100 * memory['share in transient']:.0f} %"),
            (f"5 % of {fails['samples']} samples made to fail: failed points listed with a reason", f"{failed}",
             f"{fails['with a reason']}"),
            (f"5 % of {fails['samples']} samples made to fail: largest change of a sigma",
             f"{100 * fails['standard error of a sigma']:.1f} %", f"{100 * fails['largest change of a sigma']:.1f} %"),
        ],
    )  # fmt: skip


def main() -> None:
    """Rewrite all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    throughput, points, found = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("mc_throughput", "sampling_efficiency", "mc_campaign")
    )
    start_s = throughput["start_s"][CELL]
    texts = {
        "speed": speed(throughput),
        "methods cell": f"{methods(throughput, CELL)}\n\nStarting two workers takes {start_s:.1f} s.",
        "methods converter": methods(throughput, RELU),
        "samplers": samplers(points),
        "random cell": random_cell(),
        "campaigns": campaigns(found),
    }
    for block, text in texts.items():
        rewrite(headline.PAGE, block, text)
    headline.refresh()
    sys.stdout.write(texts["speed"] + "\n")


if __name__ == "__main__":
    main()
