"""Models of both charge-to-pulse converters over corner, temperature, supply or bias, and their studies.

A law is the one with all terms that were tried; ``_needed`` contains those that remain.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasheet import Study
from gaincell_char.declare.law import Law
from gaincell_char.declare.pvt import PvtModel, Threshold, over_conditions
from gaincell_char.declare.sweep_values import Grid, join, linspace, listed

from .. import _conditions
from . import _models
from ._benches import FULL, MOVED
from ._needed import NEEDED

_THRESHOLD = Law(temp=3, supply=2, cross=1)
_SIDE = {
    "gain": Law(temp=1, supply=2, cross=1, relative=True, leak=True),
    "bend": Law(leak=True),
    "t_0": Law(temp=3, supply=2, cross=2, relative=True),
    "share": Law(temp=2, supply=1, cross=1),
    "q_1": Law(temp=2, supply=1, cross=1, relative=True),
    "q_2": Law(temp=2, supply=1, cross=1, relative=True),
    "step": Law(temp=2, supply=1),
}
_SATURATION = Law(temp=2, supply=1, cross=1, relative=True)
_FAR = (16, 18, 20, 23, 26, 30, 40, 60)
_KNEE = (2, 4, 5, *np.arange(5.5, 10.1, 0.25).tolist(), *np.arange(10.5, 14.1, 0.5).tolist(), *_FAR)
"""Charges [fC] along the bend after the threshold, which moves with the condition."""


_BIASED = {name: replace(law, supply=2, cross=1) if law.relative else law for name, law in _SIDE.items()}
"""The same over temperature and bias: what the current of the ramp changes is relative."""
_BIASES = listed(0.9, 1, 1.1, scale="i_bias")


def _side(suffix: str = "", laws: Mapping[str, Law] = _SIDE) -> dict[str, Law]:
    return {f"{name}{suffix}": law for name, law in laws.items()}


_RELU_THRESHOLD = Threshold(coefficient="q_dead", input="q_in", output="t_pulse", margin=0.1e-15)
_SIGNED_THRESHOLD = Threshold(coefficient="q_0", input="q_in", output="sign", margin=0.4e-15)


RELU_KNEE = over_conditions(
    _models.RELU_KNEE,
    {**_side(), "q_dead": _THRESHOLD, "t_sat": _SATURATION},
    supply="vdd",
    needed=NEEDED,
    threshold=_RELU_THRESHOLD,
)
SIGNED_KNEE = over_conditions(
    _models.SIGNED_KNEE,
    {**_side("_p"), **_side("_n"), "q_0": _THRESHOLD, "t_sat": _SATURATION},
    supply="vdd",
    needed=NEEDED,
    threshold=_SIGNED_THRESHOLD,
    # At -40 degC and a low supply the comparator is so slow that its knee has another form.
    robust=1e-4,
)
RELU_BIAS = over_conditions(
    _models.RELU_KNEE,
    {**_side(laws=_BIASED), "q_dead": _THRESHOLD, "t_sat": _SATURATION},
    supply="i_bias",
    needed=NEEDED,
    kind="bias",
    threshold=_RELU_THRESHOLD,
)
SIGNED_BIAS = over_conditions(
    _models.SIGNED_KNEE,
    {**_side("_p", _BIASED), **_side("_n", _BIASED), "q_0": _THRESHOLD, "t_sat": _SATURATION},
    supply="i_bias",
    needed=NEEDED,
    kind="bias",
    threshold=_SIGNED_THRESHOLD,
    robust=1e-4,
)
_AFTER = join(
    listed(*_KNEE, scale=1e-15, offset=MOVED),
    linspace(f"0.15*{FULL}", f"0.9*{FULL}", 6),
    listed(0.95, 1.0, 1.05, 1.17, scale=FULL),
)
POSITIVE = join(listed(-0.17, scale=FULL), listed(-5e-15, 0.0, offset=MOVED), _AFTER)
BOTH = join(
    listed(-1.17, -1.05, -1.0, -0.95, scale=FULL),
    linspace(f"-0.9*{FULL}", f"-0.15*{FULL}", 6),
    listed(-60, -40, -30, -20, -15, -10, -6, -4, -2, -1, 0, 1, scale=1e-15, offset=MOVED),
    _AFTER,
)


def with_pvt(circuit: Circuit, models: tuple[PvtModel, PvtModel], q_in: Grid) -> Circuit:
    """A converter with its models over supply and over bias, fitted at some charges."""
    over_supply, over_bias = models
    return replace(
        circuit,
        models=(*circuit.models, *models),
        studies=(
            *circuit.all_studies,
            _conditions.study("transfer", [over_supply], {"q_in": q_in}),
            Study(
                bench="transfer",
                name="transfer_bias",
                models=(over_bias.name,),
                sweep={"i_bias": _BIASES, "q_in": q_in},
                temps=_conditions.TEMPS,
                own_sweep=False,
                optional=True,
            ),
        ),
    )
