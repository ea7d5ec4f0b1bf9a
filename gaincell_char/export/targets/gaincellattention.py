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

_MICRO = 1e-6
_LOST = "spread from cell to cell, noise, the charge of a pulse's edges, and what the converters do beside saturating"
_LOADER = '''"""Puts a circuit of gaincell-char into the attention modules of GainCellAttention.

    from gaincell_circuit import Circuit
    circuit = Circuit.load("gaincell_circuit.json")
    circuit.install(attention)         # a DRAMAttention module of theirs, before its weights are loaded or trained

Their module rounds the mask of decay to bfloat16 for the scores (not for the values), so that with decay a result
differs from this one in the third digit.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, cumsum, exp, no_grad
from torch.autograd import Function


@dataclass(frozen=True)
class Circuit:
    """What the JSON holds, under the names of the published code."""

    c: list
    x_max: float
    offset: float
    a: float
    saturation_qk: float
    saturation_av: float
    weights_bounds: list
    decay_factor: float | None
    quantization_levels_input: int
    quantization_levels_weights: int
    quantization_levels_output: int

    @classmethod
    def load(cls, path="gaincell_circuit.json"):
        """Read the JSON."""
        data = json.loads(Path(path).read_text())
        return cls(**{name: data[name] for name in cls.__dataclass_fields__})

    def orders(self):
        """Current per power of (v_store - offset), at v_in = x_max [uA/V^i]."""
        found, index = [], 0
        while index < len(self.c):
            count = round((2 * (len(self.c) - index) + 0.25) ** 0.5 - 0.5)
            found.append(sum(self.c[index + j] * self.x_max**j for j in range(count)))
            index += count
        return found

    def similarity(self, x: Tensor, y: Tensor, decay_mask: Tensor) -> Tensor:
        """Currents [uA] of Q K^T; the age of a score is that of its key."""
        return _Product.apply(x, y, decay_mask, self, False)

    def weight_average(self, x: Tensor, y: Tensor, decay_mask: Tensor) -> Tensor:
        """Currents [uA] of A V; the age of a value is that of its row."""
        return _Product.apply(x, y, decay_mask, self, True)

    def install(self, attention):
        """Replace products, saturation, range of stored voltages, levels and decay of one attention module.

        The scalers of keys and values begin at the voltage at which a cell conducts nothing; where the record states no
        decay per token, the module keeps its own.
        """
        attention.similarity, attention.weight_average = self.similarity, self.weight_average
        attention.weights_clamping_bounds = list(self.weights_bounds)
        attention.quantization_levels_input = self.quantization_levels_input
        attention.quantization_levels_weights = self.quantization_levels_weights
        attention.quantization_levels_output = self.quantization_levels_output
        with no_grad():
            for scaler in (attention.k_scaler, attention.v_scaler):
                scaler.b.fill_(self.offset)
            if self.decay_factor is not None:
                ages = cumsum(attention.mask, dim=-2) - 1  # as their decay_mask counts them
                attention.decay.decay_mask.copy_(exp(-self.decay_factor * ages))
        for scaler, full in (
            (attention.att_score_scaler, self.saturation_qk), (attention.weight_average_scaler, self.saturation_av),
        ):
            scaler.range_a = [1 / full, 1 / full]
            with no_grad():
                scaler.a.fill_(1 / full)


class _Product(Function):
    """Sum over i of k_i x (y - offset)^i, decayed by mask^i; its gradient is that of the line of slope ``a``."""

    @staticmethod
    def forward(ctx, x, y, mask, circuit, before):
        ctx.save_for_backward(x, y, mask)
        ctx.circuit, ctx.before = circuit, before
        w, total = y - circuit.offset, 0.0
        for i, k in enumerate(circuit.orders()):
            term = ((x * mask**i if before else x) @ w**i) * k
            total = total + (term if before else term * mask**i)
        return total

    @staticmethod
    def backward(ctx, gradient):
        x, y, mask = ctx.saved_tensors
        w, a = y - ctx.circuit.offset, ctx.circuit.a
        driven, out = (x * mask, gradient) if ctx.before else (x, gradient * mask)
        grad_x = out @ w.transpose(-1, -2) * a
        return (grad_x * mask if ctx.before else grad_x), driven.transpose(-1, -2) @ out * a, None, None, None
'''


def _refuses(request: Request) -> str:
    if related_records.cell_head(request) is None:
        return f"it takes the current of an attention head's cell, and {request.circuit.name} is none"
    return polynomial.refuses(*request.chosen())


def _files(request: Request) -> Mapping[str, str]:
    return {
        "gaincell_circuit.json": json.dumps(_circuit(request), indent=1) + "\n",
        "gaincell_circuit.py": "".join(f"# {line}\n" for line in request.notes(_LOST)) + _LOADER,
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
