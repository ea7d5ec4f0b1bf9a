"""Gain cell with series switches at the bitline: the read stage runs between the supply rails.

Two more transistors per cell than `gain_cell`; in return an idle cell is cut off from the bitline, which may
swing by a quarter of a volt while it integrates.
"""

from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.parameters import Params, number

from . import _cell, _cell_bitline, _cell_charge_models, _cell_macro, _cell_models, _cell_sheet, _cell_switched_model

PARAMS = _cell.cell_params(w_n=100e-9, l_n=300e-9, w_p=210e-9, l_p=240e-9, read_flavour="svt", v_idle=0.0) | Params(
    w_sn=number(200e-9, "m", "width of the n switch", low=40e-9, high=10e-6),
    w_sp=number(400e-9, "m", "width of the p switch", low=40e-9, high=10e-6),
    l_s=number(30e-9, "m", "length of the switches", low=30e-9, high=10e-6),
)

CIRCUIT = Circuit(
    name="gain_cell_switched",
    title="Gain cell with switches at the bitline",
    params=PARAMS,
    benches=(*_cell.benches("gain_cell_switched"), _cell_bitline.bitline("gain_cell_switched")),
    models=(
        *_cell_models.DC,
        _cell_models.CUBIC_2D,
        _cell_switched_model.SWITCHED_2D,
        *_cell_charge_models.PULSE,
        _cell_charge_models.FEED_THROUGH,
        *_cell_charge_models.ENERGY,
        *_cell_bitline.MODELS,
    ),
    studies=(*_cell_sheet.STUDIES, _cell_bitline.study(0.35)),
    figures=(*_cell_sheet.figures("switched_2d"), *_cell_bitline.FIGURES),
    merits=_cell_sheet.MERITS,
    spreads=_cell_sheet.SPREADS,
    macros=_cell_macro.MACROS,
)
