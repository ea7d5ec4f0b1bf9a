"""Coefficients, and the model evaluated over its valid range, as tables for a spreadsheet."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ...declare.model import Model
from ...fitting.fit import Fit
from ...fitting.fitted import FittedModel
from ..escape import escape_cell, escape_comment
from ..target import Request, Target

_POINTS = {1: 201, 2: 41}
_FEW = 11
_LOST = "correlations of the coefficients, and the formula except its text"


def _make_files(request: Request) -> Mapping[str, str]:
    fit, model = request.require_model()
    lines = [*request.write_notes(_LOST), f"equation: {escape_comment(fit.equation)}"]
    notes = "".join(f"# {line}\n" for line in lines)
    name = f"{request.record.circuit}.{fit.model}"
    return {
        f"{name}.coefficients.csv": notes + _write_csv(_tabulate_coefficients(fit)),
        f"{name}.table.csv": notes + _write_csv(_tabulate_output(fit, model)),
    }


def _tabulate_coefficients(fit: Fit) -> pd.DataFrame:
    rows = [
        {
            "name": escape_cell(name),
            "value": estimate.value,
            "stderr": estimate.stderr,
            "unit": escape_cell(estimate.unit),
            "doc": escape_cell(estimate.doc),
        }
        for name, estimate in fit.coefficients.items()
    ]
    return pd.DataFrame(rows)


def _tabulate_output(fit: Fit, model: Model) -> pd.DataFrame:
    """Inputs over the valid range in equal steps, and the output."""
    points = _POINTS.get(len(fit.valid_range), _FEW)
    axes = [np.linspace(*span, points) for span in fit.valid_range.values()]
    grid = [axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")]
    output = np.asarray(FittedModel(fit=fit, function=model)(*grid), dtype=float)
    return pd.DataFrame({**dict(zip(fit.valid_range, grid, strict=True)), fit.output: output})


def _write_csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, lineterminator="\n", na_rep="nan")


TARGET = Target(
    name="csv",
    doc="coefficients, and the output over the valid range in steps, as two tables in SI units",
    make_files=_make_files,
    explain_refusal=lambda _: "",
)
