"""Behavioural models of gain cells."""

from gaincell_char.declare.array_math import Array, polynomial, softplus
from gaincell_char.declare.bench import Numbers
from gaincell_char.declare.model import Coefficient, Model


def cubic(v_store: Array, *, c0: float, c1: float, c2: float, c3: float, v_ref: float) -> Array:
    """Bitline current [A], the published form: a full cubic in ``v_store - v_ref``.

    Leroux et al. 2025, Methods, eq. 4, at constant ``v_in``: four coefficients are identifiable.
    """
    return polynomial(v_store - v_ref, (c0, c1, c2, c3))


def branch(v: Array, k: float, vt: float, s: float, theta: float, q: float) -> Array:
    """Saturation current [A] of one transistor: EKV overdrive u, square law, mobility 1/(1 + theta u + q u^2)."""
    u = s * softplus((v - vt) / s)
    return k * u * u / (1 + theta * u + q * u * u)


def softplus_np(
    v_store: Array,
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
    vdd: float,
) -> Array:
    """Bitline current [A]: n branch at ``v_store`` less p branch at ``vdd - v_store``."""
    n = branch(v_store, k_n, vt_n, s_n, theta_n, q_n)
    return n - branch(vdd - v_store, k_p, vt_p, s_p, theta_p, q_p)


def bivariate_cubic(
    v_store: Array,
    v_in: Array,
    *,
    c00: float,
    c01: float,
    c02: float,
    c03: float,
    c10: float,
    c11: float,
    c12: float,
    c20: float,
    c21: float,
    c30: float,
    v_ref: float,
) -> Array:
    """Bitline current [A], the published form over both inputs: all terms up to third order.

    Leroux et al. 2025, Methods, eq. 4.
    """
    w = v_store - v_ref
    return (
        polynomial(v_in, (c00, c01, c02, c03))
        + w * polynomial(v_in, (c10, c11, c12))
        + w * w * (c20 + c21 * v_in)
        + c30 * w * w * w
    )


def ekv_branch(
    v_g: Array, v_s: Array, v_d: Array, k: float, vt: float, n: float, theta: float, lam: float, ut: float
) -> Array:
    """Drain current [A] of an EKV transistor, terminals referred to its body.

    I = 2 n k ut^2 (F((vp-v_s)/ut) - F((vp-v_d)/ut)) (1 + lam v_ds) / (1 + theta ov), F(x) = log(1+exp(x/2))^2,
    vp = (v_g - vt)/n; Enz, Krummenacher, Vittoz, Analog Integr. Circuits Signal Process. 8, 83 (1995).
    """
    vp = (v_g - vt) / n
    forward = softplus((vp - v_s) / (2 * ut))
    reverse = softplus((vp - v_d) / (2 * ut))
    current = 2 * n * k * ut * ut * (forward * forward - reverse * reverse)
    return current * (1 + lam * (v_d - v_s)) / (1 + theta * 2 * ut * forward)


def ekv_rails(
    v_store: Array,
    v_in: Array,
    *,
    k_n: float,
    vt_n: float,
    n_n: float,
    theta_n: float,
    lam_n: float,
    k_p: float,
    vt_p: float,
    n_p: float,
    theta_p: float,
    lam_p: float,
    vdd: float,
    v_bl: float,
    ut: float,
) -> Array:
    """Bitline current [A] with the word lines as sources: n from ``vdd - v_in``, p from ``v_in``."""
    n = ekv_branch(v_store, vdd - v_in, v_bl, k_n, vt_n, n_n, theta_n, lam_n, ut)
    p = ekv_branch(vdd - v_store, vdd - v_in, vdd - v_bl, k_p, vt_p, n_p, theta_p, lam_p, ut)
    return n - p


def _ut(p: Numbers) -> float:
    return 8.617333e-5 * (p["temp"] + 273.15)


def _half(p: Numbers) -> float:
    return p["vdd"] / 2


def _full_drive(p: Numbers) -> dict[str, float]:
    return {"v_in": p["vdd"], "v_bl": p["vdd"] / 2}


V_REF = Coefficient(unit="V", doc="zero of the published form", start=_half, fixed=True)
VDD = Coefficient(unit="V", doc="supply", start=lambda p: p["vdd"], fixed=True)


def polynomial_coefficients(unit: str, size: float, names: dict[str, str]) -> dict[str, Coefficient]:
    return {n: Coefficient(unit=f"{unit}{per}", doc=f"term {n[1:]}", start=0.0, scale=size) for n, per in names.items()}


