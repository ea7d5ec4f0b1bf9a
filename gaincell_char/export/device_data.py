"""What a simulator of analog arrays takes from a cell's record: numbers as JSON, the formula as Python text."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..declare.circuit import Floats
from ..errors import ExportError
from ..fitting.fitted import FittedModel, parameter
from . import printing, related_records
from .target import Request
from .templates import fill_template
from .trace import trace

LOST = (
    "the sign of a current where weights are conductances above 0 (its zero is a state within the range), "
    "the shared part of the spread of a die, the decay beyond one exponential, and the converters but for their limits"
)
_POINTS, _FINE = 33, 257


def refuses(request: Request) -> str:
    """Why a model is no weight of an array."""
    fit, model = request.chosen()
    head = related_records.cell_head(request)
    if head is None:
        return f"it takes a current or charge of an attention head's cell, and {request.circuit.name} is none"
    if all(model.name not in macro.models for macro in request.circuit.macros):
        return (
            f"{fit.output} of {', '.join(fit.inputs)} is not what a cell gives for a pulse, so all of it would be lost"
        )
    return ""


def files(request: Request, stem: str, lost: str) -> Mapping[str, str]:
    """A Python program, from the template of its name, and the JSON that it reads."""
    arguments, body = formula(request)
    program = fill_template(
        f"{stem}.py.j2",
        notes=request.notes(lost),
        arguments=arguments,
        formula=body,
        equation=request.chosen()[0].equation,
    )
    return {f"{stem}.py": program, f"{stem}.json": json.dumps(numbers(request), indent=1) + "\n"}


def formula(request: Request) -> tuple[str, str]:
    """Arguments and body of a Python function of the model, coefficients as ``c["name"]``."""
    _, model = request.chosen()
    traced = trace(model.function, dict.fromkeys(model.inputs), tuple(model.coefficients))

    def named(name: str) -> str:
        return name if name in model.inputs else f'c["{name}"]'

    return ", ".join(model.inputs), printing.python(traced, named)


def numbers(request: Request) -> dict[str, Any]:
    """Coefficients, ranges, full scale, spread, limits and decay, for JSON."""
    fit, model = request.chosen()
    head = related_records.cell_head(request)
    if head is None:
        raise ExportError(refuses(request))
    low, high = fit.box[fit.inputs[0]]
    axis = np.linspace(low, high, _POINTS)
    drive = [np.full_like(axis, fit.box[name][1]) for name in fit.inputs[1:]]
    curve = _curve(FittedModel(fit=fit, function=model.function), low, high)
    full = float(np.abs(curve).max())
    random = related_records.random_circuits(request)
    sigma = random.sigma(axis, *drive[: len(random.fit.inputs) - 1]) if random else np.zeros_like(axis)
    t_max, limits = _limits(request)
    over = t_max if fit.unit == "A" else 1.0
    _, decay = related_records.companion(request, head.decay, next(iter(head.decay_forms.values())))
    return {
        "coefficients": fit.values(),
        "unit": fit.unit,
        "inputs": list(fit.inputs),
        "low": low,
        "high": high,
        "curve": (curve / full).tolist(),
        "v_ref": decay.coefficients["v_ref"].value,
        "full": full,
        "drive": [list(fit.box[n]) for n in fit.inputs[1:]],
        "sigma": {"at": axis.tolist(), "relative": (sigma / full).tolist(), "known": random is not None},
        "tau": decay.coefficients["tau"].value,
        "limit": {k: q / (full * over) for k, q in limits.items()},
        "levels": {"input": head.levels_input, "store": head.levels_store, "output": head.levels_output},
        "about": request.about(LOST),
    }


def _curve(model: FittedModel, low: float, high: float) -> Floats:
    """Output over the first input at full drive, in equal steps."""
    axis = np.linspace(low, high, _FINE)
    drive = [np.full_like(axis, model.fit.box[name][1]) for name in model.fit.inputs[1:]]
    return np.asarray(model(axis, *drive), dtype=float)


def _limits(request: Request) -> tuple[float, dict[str, float]]:
    """Longest pulse [s], and the charge [C] at which each converter of the head saturates."""
    head = related_records.cell_head(request)
    limits = {}
    t_max = 0.0
    for operation in head.operations if head else ():
        record, fit = related_records.companion(request, operation.converter, related_records.published(operation))
        t_max = parameter(record, "t_max")
        limits[operation.name] = t_max / fit.coefficients["gain"].value
    return t_max, limits
