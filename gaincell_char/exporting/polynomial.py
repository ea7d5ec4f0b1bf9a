"""A current in the form of the published polynomial: ``sum_ij C_ij (v_store - v_ref)^i v_in^j``, i + j <= 3."""

from collections.abc import Mapping

import sympy

from ..declare.model import Model
from ..fitting.fit import Fit
from .trace import make_symbol, to_expression, trace_model

ORDER = 3
TERMS = tuple((i, j) for i in range(ORDER + 1) for j in range(ORDER + 1 - i))
"""Powers (i, j) in the loop order of the published code."""
_UNKNOWN = "w"


def explain_refusal(fit: Fit, model: Model) -> str:
    """Reason why a model is not such a polynomial; empty if it is one."""
    if fit.unit != "A" or len(model.inputs) > 2:
        return (
            f"it needs a current over one or two voltages, not {fit.output} [{fit.unit}] over {', '.join(fit.inputs)}"
        )
    if _find_terms(fit, model, 0.0) is None:
        return (
            f"it needs a polynomial of order {ORDER}, and {fit.equation} is not one; "
            "the shape beyond third order would be lost: export the paper form"
        )
    return ""


def _find_terms(fit: Fit, model: Model, v_ref: float) -> Mapping[tuple[int, int], float] | None:
    """Coefficients by powers, the first input counted from ``v_ref``; None if the model is not such a polynomial."""
    first, *rest = (make_symbol(name).expression for name in model.inputs)
    unknown = make_symbol(_UNKNOWN).expression
    shifted = trace_model(model).subs(first, unknown + to_expression(v_ref))
    # Checked first: expanding anything else takes minutes.
    if not shifted.is_polynomial(unknown, *rest):
        return None
    polynomial = sympy.Poly(shifted, unknown, *rest)
    values = {make_symbol(name).expression: sympy.Float(value, 30) for name, value in fit.values().items()}
    found = {(*powers, 0)[:2]: float(term.xreplace(values)) for powers, term in polynomial.terms()}
    return found if all(sum(powers) <= ORDER for powers in found) else None


def find_coefficients(fit: Fit, model: Model, v_ref: float, v_in: float) -> list[float]:
    """Coefficients C_ij [A/V^(i+j)] in the loop order of the published code.

    A model of one input was fitted at one ``v_in``, which determines only ``k_i = sum_j C_ij v_in^j``.  As for the ten
    published coefficients, the solution of least norm is returned: C_ij = k_i v_in^j / sum_m v_in^(2m).

    Parameters
    ----------
    fit, model : Fit, Model
        The fitted model.
    v_ref : float
        Voltage from which the first input is counted [V].
    v_in : float
        Second voltage, for a model without this input [V].
    """
    terms = _find_terms(fit, model, v_ref) or {}
    if len(model.inputs) == 2:
        return [terms.get(powers, 0.0) for powers in TERMS]
    return [terms.get((i, 0), 0.0) * v_in**j / sum(v_in ** (2 * m) for m in range(ORDER + 1 - i)) for i, j in TERMS]
