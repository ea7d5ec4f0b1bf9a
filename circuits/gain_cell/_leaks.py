"""Models of the leakage of an idle gain cell, and of the stored voltage under it.

Four currents leave the storage node: through a conductance to the idle word lines (junctions and gates), the
subthreshold currents of the n and of the p write transistor, which flow to the write bitline and depend on its voltage,
too, and leaks that grow towards both rails (drain leakage induced by the gate).  With w the voltage of the write
bitline, the two subthreshold currents are

    i_lo (exp(-w/s_lo) exp(d_lo v) - exp(-v/s_lo) exp(d_lo w))
    i_hi (exp((v - vdd)/s_hi) exp(d_hi (vdd - w)) - exp((w - vdd)/s_hi) exp(d_hi (vdd - v)))

Each is 0 at v = w, exponential in the terminal that is the source, and grows with the drain voltage by d (drain-induced
barrier lowering).  Every term is a product of a function of v and one of w, so a write bitline that changes faster than
v needs the mean of four functions of w alone.
"""

from collections.abc import Callable, Sequence
from functools import partial

from gaincell_char.declare.array_math import Array, namespace
from gaincell_char.declare.model import Change, Coefficient, CoefficientArray, Model, RandomModel, group

from ._models import VDD

EQUATION = (
    "g (v - v_eq) + i_lo (exp(d_lo v - w/s_lo) - exp(d_lo w - v/s_lo)) "
    "+ i_hi (exp(d_hi (vdd - w) + (v - vdd)/s_hi) - exp(d_hi (vdd - v) + (w - vdd)/s_hi)) "
    "+ i_at_vdd exp((v - vdd)/s_edge - k_edge (v - vdd)^2) - i_at_0 exp(-v/s_edge - k_edge v^2), w = v_wbl"
)
_STEPS_PER_VDD = 16
_STEPS = 18
_STRAIGHT, _MOST_BEND = 1e-2, 6.0
_TINY, _LONG, _ALMOST = 1e-9, 1e30, -1 + 1e-6
Conductance = tuple[float, float]
"""Conductance g [S] or its time constant tau [s], and the voltage it pulls to [V]."""
Write = Sequence[tuple[float, float, float]]
"""Of the n and of the p write transistor: current i [A] or rate r [V/s], slope s [V], effect of the drain d [1/V]."""
Edges = tuple[float, float, float, float]
"""Currents [A] or rates [V/s] at 0 and at vdd, their slope [V], and the decrease of the slope with distance [1/V^2]."""
Moments = Sequence[Array]
"""Four functions of the voltage of the write bitline, dimensionless, or their means over time."""


def exponential(v_init: Array, time: Array, *, tau: float, v_ref: float) -> Array:
    """Stored voltage [V], the published form: relaxation towards ``v_ref`` with one time constant.

    Leroux et al. 2025: tau = 5 ms, and v_ref = vdd/2 in the published code.
    """
    return v_ref + (v_init - v_ref) * namespace(time).exp(-time / tau)


def leak_conductance(v_store: Array, *, g: float, v_ref: float) -> Array:
    """Leakage [A] that the published exponential stands for: proportional to ``v_store - v_ref``."""
    return g * (v_store - v_ref)


def bitline_moments(v_wbl: Array, write: Write, vdd: float) -> Moments:
    """Four functions of the voltage of the write bitline [V] on which the leakage depends; dimensionless."""
    exp = namespace(v_wbl).exp
    (_, s_lo, d_lo), (_, s_hi, d_hi) = write
    return exp(-v_wbl / s_lo), exp(d_lo * v_wbl), exp((v_wbl - vdd) / s_hi), exp(d_hi * (vdd - v_wbl))


def _leakage(
    v: Array, moments: Moments, conductance: Conductance, write: Write, edges: Edges, vdd: float
) -> tuple[Array, Array]:
    """Leakage in the unit of its coefficients, [A], or [V/s] with rates and 1/tau, and its derivative by ``v``."""
    exp = namespace(v).exp
    (g, v_eq), ((i_lo, s_lo, d_lo), (i_hi, s_hi, d_hi)), (i_at_0, i_at_vdd, s_edge, k_edge) = conductance, write, edges
    at_low, drain_low, at_high, drain_high = moments
    below = v - vdd
    n_from_st, n_from_wbl = i_lo * at_low * exp(d_lo * v), i_lo * drain_low * exp(-v / s_lo)
    p_from_st, p_from_wbl = i_hi * drain_high * exp(below / s_hi), i_hi * at_high * exp(-d_hi * below)
    near_0 = i_at_0 * exp(-v / s_edge - k_edge * v * v)
    near_vdd = i_at_vdd * exp(below / s_edge - k_edge * below * below)
    total = g * (v - v_eq) + n_from_st - n_from_wbl + p_from_st - p_from_wbl + near_vdd - near_0
    slope = g + d_lo * n_from_st + n_from_wbl / s_lo + p_from_st / s_hi + d_hi * p_from_wbl
    slope = slope + near_0 * (1 / s_edge + 2 * k_edge * v) + near_vdd * (1 / s_edge - 2 * k_edge * below)
    return total, slope


