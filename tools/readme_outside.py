"""Write README.md's table of technologies, foreign data and exports.

    python tools/exports.py -o exports.json
    python tools/readme_outside.py exports.json

Fits come from the packaged records, the refit is made here.  No number of the table is typed by hand.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import external_data
from marked_block import rewrite

from gaincell_char import registry, units
from gaincell_char.fitting.accuracy import Errors

T_MAX = 15e-9


def fresh(name: str, model: str) -> Errors:
    """Errors of a sky130 fit on fresh points."""
    found = registry.load_record("sky130", name).fit(model).fresh
    assert found is not None
    return found


def rows(macros: list[dict[str, Any]]) -> list[str]:
    """Figure, what was asked, what was measured."""
    cell = fresh("gain_cell.dc", "softplus")
    relu, signed = fresh("relu_c2p.transfer", "relu_knee"), fresh("signed_c2p.transfer", "signed_knee")
    exact = external_data.fit(external_data.I_BL).values()
    refit = max(abs(exact[name] / value - 1) for name, value in external_data.PUBLISHED.items() if value)
    off, said = (
        ", ".join(units.show(float(f"{m[key]:.2g}"), m["unit"]) for m in macros) for key in ("rms", "stated_rms")
    )
    return [
        "| figure | asked | measured |", "|---|---|---|",
        f"| `sky130` cell, fitted form: R2; NRMSE | 0.9999; 0.1 % | **{cell.r2:.7f}; {100 * cell.nrmse:.4f} %** |",
        "| `sky130` ReLU and signed converter: rms, of t_max | 0.2 % | "
        f"**{100 * relu.rms / T_MAX:.3f} %; {100 * signed.rms / T_MAX:.3f} %** |",
        f"| exported subcircuits beside the transistors: rms of both cells, both converters | {said} | **{off}** |",
        f"| cubic refit of a table from the published polynomial: worst coefficient | 1e-9 | **{refit:.0e}** |",
    ]  # fmt: skip


def main() -> None:
    """Rewrite the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("exports", type=Path)
    text = "\n".join(rows(json.loads(parser.parse_args().exports.read_text(encoding="utf-8"))))
    rewrite("README.md", "outside", text)
    print(text)


if __name__ == "__main__":
    main()
