"""Models of the gain cell over corner, supply and temperature, and the studies that they are fitted to.

A law is the one with all terms that were tried; ``_needed`` contains those that remain.
"""

from dataclasses import replace

from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.law import Law
from gaincell_char.declare.model import Model
from gaincell_char.declare.pvt import PvtModel, over_conditions
from gaincell_char.declare.sweep_values import join, linspace, listed

from .. import _conditions
from . import _models, _sag
from ._benches import T_MAX
from ._needed import NEEDED

_DAC = linspace(0, "1.1*vdd", 23)
"""In steps of a twentieth of the supply: every supply is a point of the grid."""
_STORE = join(_DAC, *(listed(*ends, scale="vdd/90") for ends in ((-1.1, -1.0, -0.9), (81.9, 91.0, 100.1))))
_STORED = ("-vdd/90", "vdd*91/90")
"""Limits of ``v_store``, as in the studies at one condition."""
_RAILS = {"v_store": _STORED}
_GAIN = Law(temp=2, supply=2, cross=1, relative=True)
_THRESHOLD = Law(temp=2, supply=2, cross=1)
_REDUCTION = Law(temp=2, supply=1, cross=1)
_VOLTAGE = Law(temp=2, supply=1)
_LINE = Law(temp=1, supply=1)
_WARM = Law(temp=1)
_SERIES = Law(temp=3, supply=2, cross=1)


def _both(**laws: Law) -> dict[str, Law]:
    """The same laws for the n and for the p side."""
    return {f"{name}_{side}": law for side in "np" for name, law in laws.items()}


EKV_CHARGE = over_conditions(
    _models.EKV_CHARGE,
    _both(k=_GAIN, vt=_THRESHOLD, n=_REDUCTION, theta=_REDUCTION, r=_REDUCTION)
    | {"a0": _VOLTAGE, **dict.fromkeys(("a1", "a2", "a3", "a4"), _LINE)},
    supply="vdd",
    needed=NEEDED,
    rails=_RAILS,
)
EKV_2D = over_conditions(
    _models.EKV_2D,
    _both(k=Law(temp=2, supply=1, relative=True), vt=_VOLTAGE, n=_WARM, theta=_WARM, q=_WARM, lam=_WARM),
    supply="vdd",
    needed=NEEDED,
    rails={**_RAILS, "v_in": ("vdd/2", "vdd")},
)


def _series(model: Model, robust: float = 0.0) -> PvtModel:
    """A polynomial, each of whose coefficients is one in temperature and supply."""
    fitted = [name for name, coefficient in model.coefficients.items() if not coefficient.fixed]
    limits = {"v_store": _STORED, "v_dac": ("0", "vdd")}
    rails = {name: limits[name] for name in model.inputs if name in limits}
    return over_conditions(
        model, dict.fromkeys(fitted, _SERIES), supply="vdd", rails=rails, robust=robust, needed=NEEDED
    )


def with_pvt(circuit: Circuit) -> Circuit:
    """The gain cell with models over corner, supply and temperature."""
    bitline = [_series(model) for model in circuit.models if model.bench == "bitline"]
    energy = [_series(model) for model in circuit.models if model.bench == "energy"]
    sag = [_series(model) for model in circuit.models if model.bench == "sag"]
    # In the corner ss at -40 degC and a low supply a write is not complete: its errors must not move the others.
    write = _series(_models.FEED_THROUGH, robust=2e-4)
    studies = (
        _conditions.study("dc", [EKV_2D], {"v_store": _STORE, "v_in": linspace("0.45*vdd", "1.1*vdd", 14)}),
        _conditions.study("pulse", [EKV_CHARGE], {"v_store": _STORE, "t_pulse": listed(0.25e-9, T_MAX)}),
        _conditions.study("write", [write], {"v_dac": _DAC}),
        _conditions.study("energy", energy, {"v_store": _STORE, "t_pulse": listed(1e-9, T_MAX)}),
        _conditions.study("bitline", bitline, {"v_store": _STORE, "dv_bl": linspace(-0.1, 0.1, 6)}),
        _conditions.study("sag", sag, {"v_store": _STORE, "dv_wlr": _sag.SAGS, "dv_wlrb": _sag.SAGS}),
    )
    return replace(
        circuit,
        models=(*circuit.models, EKV_2D, EKV_CHARGE, write, *energy, *bitline, *sag),
        studies=(*circuit.all_studies, *studies),
    )