def leak_terms(
    v_store: Array, v_wbl: Array, *, conductance: Conductance, write: Write, edges: Edges, vdd: float
) -> Array:
    """Leakage [A] of a cell at ``v_store`` with the write bitline at ``v_wbl`` [V]."""
    return _leakage(v_store, bitline_moments(v_wbl, write, vdd), conductance, write, edges, vdd)[0]


def four_leaks(
    v_init: Array, time: Array, v_wbl: Array, *, conductance: Conductance, write: Write, edges: Edges, vdd: float
) -> Array:
    """Stored voltage [V] after a time [s] with the write bitline at ``v_wbl`` [V].

    The coefficients are those of `leak_terms` over the capacitance, with tau = 1/g.
    """
    return _decayed(v_init, time, bitline_moments(v_wbl, write, vdd), conductance, write, edges, vdd)


def four_leaks_mean(
    v_init: Array,
    time: Array,
    v_wbl: Array,
    *,
    shares: Array,
    conductance: Conductance,
    write: Write,
    edges: Edges,
    vdd: float,
) -> Array:
    """Stored voltage [V] with a write bitline that changes faster than the stored voltage.

    Along the last axis of ``v_wbl`` are its voltages, and along that of ``shares`` their shares of the time.
    """
    moments = [(moment * shares).sum(-1) for moment in bitline_moments(v_wbl, write, vdd)]
    return _decayed(v_init, time, moments, conductance, write, edges, vdd)


def _decayed(
    v_init: Array, time: Array, moments: Moments, conductance: Conductance, write: Write, edges: Edges, vdd: float
) -> Array:
    tau, v_eq = conductance
    leak = partial(_leakage, moments=moments, conductance=(1 / tau, v_eq), write=write, edges=edges, vdd=vdd)
    return relax(leak, v_init, time, vdd / _STEPS_PER_VDD)


def relax(leak: Callable[[Array], tuple[Array, Array]], v: Array, time: Array, size: float) -> Array:
    """Solve ``dv/dt = -leak(v)`` from ``v`` [V] over a time [s]; elementwise, and the result [V] is differentiable.

    ``leak`` returns the leak [V/s] and its derivative [1/s].  ``v`` moves in one direction, to where the leak is 0, in
    up to 18 steps of ``size`` [V].  Within a step the leak is a constant plus an exponential, with the ratio of slopes
    and the difference that it has between the ends: the time of the step, and the voltage at the end of the time, then
    have closed forms, and no step passes the zero.
    """
    xp = namespace(v, time)
    leak_0, slope_0 = leak(v)
    left, v = time + 0 * leak_0, v + 0 * time + 0 * leak_0
    leak_0, slope_0 = leak_0 + 0 * left + 1 / _LONG, slope_0 + 0 * left
    # The numbers that torch makes of two plain ones have single precision, in which 1 is exact and size is not.
    step = (size + 0 * leak_0) * xp.where(leak_0 > 0, -1.0, 1.0)
    for _ in range(_STEPS):
        leak_1, slope_1 = leak(v + step)
        bend = _bend(xp, slope_0, slope_1)
        growth, curve = xp.expm1(bend), bend / step
        exponent = _not_zero(xp, curve * (leak_0 + (leak_0 - leak_1) / growth))
        grown = -growth / (1 + growth) / (curve * leak_0) * exponent
        ends = ((leak_1 > 0) != (leak_0 > 0)) | (grown <= -1)
        needed = xp.where(ends, _LONG, xp.log1p(xp.where(ends, 1.0, grown)) / exponent)
        arrives = left >= needed
        v, left = xp.where(arrives, v + step, v), xp.where(arrives, left - needed, left)
        leak_0, slope_0 = xp.where(arrives, leak_1, leak_0), xp.where(arrives, slope_1, slope_0)
    moved = xp.expm1(exponent * xp.where(arrives, 0.0, left)) / exponent * leak_0 * curve
    return v - xp.log1p(xp.clip(moved, _ALMOST, None)) / curve


def _bend(xp: Array, slope_0: Array, slope_1: Array) -> Array:
    """Logarithm of the ratio of two slopes; about 0, for a straight line, unless both have one sign."""
    one_sign = (slope_1 > 0) == (slope_0 > 0)
    ratio = xp.where(one_sign, slope_1 / xp.where(one_sign, slope_0, 1.0), 1.0)
    bend = xp.clip(xp.log(ratio), -_MOST_BEND, _MOST_BEND)
    return xp.where(xp.abs(bend) < _STRAIGHT, _STRAIGHT, bend)


def _not_zero(xp: Array, x: Array) -> Array:
    return xp.where(xp.abs(x) < _TINY, _TINY, x)


