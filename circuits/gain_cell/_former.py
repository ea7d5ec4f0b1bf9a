"""Models of records of earlier versions: transistors that never leave saturation."""

from collections.abc import Sequence

from gaincell_char.declare.array_math import Array, polynomial, softplus
from gaincell_char.declare.model import Coefficient, CoefficientArray, Model, group, terms

from ._models import FULL_DRIVE, V_REF, VDD, Branch


def _branch(v: Array, transistor: Branch) -> Array:
    """Saturation current [A] of one transistor: EKV overdrive u, square law, mobility 1/(1 + theta u + q u^2)."""
    k, vt, s, theta, q = transistor
    u = s * softplus((v - vt) / s)
    return k * u * u / (1 + theta * u + q * u * u)


def saturated(v_store: Array, *, n: Branch, p: Branch, vdd: float) -> Array:
    """Bitline current [A]: n branch at ``v_store`` less p branch at ``vdd - v_store``."""
    return _branch(v_store, n) - _branch(vdd - v_store, p)


def saturated_charge(
    v_store: Array, t_pulse: Array, *, n: Branch, p: Branch, a: Sequence[float], vdd: float, v_ref: float
) -> Array:
    """Charge [C] of one pulse: width times an effective current, plus the charge of the two edges."""
    return t_pulse * saturated(v_store, n=n, p=p, vdd=vdd) + polynomial(v_store - v_ref, a)


def _coefficients(side: str, k: float) -> CoefficientArray:
    who = f"{side} branch"
    return group(
        f"_{side}",
        k=Coefficient(unit="A/V^2", doc=f"{who}: current factor", start=k, low=0.0),
        vt=Coefficient(unit="V", doc=f"{who}: threshold", start="0.4*vdd", low=-1.0, high=2.0),
        s=Coefficient(unit="V", doc=f"{who}: width of moderate inversion", start=0.06, low=0.02, high=0.12),
        theta=Coefficient(unit="1/V", doc=f"{who}: mobility reduction", start=0.5, low=-2.0, high=5.0),
        q=Coefficient(unit="1/V^2", doc=f"{who}: second-order mobility reduction", start=1.0, low=0.0, high=10.0),
    )


_BRANCHES = {"n": _coefficients("n", 5e-5), "p": _coefficients("p", 8e-5)}
MODELS = (
    Model(
        name="softplus",
        form="fitted",
        bench="dc",
        function=saturated,
        output="i_bl",
        equation="i_bl = N(v_store) - P(vdd - v_store), N(v) = k u^2/(1 + theta u + q u^2), "
        "u = s log(1 + exp((v - vt)/s))",
        arguments={**_BRANCHES, "vdd": VDD},
        held_at=FULL_DRIVE,
    ),
    Model(
        name="softplus_charge",
        form="fitted",
        bench="pulse",
        function=saturated_charge,
        output="q_bl",
        equation="q_bl = t_pulse I_eff(v_store) + Q0(v_store), I_eff as softplus, Q0 = sum a_i w^i",
        arguments={**_BRANCHES, "a": terms("a", "C", 1e-15, 6), "vdd": VDD, "v_ref": V_REF},
    ),
)
