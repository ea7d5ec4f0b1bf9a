"""The circuit of the published software model (GainCellAttention), as JSON and a loader for its modules.

Leroux et al., Nat. Comput. Sci. 5, 813-824 (2025): ``c`` in the order of its loops (i over v_store - offset, j over
v_in), currents in uA, pulses as fractions of the longest.
"""

import json
from collections.abc import Mapping

import numpy as np

from ...declare.attention_head import Head, Operation
from ...fitting.fitted import FittedModel, parameter
from .. import polynomial, related_records
from ..device_data import written_range
from ..target import Request, Target
from ..templates import fill_template

_MICRO = 1e-6
_LOST = "mismatch, noise, the charge of pulse edges, and the converters except their saturation"
_UNITS = {
    "c": "uA/V^(i+j)",
    "x_max": "V",
    "offset": "V",
    "a": "uA/V",
    "saturation_qk": "uA x longest pulse",
    "saturation_av": "uA x longest pulse",
    "decay_tau": "s",
}


def _explain_refusal(request: Request) -> str:
    if related_records.find_cell_head(request) is None:
        return f"it needs the current of an attention head's cell, and {request.circuit.name} is not one"
    return polynomial.explain_refusal(*request.require_model())


def _make_files(request: Request) -> Mapping[str, str]:
    return {
        "gaincell_circuit.json": json.dumps(_describe_circuit(request), indent=1) + "\n",
        "gaincell_circuit.py": fill_template("gaincell_circuit.py.j2", notes=request.write_notes(_LOST)),
    }


def _describe_circuit(request: Request) -> dict[str, object]:
    """Content of the JSON file, under the names of the published code."""
    fit, model = request.require_model()
    head = related_records.require_cell_head(request)
    vdd = parameter(request.record, "vdd")
    offset = fit.values().get("v_ref", vdd / 2)
    v_in = fit.valid_range[fit.inputs[1]][1] if len(fit.inputs) > 1 else vdd
    x_max = float(fit.conditions.get("v_in", v_in))
    scores, values = (_find_saturation(request, operation) for operation in head.operations)
    return {
        "c": [value / _MICRO for value in polynomial.find_coefficients(fit, model, offset, x_max)],
        "x_max": x_max,
        "offset": offset,
        "a": _find_slope(request, offset) / _MICRO,
        "saturation_qk": scores,
        "saturation_av": values,
        "weights_bounds": list(written_range(request.record, fit)),
        **_find_decay(request, head),
        "quantization_levels_input": head.levels_input,
        "quantization_levels_weights": head.levels_store,
        "quantization_levels_output": _find_output_levels(request, head),
        "units": _UNITS,
        "about": request.describe(_LOST),
    }


def _find_slope(request: Request, offset: float) -> float:
    """Slope [A/V] of the line for the gradient: published, or the least-squares line over the valid range."""
    fit, model = request.require_model()
    if linear := [f for f in request.record.fits if f.conditions.get("variant") == "linear"]:
        return linear[0].coefficients["c1"].value
    v = np.linspace(*fit.valid_range[fit.inputs[0]], 201)
    rest = [np.full_like(v, fit.valid_range[name][1]) for name in fit.inputs[1:]]
    current = np.asarray(FittedModel(fit=fit, function=model)(v, *rest), dtype=float)
    return float(np.polyfit(v - offset, current, 1)[0])


def _find_saturation(request: Request, operation: Operation) -> float:
    """Charge at which the converter saturates, as a current [uA] over the longest pulse."""
    _, fit = related_records.load_converter(request, operation)
    return 1 / fit.coefficients["gain"].value / _MICRO


def _find_decay(request: Request, head: Head) -> dict[str, float | None]:
    """Time constant, and the decay per token if the record states it."""
    record, fit = related_records.load_decay(request, head)
    per_token = related_records.select_numbers(record).get("decay_per_token")
    return {"decay_factor": per_token, "decay_tau": fit.coefficients["tau"].value}


def _find_output_levels(request: Request, head: Head) -> int:
    record, _ = related_records.load_converter(request, head.operations[-1])
    return int(related_records.select_numbers(record).get("levels_output", head.levels_output))


TARGET = Target(
    name="gaincellattention",
    doc="the ten C_ij, offset, saturation, decay and levels of the published code, with a loader for its modules",
    make_files=_make_files,
    explain_refusal=_explain_refusal,
    needs_others=True,
)
