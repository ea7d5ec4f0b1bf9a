"""Models of a gain cell with switched word lines."""

from gaincell_char.declare.array_math import Array
from gaincell_char.declare.model import Coefficient, Model

from ._cell_models import VDD, branch, branch_coefficients


def switched(
    v_store: Array,
    v_in: Array,
    *,
    k_n: float,
    vt_n: float,
    s_n: float,
    theta_n: float,
    q_n: float,
    k_p: float,
    vt_p: float,
    s_p: float,
    theta_p: float,
    q_p: float,
    kn_s: float,
    vtn_s: float,
    sn_s: float,
    tn_s: float,
    m_n: float,
    kp_s: float,
    vtp_s: float,
    sp_s: float,
    tp_s: float,
    m_p: float,
    vdd: float,
) -> Array:
    """Bitline current [A] of drivers behind switches: in each branch the smaller of two currents, smoothly."""
    n = _smaller(branch(v_store, k_n, vt_n, s_n, theta_n, q_n), branch(v_in, kn_s, vtn_s, sn_s, tn_s, 0.0), m_n)
    p = _smaller(branch(vdd - v_store, k_p, vt_p, s_p, theta_p, q_p), branch(v_in, kp_s, vtp_s, sp_s, tp_s, 0.0), m_p)
    return n - p


def _smaller(a: Array, b: Array, m: float) -> Array:
    return a * b / (a**m + b**m) ** (1 / m)


def _switch_coefficients(side: str) -> dict[str, Coefficient]:
    who = f"{side} switch"
    return {
        f"k{side}_s": Coefficient(unit="A/V^2", doc=f"{who}: current factor", start=2e-4, low=1e-7, high=1.0),
        f"vt{side}_s": Coefficient(
            unit="V", doc=f"{who}: threshold", start=lambda p: 0.4 * p["vdd"], low=-1.0, high=2.0
        ),
        f"s{side}_s": Coefficient(unit="V", doc=f"{who}: width of moderate inversion", start=0.06, low=0.005, high=1.0),
        f"t{side}_s": Coefficient(unit="1/V", doc=f"{who}: mobility reduction", start=0.5, low=-1.0, high=50.0),
        f"m_{side}": Coefficient(
            unit="1", doc=f"{side} branch: sharpness of the smaller current", start=2.0, low=0.3, high=10.0
        ),
    }


SWITCHED_2D = Model(
    name="switched_2d",
    form="fitted",
    bench="dc",
    function=switched,
    inputs=("v_store", "v_in"),
    output="i_bl",
    equation="i_bl = min(N(v_store), S_n(v_in)) - min(P(vdd - v_store), S_p(v_in)), min(a, b) = a b/(a^m + b^m)^(1/m)",
    coefficients={
        **branch_coefficients("n", 5e-5),
        **branch_coefficients("p", 8e-5),
        **_switch_coefficients("n"),
        **_switch_coefficients("p"),
        "vdd": VDD,
    },
    held_at=lambda p: {"v_bl": p["vdd"] / 2},
)
