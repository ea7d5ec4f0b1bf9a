"""The path of the charge: what the switches of a bitline leak while it is far from the precharge level.

The converters were fitted with a charge that rises steadily.  Another course with the same end leaks more or less, by
its mean distance from the steady one, which is half the height of a triangle.
"""

from dataclasses import replace

from gaincell_char.declare.array_math import Array
from gaincell_char.declare.attention_head import fill_line
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasheet import Study
from gaincell_char.declare.law import Law
from gaincell_char.declare.model import Coefficient, Model
from gaincell_char.declare.parameters import Params, number
from gaincell_char.declare.pvt import over_conditions

from .. import _conditions
from ._benches import of_full_scale
from ._needed import NEEDED
from ._three import BIAS, three

_TRIANGLE = """iup bl1 0 pulse(0 {2*q_swing/t_max} {t_reset+t_gap} {t_edge} {t_edge} {t_max/2-t_edge} 1)
idown bl1 0 pulse(0 {-2*q_swing/t_max} {t_reset+t_gap+t_max/2} {t_edge} {t_edge} {t_max/2-t_edge} 1)"""


def path_leak(q_in: Array, q_swing: Array, *, k: float) -> Array:
    """Charge [C] that is lost by the height [C] of a triangle on the course of the charge.

    Leakage is taken as proportional to the distance from the precharge level, so that ``q_in`` has no effect.
    """
    return k * q_swing + 0 * q_in


MODEL = Model(
    name="path_leak",
    form="fitted",
    bench="path",
    function=path_leak,
    output="q_lost",
    equation="q_lost = k q_swing",
    arguments={"k": Coefficient(unit="1", doc="part of the triangle's height that is lost", start=1e-4)},
    linear=True,
)
PVT = over_conditions(MODEL, {"k": Law(leak=True)}, supply="vdd", needed=NEEDED)


def with_path(circuit: Circuit, line: str, shares: tuple[float, ...], swings: tuple[float, ...]) -> Circuit:
    """A converter with the bench of the path, at some `shares` of full scale and heights; `line` as in `Operation`."""
    doc = "height of the triangle that is added to the steady charge"
    bench = three(
        "path",
        "charge that swings and comes back, beside one that rises steadily",
        line,
        "q_lost",
        params=Params(q_swing=number(0.0, "C", doc, low=-1e-9, high=1e-9)),
        sweep={"q_in": of_full_scale(*shares), "q_swing": of_full_scale(*swings)},
        bias=fill_line(BIAS, c="1"),
        extra=_TRIANGLE,
    )
    return replace(
        circuit,
        benches=(*circuit.benches, bench),
        models=(*circuit.models, MODEL, PVT),
        studies=(
            *circuit.all_studies,
            Study(bench="path", optional=True),
            _conditions.study("path", [PVT], dict(bench.sweep)),
        ),
    )
