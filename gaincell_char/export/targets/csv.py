"""Coefficients, and the model evaluated over its box, as tables for a spreadsheet."""

import io
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ...fitting.fitted import FittedModel
from ..escape import cell, comment
from ..target import Request, Target

_POINTS = {1: 201, 2: 41}
_FEW = 11


def _files(request: Request) -> Mapping[str, str]:
    fit, _ = request.chosen()
    notes = request.notes("correlations of the coefficients, and the formula but for its text")
    head = "".join(f"# {line}\n" for line in [*notes, f"equation: {comment(fit.equation)}"])
    rows = [
        {"name": cell(name), "value": e.value, "stderr": e.stderr, "unit": cell(e.unit), "doc": cell(e.doc)}
        for name, e in fit.coefficients.items()
    ]
    function = FittedModel(fit=fit, function=request.chosen()[1].function)
    axes = [np.linspace(*span, _POINTS.get(len(fit.box), _FEW)) for span in fit.box.values()]
    grid = [x.ravel() for x in np.meshgrid(*axes, indexing="ij")]
    table = {**dict(zip(fit.box, grid, strict=True)), fit.output: np.asarray(function(*grid), dtype=float)}
    name = f"{request.record.circuit}.{fit.model}"
    return {
        f"{name}.coefficients.csv": head + _text(pd.DataFrame(rows)),
        f"{name}.table.csv": head + _text(pd.DataFrame(table)),
    }


def _text(frame: pd.DataFrame) -> str:
    buffer = io.StringIO()
    frame.to_csv(buffer, index=False, lineterminator="\n", na_rep="nan")
    return buffer.getvalue()


TARGET = Target(
    name="csv",
    doc="coefficients, and the output over the box in steps, as two tables in SI units",
    refuses=lambda _: "",
    files=_files,
)
