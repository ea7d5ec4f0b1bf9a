"""Data of a cell for simulators of analog arrays: numbers as JSON, the formula as Python text."""

import json
from collections.abc import Mapping

import numpy as np

from ..declare.attention_head import Head
from ..declare.bench import Floats
from ..fitting.fit import Fit
from ..fitting.fitted import FittedModel, RandomCircuits, parameter
from ..fitting.record import Record
from . import printing, related_records
from .target import Request
from .templates import fill_template
from .trace import trace_model

LOST = (
    "the sign of a current, if weights are positive conductances (zero current is a state within the range), "
    "process variation, decay beyond one exponential, and converters except their limits"
)
_POINTS, _FINE = 33, 257


def explain_refusal(request: Request) -> str:
    """Reason why a model cannot be a weight of an array; empty if it can."""
    fit, model = request.require_model()
    if related_records.find_cell_head(request) is None:
        return f"it needs a current or charge of an attention head's cell, and {request.circuit.name} is not one"
    if all(model.name not in macro.models for macro in request.circuit.macros):
        return (
            f"{fit.output} of {', '.join(fit.inputs)} is not the response of a cell to a pulse, so the whole model "
            "would be lost"
        )
    return ""


def make_files(request: Request, stem: str, lost: str) -> Mapping[str, str]:
    """Return a Python program and its JSON data, as file name -> content.

    Parameters
    ----------
    request : Request
        The record with the model.
    stem : str
        File name of both without suffix; the template is ``<stem>.py.j2``.
    lost : str
        Parts of the model that the program leaves out.

    Raises
    ------
    ExportError
        If a required record or model is missing.
    """
    fit, _ = request.require_model()
    arguments, formula = python_formula(request)
    notes = request.write_notes(lost)
    program = fill_template(f"{stem}.py.j2", notes=notes, arguments=arguments, equation=fit.equation, formula=formula)
    return {f"{stem}.py": program, f"{stem}.json": json.dumps(collect_numbers(request), indent=1) + "\n"}


def python_formula(request: Request) -> tuple[str, str]:
    """Arguments and body of a Python function of the model, with coefficients as ``c["name"]``."""
    _, model = request.require_model()

    def refer(name: str) -> str:
        return name if name in model.inputs else f'c["{name}"]'

    return ", ".join(model.inputs), printing.format_python(trace_model(model), refer)


def collect_numbers(request: Request) -> dict[str, object]:
    """Coefficients, valid ranges, full scale, mismatch, limits and decay, for JSON.

    Raises
    ------
    ExportError
        If the record does not belong to a cell of an attention head, or another record of the head is missing.
    """
    fit, model = request.require_model()
    head = related_records.require_cell_head(request)
    low, high = written_range(request.record, fit)
    curve = _sample_curve(FittedModel(fit=fit, function=model), low, high)
    full = float(np.abs(curve).max())
    sigma = _sample_sigma(fit, related_records.load_random_circuits(request), full, (low, high))
    t_max, limits = _find_limits(request, head)
    over = t_max if fit.unit == "A" else 1.0
    _, decay = related_records.load_decay(request, head)
    return {
        "coefficients": fit.values(),
        "unit": fit.unit,
        "inputs": list(fit.inputs),
        "low": low,
        "high": high,
        "curve": (curve / full).tolist(),
        "v_ref": decay.coefficients["v_ref"].value,
        "full": full,
        "drive": [list(fit.valid_range[name]) for name in fit.inputs[1:]],
        "sigma": sigma,
        "tau": decay.coefficients["tau"].value,
        "limit": {operation: charge / (full * over) for operation, charge in limits.items()},
        "levels": {"input": head.levels_input, "store": head.levels_store, "output": head.levels_output},
        "about": request.describe(LOST),
    }


def written_range(record: Record, fit: Fit) -> tuple[float, float]:
    """Stored voltages [V] from the lowest to the highest level of the DAC, within the valid range of a cell's fit.

    Parameters
    ----------
    record : Record
        Record of the cell, which states the supply.
    fit : Fit
        Its fit.
    """
    low, high = fit.valid_range[fit.inputs[0]]
    return max(low, 0.0), min(high, parameter(record, "vdd"))


def _sample_curve(model: FittedModel, low: float, high: float) -> Floats:
    """Output over the first input at full drive, in equal steps."""
    axis = np.linspace(low, high, _FINE)
    return np.asarray(model(axis, *_full_drive(model.fit, axis)), dtype=float)


def _sample_sigma(fit: Fit, random: RandomCircuits | None, full: float, ends: tuple[float, float]) -> dict[str, object]:
    """Sigma over the first input at full drive, as a fraction of full scale; 0 if the record states none."""
    axis = np.linspace(*ends, _POINTS)
    sigma = np.zeros_like(axis)
    if random is not None:
        sigma = random.sigma(axis, *_full_drive(fit, axis)[: len(random.fit.inputs) - 1])
    return {"at": axis.tolist(), "relative": (sigma / full).tolist(), "known": random is not None}


def _full_drive(fit: Fit, axis: Floats) -> list[Floats]:
    """All inputs except the first, at their upper limits, along an axis."""
    return [np.full_like(axis, fit.valid_range[name][1]) for name in fit.inputs[1:]]


def _find_limits(request: Request, head: Head) -> tuple[float, dict[str, float]]:
    """Longest pulse [s], and the charge [C] at which each converter of the head saturates."""
    limits = {}
    t_max = 0.0
    for operation in head.operations:
        record, fit = related_records.load_converter(request, operation)
        t_max = parameter(record, "t_max")
        limits[operation.name] = t_max / fit.coefficients["gain"].value
    return t_max, limits
