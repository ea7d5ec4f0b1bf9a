"""Signed charge-to-pulse converter: a pulse as wide as the charge is large, and a bit for its sign.

The bitline integrates the charge.  A latch keeps on which side of the precharge level it ended and lets a source
or a sink ramp it back.  The width is charge over current; the conversion window limits it.  Full scale is the
paper's 40 uA x t_max (Leroux et al. 2025).
"""

import numpy as np

from gaincell_char.declare.bench import Numbers, Output
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasets import Dataset
from gaincell_char.declare.datasheet import Figure, Merit, MonteCarloBench, Study
from gaincell_char.declare.sweep_values import join

from .._conditions import ALL_CORNERS, EXTREMES
from . import _benches, _in_use, _macros, _models, _page

LINE = "xc<c> bl<c> out<c> sgn<c> rst rstb az azb conv convb vbp<b> vbn<b> vpre vdd 0 signed_c2p"
"""Instance of the converter in an array, as in `Operation`."""
SAVE = ("v(out)", "v(sgn)")
OUTPUTS = (
    _benches.T_PULSE,
    Output(name="sign", unit="1", plausible_max=1.0, doc="sign bit, +1 or -1", measure=_benches.sign),
    Output(
        name="t_signed",
        unit="s",
        plausible_max=1e-5,
        doc="width of the pulse with its sign",
        measure=_benches.signed_width,
        full_scale="t_max",
    ),
)
CHARGES = join(_benches.negative_charges(8), _benches.positive_charges(8))
_EVERY_SECOND = _benches.FEW[::2]
FEW = {"q_in": _benches.of_full_scale(*(-x for x in _EVERY_SECOND[:0:-1]), *_EVERY_SECOND)}


def _threshold(dataset: Dataset, _: Numbers) -> float:
    t = dataset.t_signed.isel(corner=0, temp=0)
    return float(np.interp(0.0, t, t.q_in))


def _picture(study: str, group_by: str, title: str) -> Figure:
    return Figure(study=study, output="t_signed", x="q_in", group_by=group_by, title=title)


_TRANSFER = Circuit(
    name="signed_c2p",
    title="Signed charge-to-pulse converter",
    params=_benches.converter_params(n_units=4),
    benches=(
        _benches.transfer(LINE, OUTPUTS, save=SAVE, q_in=CHARGES),
        _benches.memory(
            LINE,
            OUTPUTS,
            save=SAVE,
            q_prev=_benches.of_full_scale(-1.0, 0.0, 1.0),
            q_in=_benches.of_full_scale(0.05, 0.5),
        ),
    ),
    models=(_models.HARD_TANH, _models.SIGNED_KNEE),
    studies=(
        Study(bench="transfer"),
        Study(bench="transfer", name="transfer_corners", sweep=FEW, models=(), corners=ALL_CORNERS),
        Study(bench="transfer", name="transfer_temp", sweep=FEW, models=(), temps=EXTREMES),
        Study(
            bench="memory",
            sweep={"t_reset": [_page.SHORT_RESET, _benches.T_RESET], "q_in": _benches.of_full_scale(0.5)},
        ),
    ),
    figures=(
        Figure(
            study="transfer",
            output="t_signed",
            x="q_in",
            title="Signed pulse width by charge",
            models=("hard_tanh", "signed_knee"),
            overview_position="h",
        ),
        Figure(study="transfer", output="sign", x="q_in", title="Sign bit by charge"),
        _picture("transfer_corners", "corner", "Signed pulse width by corner"),
        _picture("transfer_temp", "temp", "Signed pulse width by temperature"),
        _page.memory_figure(),
    ),
    merits=(
        *_page.line_merits(1, " of positive charge"),
        *_page.line_merits(-1, " of negative charge"),
        Merit("sign threshold", "C", "charge at which the sign bit turns", "transfer", _threshold),
        *_page.memory_merits(),
    ),
    spreads=(
        MonteCarloBench(
            bench="transfer",
            sweep={"q_in": join(_page.NEGATIVE_SAMPLE_CHARGES, _page.SAMPLE_CHARGES)},
            x="q_in",
            output="t_signed",
            features=(
                *_page.line_features("t_signed", 1, " of positive charge"),
                *_page.line_features("t_signed", -1, " of negative charge"),
                _page.threshold_feature("sign", "sign threshold", "charge at which the sign bit turns"),
            ),
            models=(_models.RANDOM_SIGNED,),
        ),
    ),
    macros=_macros.SIGNED,
)
CIRCUIT = _in_use.signed_in_use(_TRANSFER, LINE)
