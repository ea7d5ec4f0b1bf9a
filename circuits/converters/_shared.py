"""Converters that share one bias: every ramp that runs changes the current of the others.

A ramp that starts pulls the gates of the mirror by a charge; the capacitor of the bias holds it far longer than a
conversion, and gives it back when the ramp ends.  While n - 1 others run, the current of a ramp is therefore larger by
n - 1 times a fixed share.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gaincell_char.declare.array_math import Array, clamp
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasheet import Study
from gaincell_char.declare.law import Law
from gaincell_char.declare.model import Coefficient, Model
from gaincell_char.declare.parameters import Params, number
from gaincell_char.declare.pvt import over_conditions
from gaincell_char.declare.sweep_values import listed

from .. import _conditions
from ._benches import of_full_scale
from ._needed import NEEDED
from ._three import three

# What the second converter draws from its bias is drawn once more for every other converter.
_LOADED = """xbias1 vbpm vbnm vdd 0 bias
vip vbpm vbp1 0
fp vbpm 0 vip {n_shared-1}
vin vbnm vbn1 0
fn vbnm 0 vin {n_shared-1}"""
_FEW, _NUMBERS = listed(64, 128), listed(2, 32, 64, 128)


def shared_source(q_in: Array, n_shared: Array, *, share: float, load: float) -> Array:
    """Charge [C] that is missing in the pulse of every one of ``n_shared`` converters with the same charge.

    The gates of all converters are on the node of the bias, so that each pulls it the less the more there are.
    """
    others = n_shared - 1
    change = share * others / (1 + load * others)
    return q_in * change / (1 + change)


def shared_source_and_sink(
    q_in: Array, n_shared: Array, *, share_p: float, load_p: float, share_n: float, load_n: float
) -> Array:
    """The same for a converter with a ramp for either sign, each with its mirror."""
    source = shared_source(clamp(q_in, 0.0, np.inf), n_shared, share=share_p, load=load_p)
    return source + shared_source(clamp(q_in, -np.inf, 0.0), n_shared, share=share_n, load=load_n)


def _side(suffix: str = "", of: str = "") -> dict[str, Coefficient]:
    share = f"relative change of the ramp's current per other converter{of}"
    load = f"relative load of the bias per other converter{of}"
    return {
        f"share{suffix}": Coefficient(unit="1", doc=share, start=3e-4, low=0.0, high=1e-2),
        f"load{suffix}": Coefficient(unit="1", doc=load, start=4e-4, low=0.0, high=1e-1),
    }


def _model(function: Callable[..., Array], arguments: dict[str, Coefficient]) -> Model:
    return Model(
        name=function.__name__,
        form="fitted",
        bench="shared",
        function=function,
        output="q_shared",
        equation="q_shared = q_in x/(1 + x), x = share m/(1 + load m), m = n_shared - 1",
        arguments=arguments,
    )


RELU = _model(shared_source, _side())
SIGNED = _model(shared_source_and_sink, _side("_p", ", positive side") | _side("_n", ", negative side"))
_LAW = Law(temp=2, supply=2, cross=1, relative=True)


def with_shared_bias(circuit: Circuit, line: str, model: Model, shares: tuple[float, ...]) -> Circuit:
    """A converter with the bench of a shared bias, at some `shares` of full scale; `line` is as in `Operation`."""
    bench = three(
        "shared",
        "converters that share one bias, with the same charge",
        line,
        "q_shared",
        params=Params(n_shared=number(1.0, "1", "converters that share the bias", low=1.0, high=1e4)),
        sweep={"q_in": of_full_scale(*shares), "n_shared": _NUMBERS},
        bias=_LOADED,
    )
    laws = {name: _LAW for name in model.coefficients if name.startswith("share")}
    there = over_conditions(model, laws, supply="vdd", needed=NEEDED)
    own = Study(bench="shared", optional=True)
    return replace(
        circuit,
        benches=(*circuit.benches, bench),
        models=(*circuit.models, model, there),
        studies=(*circuit.all_studies, own, _conditions.study("shared", [there], {**bench.sweep, "n_shared": _FEW})),
    )
