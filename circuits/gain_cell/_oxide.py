"""Models of the leakage of an idle gain cell whose write transistor is an oxide semiconductor.

Such a transistor has no body and no junctions, and there is no p transistor beside it.  One current leaves the storage
node, to the write bitline.  With v the stored voltage, w that of the write bitline and u the thermal voltage it is

    sgn(v - w) i_lo exp(-min(v, w)/s_lo) (1 - exp(-|v - w|/u)) + i_floor tanh((v - w)/u)

The first term is the current of an EKV transistor in weak inversion with its gate at 0 (Enz, Krummenacher and Vittoz
1995): the lower of the two voltages is its source.  The second one does not depend on the gate.  Read transistors whose
gates leak are not included.
"""

from functools import partial

from gaincell_char.declare.array_math import Array, namespace
from gaincell_char.declare.model import Change, Coefficient, CoefficientArray, Model, RandomModel, group

from ._leaks import relax
from ._models import VDD

EQUATION = "sgn(v - w) i_lo exp(-min(v, w)/s_lo) (1 - exp(-|v - w|/u)) + i_floor tanh((v - w)/u), w = v_wbl"
_STEPS_PER_SUPPLY = 16
_SATURATED = 20.0
"""Argument from which tanh is 1 in double precision."""
Oxide = tuple[float, float, float, float]
"""Current i_lo [A] or rate [V/s] and its slope s_lo [V], floor i_floor [A] or rate [V/s], thermal voltage u [V]."""


def _currents(v: Array, w: Array, s_lo: float, u: float) -> tuple[Array, Array]:
    """Subthreshold current for i_lo = 1 and floor for i_floor = 1, dimensionless."""
    xp = namespace(v, w)
    x, size = (v - w) / u, xp.abs((v - w) / u)
    lower = (v + w - u * size) / 2
    falls = xp.exp(-2 * xp.clip(x, -_SATURATED, _SATURATED))
    channel = xp.exp(-lower / s_lo) * (xp.exp((x - size) / 2) - xp.exp(-(x + size) / 2))
    return channel, (1 - falls) / (1 + falls)


def _slopes(v: Array, w: Array, s_lo: float, u: float) -> tuple[Array, Array]:
    """Derivatives of `_currents` by ``v`` [1/V]."""
    xp = namespace(v, w)
    size = xp.abs(v - w) / u
    closed, lower = xp.exp(-size), (v + w - u * size) / 2
    channel = xp.exp(-lower / s_lo) * (closed / u + xp.where(v < w, (1 - closed) / s_lo, 0.0))
    return channel, (2 * closed / (1 + closed * closed)) ** 2 / u


def oxide_leak(v_store: Array, v_wbl: Array, *, oxide: Oxide) -> Array:
    """Leakage [A] of a cell at ``v_store`` with the write bitline at ``v_wbl`` [V]."""
    i_lo, s_lo, i_floor, u = oxide
    channel, floor = _currents(v_store, v_wbl, s_lo, u)
    return i_lo * channel + i_floor * floor


def _leakage(v: Array, w: Array, oxide: Oxide) -> tuple[Array, Array]:
    """Leakage [V/s] with rates, and its derivative by ``v`` [1/s]."""
    i_lo, s_lo, i_floor, u = oxide
    channel, floor = _slopes(v, w, s_lo, u)
    return oxide_leak(v, w, oxide=oxide), i_lo * channel + i_floor * floor


def _mean_leakage(v: Array, w: Array, shares: Array, oxide: Oxide) -> tuple[Array, Array]:
    """Mean of `_leakage` over the voltages of the write bitline along the last axis of ``w``."""
    i_lo, s_lo, i_floor, u = oxide
    parts = (*_currents(v[..., None], w, s_lo, u), *_slopes(v[..., None], w, s_lo, u))
    channel, floor, slope, floor_slope = [(part * shares).sum(-1) for part in parts]
    return i_lo * channel + i_floor * floor, i_lo * slope + i_floor * floor_slope


def oxide_decay(v_init: Array, time: Array, v_wbl: Array, *, oxide: Oxide, vdd: float) -> Array:
    """Stored voltage [V] after a time [s] with the write bitline at ``v_wbl`` [V].

    The coefficients are those of `oxide_leak` over the capacitance.
    """
    return relax(partial(_leakage, w=v_wbl, oxide=oxide), v_init, time, vdd / _STEPS_PER_SUPPLY)


def oxide_decay_mean(v_init: Array, time: Array, v_wbl: Array, *, shares: Array, oxide: Oxide, vdd: float) -> Array:
    """Stored voltage [V] with a write bitline that changes faster than the stored voltage.

    Along the last axis of ``v_wbl`` are its voltages, and along that of ``shares`` their shares of the time.
    """
    leak = partial(_mean_leakage, w=v_wbl, shares=shares, oxide=oxide)
    return relax(leak, v_init, time, vdd / _STEPS_PER_SUPPLY)


_WARMER = "exp((temp-27)/9)"
"""Growth of the subthreshold current from 27 degC, for the start of the search."""
_THERMAL = "8.617333e-5*(temp+273.15)"
"""Thermal voltage k T / q [V], with the constants of the SI."""


def _oxide(letter: str, unit: str, current: float, floor: float) -> CoefficientArray:
    """Coefficients of the leakage; `letter` is i or r, and `current` and `floor` are starts at 27 degC in `unit`."""
    first = Coefficient(
        unit=unit, doc="leak of the write transistor with its source at 0", start=f"{current}*{_WARMER}", low=0.0
    )
    slope = Coefficient(unit="V", doc="slope of that leak with the source", start=f"1.2*{_THERMAL}", low=0.01, high=0.2)
    last = Coefficient(unit=unit, doc="leak that does not depend on the gate", start=floor, low=0.0)
    thermal = Coefficient(unit="V", doc="thermal voltage", start=_THERMAL, fixed=True)
    return group("", **{f"{letter}_lo": first, "s_lo": slope, f"{letter}_floor": last, "u": thermal})


_WHERE = {"write_flavour": "os"}
OXIDE_LEAK = Model(
    name="oxide_leak",
    form="fitted",
    bench="leak",
    function=oxide_leak,
    output="i_leak",
    equation=f"i_leak = {EQUATION}, v = v_store",
    arguments={"oxide": _oxide("i", "A", 1e-19, 6e-20)},
    relative_from=1e-3,
    instead_of="leak_terms",
    where=_WHERE,
)
MODELS = (
    Model(
        name="oxide_decay",
        form="fitted",
        bench="decay",
        function=oxide_decay,
        mean=oxide_decay_mean,
        output="v_store",
        equation=f"dv/dt = -({EQUATION}), with r for i, from v_init over time",
        arguments={
            "oxide": _oxide("r", "V/s", 2e-5, 1e-5),
            "vdd": VDD,
        },
        instead_of="four_leaks",
        where=_WHERE,
    ),
    OXIDE_LEAK,
)
RANDOM_OXIDE = RandomModel(
    name="random_oxide",
    nominal=OXIDE_LEAK,
    random={
        "x_lo": Change(
            of="i_lo", unit="1", doc="logarithm of the leak of the write transistor", scale=1e-3, logarithmic=True
        )
    },
)
"""The threshold of the write transistor is in the exponent of its subthreshold current; the floor does not vary."""
