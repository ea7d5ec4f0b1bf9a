"""Write the tables of the error protocol in docs/benchmarks.md from the results of benchmarks/error_protocol.py.

    python tools/readme_protocol.py results measured

`results` is the folder of ``gaincell run``, whose records state the errors.  Parts that are not in `measured` are left
as they are.  No number of a table is typed by hand.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import headline
from markdown_table import NONE, digits, table
from marked_block import rewrite
from stated_errors import stated

from gaincell_char import units
from gaincell_char.fitting.fit import FITTED, Fit
from gaincell_char.fitting.record import Record, read_record
from gaincell_char.registry import load_circuit, load_record
from gaincell_char.workflows.noise_floors import find_packaged_noise

LARGEST_RATIO = 1.1
UNDETERMINED = "not determined"


def percent(value: float) -> str:
    """A fraction in percent, with three digits."""
    return f"{digits(100 * value, 3)} %"


def noise(record: Record, fit: Fit) -> str:
    """Rms noise of the output of a fit, relative to its full range."""
    floor = find_packaged_noise(record, fit)
    return NONE if floor is None else percent(floor / fit.full_range)


def noise_of(row: dict[str, Any], records: Sequence[Record]) -> str:
    """Rms noise of the output of the fit of a row, relative to its full range."""
    [record] = [one for one in records if (one.circuit, one.study) == (row["circuit"], row["study"])]
    return noise(record, record.fit(row["model"], **row["conditions"]))


def dense(rows: Sequence[dict[str, Any]], records: Sequence[Record]) -> str:
    """Stated and dense largest error of every model, at the condition with the largest ratio."""
    worst: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["ratio"]):
        worst[f"{row['circuit']}.{row['study']}", row["model"]] = row
    heads = ("study", "model", "stated worst", "dense worst", "dense / stated", "points behind it", "dense points",
             "worst of fresh points", "noise floor, rms")  # fmt: skip
    lines = [
        (f"`{study}`", model, percent(row["stated"]), percent(row["dense"]), f"{row['ratio']:.3f}",
         str(row["n_stated"]), str(row["n_dense"]), percent(row["fresh"]), noise_of(row, records))
        for (study, model), row in sorted(worst.items())
    ]  # fmt: skip
    return table(heads, lines)


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """The largest ratio of dense and stated error."""
    ratios = [row["ratio"] for row in rows]
    fresh = [row["dense"] / row["fresh"] for row in rows]
    return table(
        ("figure", "target", "measured"),
        [
            (f"dense worst over stated worst, largest of {len(rows)} fits", f"{LARGEST_RATIO:g}", f"{max(ratios):.2f}"),
            (f"fits with a ratio above {LARGEST_RATIO:g}", "0", str(sum(ratio > LARGEST_RATIO for ratio in ratios))),
            ("dense worst over the worst of the fresh points alone, largest", NONE, f"{max(fresh):.1f}"),
            (f"fits with such a ratio above {LARGEST_RATIO:g}", NONE, str(sum(r > LARGEST_RATIO for r in fresh))),
        ],
    )


def each(records: Sequence[Record]) -> Iterator[tuple[Record, Fit]]:
    """Fits of the fitted form at the first condition of each model."""
    for record in records:
        for model in dict.fromkeys(fit.model for fit in record.fits if fit.form == FITTED):
            yield record, next(fit for fit in record.fits if fit.model == model)


def ends(records: Sequence[Record]) -> str:
    """Errors at the left-out ends of the range of each input, beside those of cross-validation and of fresh points."""
    heads = ("study", "model", "input", "lower end", "error, lower end", "upper end", "error, upper end",
             "cross-validation", "fresh points", "noise floor")  # fmt: skip
    lines = []
    for record, fit in each(records):
        found = list(fit.end_blocks or ())
        for lower, upper in zip(found[::2], found[1::2], strict=True):
            unit = unit_of(record, lower.input)
            at = [show_range(end.low, end.high, unit) for end in (lower, upper)]
            off = [UNDETERMINED if end.errors is None else percent(end.errors.nrmse) for end in (lower, upper)]
            crossed = percent(fit.cross_validation.nrmse) if fit.cross_validation else NONE
            lines.append((f"`{record.circuit}.{record.study}`", fit.model, f"`{lower.input}`", at[0], off[0], at[1],
                          off[1], crossed, percent(stated(fit).nrmse), noise(record, fit)))  # fmt: skip
    return table(heads, lines)


def show_range(low: float, high: float, unit: str) -> str:
    """Ends of a range, or its only value."""
    return units.show(low, unit) if low == high else f"{units.show(low, unit)} to {units.show(high, unit)}"


def rows(records: Sequence[Record]) -> str:
    """Errors in the row in which they are largest relative to its own range, beside the global ones."""
    heads = ("study", "model", "row", "error relative to its range", "error relative to the full range",
             "noise floor relative to the full range", "rows compared", "rows below 1 % of the full range")  # fmt: skip
    lines = []
    for record, fit in each(records):
        row = fit.row_error
        if row is not None:
            at = f"`{row.input}` = {units.show(row.at, unit_of(record, row.input))}"
            lines.append((f"`{record.circuit}.{record.study}`", fit.model, at, percent(row.nrmse),
                          percent(stated(fit).nrmse), noise(record, fit), str(row.n_rows),
                          str(row.n_flat)))  # fmt: skip
    return table(heads, lines)


def unit_of(record: Record, name: str) -> str:
    """Unit of an input of a bench."""
    circuit = load_circuit(record.circuit)
    bench = circuit.bench(record.bench)
    known = {**circuit.params, **bench.params, **({bench.curve.name: bench.curve} if bench.curve else {})}
    return str(known[name].unit)


def blind(found: Sequence[dict[str, Any]]) -> str:
    """Two rows of a table predict the others."""
    heads = ("technology", "model", "rows of the fit, `v_in`", "error in the other rows", "worst in the other rows",
             "error in the rows of the fit", "noise floor")  # fmt: skip
    lines = []
    for row in found:
        used = " and ".join(units.show(value, "V") for value in row["used"])
        errors = [percent(row[name]) if name in row else UNDETERMINED for name in ("nrmse", "worst", "fitted_nrmse")]
        record = load_record(row["technology"], "gain_cell.dc")
        lines.append((row["technology"], row["model"], used, *errors, noise(record, record.fit(row["model"]))))
    return table(heads, lines)


def main() -> None:
    """Rewrite the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("measured", type=Path)
    arguments = parser.parse_args()
    read = [read_record(path) for path in sorted((arguments.results / "records").glob("*.json"))]
    records = [record for record in read if record.fits]
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in arguments.measured.glob("protocol_*")}
    texts = {"left-out ends": ends(records), "rows": rows(records)}
    if "protocol_dense" in found:
        texts |= {"worst": summary(found["protocol_dense"]), "dense": dense(found["protocol_dense"], records)}
    if "protocol_blind" in found:
        texts["blind"] = blind(found["protocol_blind"])
    for name, text in texts.items():
        rewrite(headline.PAGE, name, text)
        sys.stdout.write(f"{name}: written\n")


if __name__ == "__main__":
    main()
