"""Gain cell with the read word-line pair as its rails: the circuit of Leroux et al. 2025.

A transmission gate writes ``v_store`` onto a capacitor.  The capacitor drives the gates of an n and a p
transistor whose drains meet at the bitline and whose sources are the word lines: idle, both word lines sit
at ``vdd/2`` like the bitline and no current flows; active, ``wlr`` rises to ``v_in`` and ``wlrb`` falls to
``vdd - v_in``.  The bitline has to be clamped at ``vdd/2``.
"""

from gaincell_char.declare.circuit import Circuit

from . import _cell, _cell_bitline, _cell_charge_models, _cell_macro, _cell_models, _cell_sheet

PARAMS = _cell.cell_params(w_n=100e-9, l_n=460e-9, w_p=120e-9, l_p=137e-9, read_flavour="rvt", v_idle=0.5)

CIRCUIT = Circuit(
    name="gain_cell",
    title="Gain cell with word lines as rails",
    params=PARAMS,
    benches=(*_cell.benches("gain_cell"), _cell_bitline.bitline("gain_cell")),
    models=(
        *_cell_models.DC,
        _cell_models.CUBIC_2D,
        _cell_models.EKV_2D,
        *_cell_charge_models.PULSE,
        _cell_charge_models.FEED_THROUGH,
        *_cell_charge_models.ENERGY,
        *_cell_bitline.MODELS,
    ),
    studies=(*_cell_sheet.STUDIES, _cell_bitline.study(0.1)),
    figures=(*_cell_sheet.figures("ekv_2d", panel="e"), *_cell_bitline.FIGURES),
    merits=_cell_sheet.MERITS,
    spreads=_cell_sheet.SPREADS,
    macros=_cell_macro.MACROS,
)
