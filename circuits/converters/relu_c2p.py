"""ReLU charge-to-pulse converter: a pulse as wide as the charge is large, none if it is negative.

The bitline integrates the charge; a current source gated by the pulse itself ramps it back to the precharge
level.  The width is charge over current, whatever the capacitor; the conversion window limits it, so the
circuit is the hard sigmoid of Leroux et al. 2025, eq. 3, with S_sat = 80 uA x t_max.
"""

from gaincell_char.declare.bench import Numbers
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasets import Dataset
from gaincell_char.declare.datasheet import Figure, Merit, MonteCarloBench, Study
from gaincell_char.declare.sweep_values import join, listed

from .._conditions import ALL_CORNERS, EXTREMES
from . import _benches, _in_use, _macros, _models, _page

LINE = "xc<c> bl<c> out<c> rst rstb az azb conv vbp<b> vpre vdd 0 relu_c2p"
"""Instance of the converter in an array, as in `Operation`."""
OUTPUTS, SAVE = (_benches.T_PULSE,), ("v(out)",)
NEGATIVE = join(_benches.of_full_scale(-0.17, -0.08), listed(-20e-15, -5e-15, offset=_benches.MOVED))
CHARGES = join(NEGATIVE, _benches.positive_charges(24))
FEW = {"q_in": _benches.of_full_scale(-0.17, *_benches.FEW)}


def _dead_zone(dataset: Dataset, _: Numbers) -> float:
    t = dataset.t_pulse.isel(corner=0, temp=0)
    return float(t.q_in.where(t == 0).max())


def _picture(study: str, group_by: str, title: str) -> Figure:
    return Figure(study=study, output="t_pulse", x="q_in", group_by=group_by, title=title)


_TRANSFER = Circuit(
    name="relu_c2p",
    title="ReLU charge-to-pulse converter",
    params=_benches.converter_params(n_units=8),
    benches=(
        _benches.transfer(LINE, OUTPUTS, save=SAVE, q_in=CHARGES),
        _benches.memory(
            LINE,
            OUTPUTS,
            save=SAVE,
            q_prev=_benches.of_full_scale(-0.17, 0.0, 0.5, 1.0),
            q_in=_benches.of_full_scale(0.05, 0.5),
        ),
    ),
    models=(_models.HARD_SIGMOID, _models.RELU_KNEE),
    studies=(
        Study(bench="transfer"),
        Study(bench="transfer", name="transfer_corners", sweep=FEW, models=(), corners=ALL_CORNERS, temps=EXTREMES),
        Study(bench="transfer", name="transfer_supply", models=(), sweep={"vdd": _benches.SUPPLIES, **FEW}),
        Study(bench="memory", sweep={"t_reset": [_page.SHORT_RESET, 4e-9, _benches.T_RESET]}),
    ),
    figures=(
        Figure(
            study="transfer",
            output="t_pulse",
            x="q_in",
            title="Pulse width by charge",
            models=("hard_sigmoid", "relu_knee"),
            overview_position="g",
        ),
        _picture("transfer_corners", "corner", "Pulse width by corner"),
        _picture("transfer_corners", "temp", "Pulse width by temperature"),
        _picture("transfer_supply", "vdd", "Pulse width by supply"),
        _page.memory_figure(),
    ),
    merits=(
        *_page.line_merits(),
        Merit("dead zone", "C", "largest simulated charge that gives no pulse", "transfer", _dead_zone),
        *_page.memory_merits(),
    ),
    spreads=(
        MonteCarloBench(
            bench="transfer",
            sweep={"q_in": _page.SAMPLE_CHARGES},
            x="q_in",
            output="t_pulse",
            features=(
                *_page.line_features("t_pulse"),
                _page.threshold_feature("t_pulse", "threshold", "smallest charge with a pulse"),
            ),
            models=(_models.RANDOM_RELU,),
        ),
    ),
    macros=_macros.RELU,
)
CIRCUIT = _in_use.relu_in_use(_TRANSFER, LINE)