_V_REF = Coefficient(unit="V", doc="level it relaxes to", start="vdd/2", fixed=True)
_TAU = Coefficient(
    unit="s", doc="time constant of the conductance", start="300*time*exp((27-temp)/20)", low=1e-9, high=1e6
)
_G = Coefficient(unit="S", doc="conductance", start="100f*exp((temp-27)/20)", low=0.0, scale=1e-13)
_STAY = {"v_wbl": "vdd/2"}
_V_EQ = Coefficient(unit="V", doc="level the conductance pulls to", start="vdd/2", low=0.0, high=6.0)
_WARMER = "exp((temp-27)/22)"
"""Growth of a subthreshold current from 27 degC, for the start of the search."""
_OVER_TIME = "/time"
"""A rate is of the order of a voltage divided by the times of the sweep; `time` is their median."""
_WHERE = {"lo": "of the n write transistor", "hi": "of the p write transistor"}


def _write(letter: str, unit: str, over: str, **sizes: float) -> CoefficientArray:
    """Coefficients of both write transistors; `letter` is i or r, and `sizes` are the starts at 27 degC in `unit`.

    `over` is what follows a size in the expression of its start.
    """
    found = {}
    for name, size in sizes.items():
        of = f"of the leak {_WHERE[name]}"
        start = f"{size}{over}*{_WARMER}"
        found[f"{letter}_{name}"] = Coefficient(unit=unit, doc=f"size {of}", start=start, low=0.0)
        found[f"s_{name}"] = Coefficient(unit="V", doc=f"slope {of}", start=0.03, low=0.01, high=0.2)
        found[f"d_{name}"] = Coefficient(unit="1/V", doc=f"growth with the drain {of}", start=0.3, low=-5, high=10)
    return CoefficientArray(parts=found, shape=(2, 3))


def _edges(letter: str, unit: str, over: str, size: float) -> CoefficientArray:
    """Coefficients of the leaks near both rails; the arguments are those of `_write`."""
    at_0, at_vdd = (
        Coefficient(unit=unit, doc=f"leak that grows towards {where}, there", start=f"{size}{over}", low=0.0)
        for where in ("0", "vdd")
    )
    slope = Coefficient(unit="V", doc="slope of the leaks near both rails", start=0.06, low=0.02, high=0.5)
    bend = Coefficient(unit="1/V^2", doc="bend of the leaks near both rails", start=1.0, low=0.0, high=200.0)
    return group("", **{f"{letter}_at_0": at_0, f"{letter}_at_vdd": at_vdd, "s_edge": slope, "k_edge": bend})


LEAK_TERMS = Model(
    name="leak_terms",
    form="fitted",
    bench="leak",
    function=leak_terms,
    output="i_leak",
    equation=f"i_leak = {EQUATION}, v = v_store",
    arguments={
        "conductance": group("", g=_G, v_eq=_V_EQ),
        "write": _write("i", "A", "", lo=1e-11, hi=4e-12),
        "edges": _edges("i", "A", "", 2e-13),
        "vdd": VDD,
    },
    relative_from=1e-3,
)
MODELS = (
    Model(
        name="exponential",
        form="published",
        bench="decay",
        function=exponential,
        output="v_store",
        equation="v_store = v_ref + (v_init - v_ref) exp(-time/tau)",
        arguments={
            "tau": Coefficient(unit="s", doc="time constant", start=5e-3, low=1e-9, high=1e6),
            "v_ref": _V_REF,
        },
        held_at=_STAY,
    ),
    Model(
        name="four_leaks",
        form="fitted",
        bench="decay",
        function=four_leaks,
        mean=four_leaks_mean,
        output="v_store",
        equation=f"dv/dt = -({EQUATION}), with r for i and 1/tau for g, from v_init over time",
        arguments={
            "conductance": group("", tau=_TAU, v_eq=_V_EQ),
            "write": _write("r", "V/s", _OVER_TIME, lo=0.18, hi=0.09),
            "edges": _edges("r", "V/s", _OVER_TIME, 0.007),
            "vdd": VDD,
        },
    ),
    Model(
        name="leak_conductance",
        form="published",
        bench="leak",
        function=leak_conductance,
        output="i_leak",
        equation="i_leak = g (v_store - v_ref)",
        arguments={"g": Coefficient(unit="S", doc="conductance", start=0.0, scale=1e-12), "v_ref": _V_REF},
        held_at=_STAY,
        linear=True,
    ),
    LEAK_TERMS,
)


def _random(side: str, of: str) -> Change:
    return Change(of=f"i_{side}", unit="1", doc=f"logarithm of the leak {of}", scale=1e-3, logarithmic=True)


RANDOM_LEAKS = RandomModel(
    name="random_leaks",
    nominal=LEAK_TERMS,
    random={f"x_{side}": _random(side, _WHERE[side]) for side in ("lo", "hi")},
)
"""The threshold of a write transistor is in the exponent of its leak; the other leaks do not depend on it."""
