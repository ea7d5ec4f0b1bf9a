"""A current as the published polynomial: ``sum_ij C_ij (v_store - v_ref)^i v_in^j``, i + j <= 3."""

from collections.abc import Mapping

import sympy

from ..declare.circuit import Model
from ..fitting.fit import Fit
from .trace import plain, symbol, trace

ORDER = 3
TERMS = tuple((i, j) for i in range(ORDER + 1) for j in range(ORDER + 1 - i))
"""The published loop order."""
_UNKNOWN = "w"


def refuses(fit: Fit, model: Model) -> str:
    """Why a model is no such polynomial."""
    if fit.unit != "A" or len(model.inputs) > 2:
        return (
            f"it takes a current over one or two voltages, not {fit.output} [{fit.unit}] over {', '.join(fit.inputs)}"
        )
    if _terms(fit, model, 0.0) is None:
        return (
            f"it takes a polynomial of order {ORDER}, and {fit.equation} is none; "
            "the shape beyond third order would be lost: export the paper form"
        )
    return ""


def _terms(fit: Fit, model: Model, v_ref: float) -> Mapping[tuple[int, int], float] | None:
    """Coefficients by powers, the first input counted from ``v_ref``; None if there are others."""
    traced = trace(model.function, dict.fromkeys(model.inputs), tuple(model.coefficients))
    first, *rest = (symbol(name).expression for name in model.inputs)
    unknown = symbol(_UNKNOWN).expression
    shifted = traced.subs(first, unknown + plain(v_ref))
    # Asked first: to expand what is none takes minutes.
    if not shifted.is_polynomial(unknown, *rest):
        return None
    polynomial = sympy.Poly(shifted, unknown, *rest)
    values = {sympy.Symbol(name, real=True): sympy.Float(value, 30) for name, value in fit.values().items()}
    found = {(*powers, 0)[:2]: float(term.subs(values)) for powers, term in polynomial.terms()}
    return found if all(sum(powers) <= ORDER for powers in found) else None


def published(fit: Fit, model: Model, v_ref: float, v_in: float) -> list[float]:
    """Coefficients C_ij [A/V^(i+j)] in the published loop order.

    A model of the first input alone was fitted at one ``v_in``, which determines ``sum_j C_ij v_in^j`` only.  As the
    published ten coefficients do, the least ones are returned: C_ij = k_i v_in^j / sum_m v_in^(2m).
    """
    terms = _terms(fit, model, v_ref) or {}
    if len(model.inputs) == 2:
        return [terms.get(powers, 0.0) for powers in TERMS]
    return [terms.get((i, 0), 0.0) * v_in**j / sum(v_in ** (2 * m) for m in range(ORDER + 1 - i)) for i, j in TERMS]
