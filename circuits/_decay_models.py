"""Models of how a stored voltage decays, and of the current that leaks."""

from gaincell_char.declare.array_math import Array, namespace
from gaincell_char.declare.model import Coefficient, Model

_SUBSTEPS = 12


def exponential(v_init: Array, time: Array, *, tau: float, v_ref: float) -> Array:
    """Stored voltage [V], the published form: relaxation towards ``v_ref`` with one time constant.

    Leroux et al. 2025: tau = 5 ms, and v_ref = vdd/2 in the published code.
    """
    return v_ref + (v_init - v_ref) * namespace(time).exp(-time / tau)


def three_leaks(
    v_init: Array,
    time: Array,
    *,
    tau: float,
    v_eq: float,
    beta: float,
    r_lo: float,
    s_lo: float,
    r_hi: float,
    s_hi: float,
    vdd: float,
) -> Array:
    """Stored voltage [V] under a cubic conductance and two subthreshold currents.

    dv/dt = -(v - v_eq) (1 + beta (v - v_eq)^2) / tau + r_lo exp(-v/s_lo) - r_hi exp((v - vdd)/s_hi).
    Each of the three is integrated exactly, one after the other, over twelve steps that grow with time
    (Strang splitting), so the result is elementwise, stable for any coefficients and differentiable.
    """
    xp = namespace(v_init, time)
    v = v_init + 0 * time
    for k in range(_SUBSTEPS):
        dt = time * (((k + 1) / _SUBSTEPS) ** 3 - (k / _SUBSTEPS) ** 3)
        v = _conductance(xp, v, dt / 2, tau, v_eq, beta)
        v = v + s_lo * xp.log1p(r_lo * dt / s_lo * xp.exp(-v / s_lo))
        v = v - s_hi * xp.log1p(r_hi * dt / s_hi * xp.exp((v - vdd) / s_hi))
        v = _conductance(xp, v, dt / 2, tau, v_eq, beta)
    return v


def _conductance(xp: Array, v: Array, dt: Array, tau: float, v_eq: float, beta: float) -> Array:
    """Solution of dw/dt = -w (1 + beta w^2)/tau for w = v - v_eq (Bernoulli's equation)."""
    w = v - v_eq
    left = xp.exp(-dt / tau)
    return v_eq + w * left / xp.sqrt(1 + beta * w * w * (1 - left * left))


def leak_conductance(v_store: Array, *, g: float, v_ref: float) -> Array:
    """Leakage [A] that the published exponential stands for: proportional to ``v_store - v_ref``."""
    return g * (v_store - v_ref)


def leak_terms(
    v_store: Array,
    *,
    g: float,
    v_eq: float,
    beta: float,
    i_lo: float,
    s_lo: float,
    i_hi: float,
    s_hi: float,
    vdd: float,
) -> Array:
    """Leakage [A]: cubic conductance and the subthreshold currents of the two write transistors."""
    xp = namespace(v_store)
    w = v_store - v_eq
    return g * w * (1 + beta * w * w) - i_lo * xp.exp(-v_store / s_lo) + i_hi * xp.exp((v_store - vdd) / s_hi)


_V_REF = Coefficient(unit="V", doc="level it relaxes to", start=lambda p: p["vdd"] / 2, fixed=True)
_VDD = Coefficient(unit="V", doc="supply", start=lambda p: p["vdd"], fixed=True)
_SHAPE = {
    "v_eq": Coefficient(unit="V", doc="level the conductance pulls to", start=lambda p: p["vdd"] / 2, low=-1, high=3),
    "beta": Coefficient(unit="1/V^2", doc="cubic part of the conductance", start=1.0, low=-3.0, high=200.0),
}
_SLOPES = {
    "s_lo": Coefficient(unit="V", doc="slope of the leak at low v_store", start=0.04, low=0.01, high=0.5),
    "s_hi": Coefficient(unit="V", doc="slope of the leak at high v_store", start=0.04, low=0.01, high=0.5),
}


EXPONENTIAL = Model(
    name="exponential",
    form="published",
    bench="decay",
    function=exponential,
    inputs=("v_init", "time"),
    output="v_store",
    equation="v_store = v_ref + (v_init - v_ref) exp(-time/tau)",
    coefficients={
        "tau": Coefficient(unit="s", doc="time constant", start=5e-3, low=1e-9, high=1e6),
        "v_ref": _V_REF,
    },
)
THREE_LEAKS = Model(
    name="three_leaks",
    form="fitted",
    bench="decay",
    function=three_leaks,
    inputs=("v_init", "time"),
    output="v_store",
    equation="dv/dt = -w (1 + beta w^2)/tau + r_lo exp(-v/s_lo) - r_hi exp((v - vdd)/s_hi), w = v - v_eq",
    coefficients={
        "tau": Coefficient(unit="s", doc="time constant of the conductance", start=20e-3, low=1e-9, high=1e6),
        **_SHAPE,
        "r_lo": Coefficient(unit="V/s", doc="leak at v_store = 0, as a rate", start=1e3, low=0.0),
        "s_lo": _SLOPES["s_lo"],
        "r_hi": Coefficient(unit="V/s", doc="leak at v_store = vdd, as a rate", start=500.0, low=0.0),
        "s_hi": _SLOPES["s_hi"],
        "vdd": _VDD,
    },
)
LEAK_CONDUCTANCE = Model(
    name="leak_conductance",
    form="published",
    bench="leak",
    function=leak_conductance,
    inputs=("v_store",),
    output="i_leak",
    equation="i_leak = g (v_store - v_ref)",
    coefficients={
        "g": Coefficient(unit="S", doc="conductance", start=0.0, scale=1e-12),
        "v_ref": _V_REF,
    },
    linear=True,
)
LEAK_TERMS = Model(
    name="leak_terms",
    form="fitted",
    bench="leak",
    function=leak_terms,
    inputs=("v_store",),
    output="i_leak",
    equation="i_leak = g w (1 + beta w^2) - i_lo exp(-v/s_lo) + i_hi exp((v - vdd)/s_hi), v = v_store, w = v - v_eq",
    coefficients={
        "g": Coefficient(unit="S", doc="conductance", start=2e-13, low=0.0),
        **_SHAPE,
        "i_lo": Coefficient(unit="A", doc="leak at v_store = 0", start=1e-11, low=0.0),
        "s_lo": _SLOPES["s_lo"],
        "i_hi": Coefficient(unit="A", doc="leak at v_store = vdd", start=4e-12, low=0.0),
        "s_hi": _SLOPES["s_hi"],
        "vdd": _VDD,
    },
)