def powers(letter: str, count: int) -> dict[str, str]:
    return {f"{letter}{i}": _per_volt(i) for i in range(count)}


def _per_volt(power: int) -> str:
    return "" if power == 0 else "/V" if power == 1 else f"/V^{power}"


def cubic_coefficients(unit: str, size: float) -> dict[str, Coefficient]:
    return {**polynomial_coefficients(unit, size, powers("c", 4)), "v_ref": V_REF}


def branch_coefficients(side: str, k: float) -> dict[str, Coefficient]:
    who = {"n": "n branch", "p": "p branch"}[side]
    return {
        f"k_{side}": Coefficient(unit="A/V^2", doc=f"{who}: current factor", start=k, low=0.0),
        f"vt_{side}": Coefficient(
            unit="V", doc=f"{who}: threshold", start=lambda p: 0.4 * p["vdd"], low=-1.0, high=2.0
        ),
        f"s_{side}": Coefficient(unit="V", doc=f"{who}: width of moderate inversion", start=0.06, low=0.02, high=0.12),
        f"theta_{side}": Coefficient(unit="1/V", doc=f"{who}: mobility reduction", start=0.5, low=-2.0, high=5.0),
        f"q_{side}": Coefficient(
            unit="1/V^2", doc=f"{who}: second-order mobility reduction", start=1.0, low=0.0, high=10.0
        ),
    }


def _ekv_coefficients(side: str, k: float) -> dict[str, Coefficient]:
    who = {"n": "n transistor", "p": "p transistor"}[side]
    return {
        f"k_{side}": Coefficient(unit="A/V^2", doc=f"{who}: current factor", start=k, low=0.0),
        f"vt_{side}": Coefficient(
            unit="V", doc=f"{who}: threshold", start=lambda p: 0.4 * p["vdd"], low=-1.0, high=2.0
        ),
        f"n_{side}": Coefficient(unit="1", doc=f"{who}: slope factor", start=1.1, low=0.8, high=3.0),
        f"theta_{side}": Coefficient(unit="1/V", doc=f"{who}: mobility reduction", start=0.3, low=-2.0, high=20.0),
        f"lam_{side}": Coefficient(unit="1/V", doc=f"{who}: channel-length modulation", start=0.2, low=-2.0, high=5.0),
    }


CUBIC = Model(
    name="cubic",
    form="published",
    bench="dc",
    function=cubic,
    inputs=("v_store",),
    output="i_bl",
    equation="i_bl = c0 + c1 w + c2 w^2 + c3 w^3, w = v_store - v_ref",
    coefficients=cubic_coefficients("A", 1e-5),
    held_at=_full_drive,
    linear=True,
)
SOFTPLUS = Model(
    name="softplus",
    form="fitted",
    bench="dc",
    function=softplus_np,
    inputs=("v_store",),
    output="i_bl",
    equation="i_bl = N(v_store) - P(vdd - v_store), N(v) = k u^2/(1 + theta u + q u^2), u = s log(1 + exp((v - vt)/s))",
    coefficients={**branch_coefficients("n", 5e-5), **branch_coefficients("p", 8e-5), "vdd": VDD},
    held_at=_full_drive,
)
DC = (CUBIC, SOFTPLUS)
CUBIC_2D = Model(
    name="cubic_2d",
    form="published",
    bench="dc",
    function=bivariate_cubic,
    inputs=("v_store", "v_in"),
    output="i_bl",
    equation="i_bl = sum_ij c_ij w^i v_in^j, i + j <= 3, w = v_store - v_ref",
    coefficients={
        **polynomial_coefficients(
            "A",
            1e-5,
            {f"c{i}{j}": f"/V^{i + j}" if i + j > 1 else "/V" * (i + j) for i in range(4) for j in range(4 - i)},
        ),
        "v_ref": V_REF,
    },
    held_at=lambda p: {"v_bl": p["vdd"] / 2},
    linear=True,
)
EKV_2D = Model(
    name="ekv_2d",
    form="fitted",
    bench="dc",
    function=ekv_rails,
    inputs=("v_store", "v_in"),
    output="i_bl",
    equation="i_bl = N - P, EKV transistors with the word lines as sources",
    coefficients={
        **_ekv_coefficients("n", 6e-5),
        **_ekv_coefficients("p", 1e-4),
        "vdd": VDD,
        "v_bl": Coefficient(unit="V", doc="bitline", start=_half, fixed=True),
        "ut": Coefficient(unit="V", doc="thermal voltage", start=_ut, fixed=True),
    },
    held_at=lambda p: {"v_bl": p["vdd"] / 2},
)
