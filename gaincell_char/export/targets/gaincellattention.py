"""The circuit of the published software model (GainCellAttention), as JSON and a loader for its modules.

Leroux et al., Nat. Comput. Sci. 5, 813-824 (2025): ``c`` in the order of its loops (i over v_store - offset, j over
v_in), currents in uA, pulses as fractions of the longest.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...declare.attention_head import Head
from ...fitting.fitted import FittedModel, parameter
from .. import polynomial, related_records
from ..target import Request, Target
from ..templates import fill_template

_MICRO = 1e-6
_LOST = "spread from cell to cell, noise, the charge of a pulse's edges, and what the converters do beside saturating"


def _refuses(request: Request) -> str:
    if related_records.cell_head(request) is None:
        return f"it takes the current of an attention head's cell, and {request.circuit.name} is none"
    return polynomial.refuses(*request.chosen())


def _files(request: Request) -> Mapping[str, str]:
    return {
        "gaincell_circuit.json": json.dumps(_circuit(request), indent=1) + "\n",
        "gaincell_circuit.py": fill_template("gaincell_circuit.py.j2", notes=request.notes(_LOST)),
    }


def _circuit(request: Request) -> dict[str, Any]:
    fit, model = request.chosen()
    head = related_records.cell_head(request)
    if head is None:
        raise LookupError(request.circuit.name)
    vdd = parameter(request.record, "vdd")
    coefficients = fit.values()
    offset = coefficients.get("v_ref", vdd / 2)
    x_max = float(fit.conditions.get("v_in", fit.box[fit.inputs[1]][1] if len(fit.inputs) > 1 else vdd))
    saturation = {operation.name: _saturation(request, operation) for operation in head.operations}
    scores, values = saturation.values()
    c = polynomial.published(fit, model, offset, x_max)
    return {
        "c": [value / _MICRO for value in c],
        "x_max": x_max,
        "offset": offset,
        "a": _slope(request, offset) / _MICRO,
        "saturation_qk": scores,
        "saturation_av": values,
        "weights_bounds": list(fit.box[fit.inputs[0]]),
        **_decay(request, head),
        "quantization_levels_input": head.levels_input,
        "quantization_levels_weights": head.levels_store,
        "quantization_levels_output": _levels_output(request, head),
        "units": {
            "c": "uA/V^(i+j)",
            "x_max": "V",
            "offset": "V",
            "a": "uA/V",
            "saturation_qk": "uA x longest pulse",
            "saturation_av": "uA x longest pulse",
            "decay_tau": "s",
        },
        "about": request.about(_LOST),
    }


def _slope(request: Request, offset: float) -> float:
    """Slope [A/V] of the line that the gradient follows: the published one, or the least-squares line over the box."""
    fit, model = request.chosen()
    if linear := [f for f in request.record.fits if f.conditions.get("variant") == "linear"]:
        return linear[0].coefficients["c1"].value
    v = np.linspace(*fit.box[fit.inputs[0]], 201)
    rest = [np.full_like(v, fit.box[name][1]) for name in fit.inputs[1:]]
    current = np.asarray(FittedModel(fit=fit, function=model.function)(v, *rest), dtype=float)
    return float(np.polyfit(v - offset, current, 1)[0])


def _saturation(request: Request, operation: Any) -> float:
    """Charge that fills the converter's window, as a current [uA] over the longest pulse."""
    _, fit = related_records.companion(request, operation.converter, related_records.published(operation))
    return 1 / fit.coefficients["gain"].value / _MICRO


def _decay(request: Request, head: Head) -> dict[str, float | None]:
    """Time constant, and its share per token where the record knows how long a token takes."""
    record, fit = related_records.companion(request, head.decay, next(iter(head.decay_forms.values())))
    per_token = related_records.numbers(record).get("decay_per_token")
    return {"decay_factor": per_token, "decay_tau": fit.coefficients["tau"].value}


def _levels_output(request: Request, head: Head) -> int:
    operation = head.operations[-1]
    record, _ = related_records.companion(request, operation.converter, related_records.published(operation))
    return int(related_records.numbers(record).get("levels_output", head.levels_output))


TARGET = Target(
    name="gaincellattention",
    doc="the ten C_ij, offset, saturation, decay and levels of the published code, with a loader for its modules",
    refuses=_refuses,
    files=_files,
    needs_others=True,
)
