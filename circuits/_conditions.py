"""Corners, temperatures and supplies of every study over conditions.

Four temperatures determine a cubic; with 105 degC among them its error is small between 27 and 125 degC.
"""

from collections.abc import Mapping, Sequence

from gaincell_char.declare.datasheet import Study
from gaincell_char.declare.pvt import PvtModel
from gaincell_char.declare.sweep_values import Grid, listed

ALL_CORNERS = ("tt", "ff", "ss", "sf", "fs")
EXTREMES = (-40.0, 27.0, 125.0)
"""Corners and temperatures of the studies that show how much a circuit depends on them."""
CORNERS = ("tt", "ss", "ff")
TEMPS = (-40.0, 27.0, 105.0, 125.0)
SUPPLIES = listed(0.9, 1, 1.1, scale="vdd")


def study(bench: str, models: Sequence[PvtModel], sweep: Mapping[str, Grid]) -> Study:
    """Study of a bench at all conditions, over a sweep at each, which only ``gaincell run --all`` runs."""
    return Study(
        bench=bench,
        name=f"{bench}_pvt",
        models=tuple(model.name for model in models),
        sweep={"vdd": SUPPLIES, **sweep},
        corners=CORNERS,
        temps=TEMPS,
        own_sweep=False,
        optional=True,
    )
