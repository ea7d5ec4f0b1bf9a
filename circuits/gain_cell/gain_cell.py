"""Gain cell with the read word-line pair as its rails: the circuit of Leroux et al. 2025.

A transmission gate writes ``v_store`` onto a capacitor.  The capacitor drives the gates of an n and a p
transistor whose drains meet at the bitline and whose sources are the word lines: idle, both word lines sit
at ``vdd/2`` like the bitline and no current flows; active, ``wlr`` rises to ``v_in`` and ``wlrb`` falls to
``vdd - v_in``.  The bitline must be clamped at ``vdd/2``.
"""

from gaincell_char.declare.circuit import Circuit

from . import _benches, _compared, _former, _macros, _models, _noise, _page, _pvt, _sag

PARAMS = _benches.cell_params(w_n=100e-9, l_n=460e-9, w_p=120e-9, l_p=137e-9, read_flavour="rvt", v_idle="vdd/2")
_READ = Circuit(
    name="gain_cell",
    title="Gain cell with word lines as rails",
    params=PARAMS,
    benches=_benches.benches("gain_cell", largest_move=0.1),
    models=(_models.CUBIC, _models.EKV, _models.CUBIC_2D, _models.EKV_2D, *_models.SHARED),
    former=_former.MODELS,
    studies=_page.STUDIES,
    figures=_page.figures("ekv_2d", overview_position="e"),
    merits=_page.MERITS,
    spreads=_page.SPREADS,
    macros=_macros.MACROS,
)
CIRCUIT = _compared.with_compared(_pvt.with_pvt(_noise.with_noise(_sag.with_sag(_READ))))
