"""Write the table of technologies, measured tables and exports in docs/benchmarks.md.

    python tools/exports.py -o exports.json
    python tools/readme_outside.py exports.json

Fits are from the packaged records; this script makes the refit.  No number of the table is typed by hand.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import exports
import external_data
import headline
from markdown_table import NONE, power, table
from marked_block import rewrite
from stated_errors import noise_percent, stated

from gaincell_char import registry, units
from gaincell_char.fitting.accuracy import Errors

T_MAX = 15e-9


def sky130(name: str, model: str) -> Errors:
    """Stated errors of a sky130 fit."""
    return stated(registry.load_record("sky130", name).fit(model))


def sky130_noise(name: str, model: str, scale: float = 0.0) -> str:
    """Rms noise of the output of a sky130 fit [% of `scale`, or of its full range]."""
    record = registry.load_record("sky130", name)
    return noise_percent(record, record.fit(model), scale)


def rows(macros: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Figure, target, measured value and noise floor."""
    cell = sky130("gain_cell.dc", "ekv")
    yield "`sky130`, cell current at `v_in` = `vdd`: R2", "0.9999", f"{cell.r2:.7f}", NONE
    noise = sky130_noise("gain_cell.dc", "ekv")
    yield "`sky130`, cell current at `v_in` = `vdd`: NRMSE", "0.1 %", f"{100 * cell.nrmse:.4f} %", noise
    for kind, circuit, model in (("ReLU", "relu_c2p", "relu_knee"), ("signed", "signed_c2p", "signed_knee")):
        error = sky130(f"{circuit}.transfer", model)
        noise = sky130_noise(f"{circuit}.transfer", model, T_MAX)
        yield f"`sky130`, {kind} converter: rms", "0.2 %", f"{100 * error.rms / T_MAX:.3f} %", noise
    for macro in macros:
        target, measured = (
            units.show(float(f"{macro[key]:.2g}"), macro["unit"]) for key in ("formula_rms", "rms")
        )  # fmt: skip
        yield f"exported subcircuit, `{macro['record']}`: rms", target, measured, exports.noise_floor(macro, 2)
    refit = power(external_data.refit())
    yield "cubic fitted to a table of the published polynomial: worst coefficient", "1e-9", refit, NONE


def main() -> None:
    """Rewrite the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exports", type=Path)
    macros = json.loads(parser.parse_args().exports.read_text(encoding="utf-8"))
    text = table(("figure", "target", "measured", "noise floor"), rows(macros))
    rewrite(headline.PAGE, "outside", text)
    print(text)


if __name__ == "__main__":
    main()
