"""Gain cell with series switches at the bitline: the read stage runs between the supply rails.

Two more transistors per cell than `gain_cell`; in return an idle cell is cut off from the bitline, which may
swing by a quarter of a volt while it integrates.
"""

from gaincell_char.declare.array_math import Array, softplus
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.model import Coefficient, CoefficientArray, Model, group
from gaincell_char.declare.parameters import Params, number

from . import _benches, _compared, _former, _macros, _models, _noise, _page
from ._models import Branch, read_current


def switched(
    v_store: Array, v_in: Array, *, n: Branch, p: Branch, switch_n: Branch, switch_p: Branch, at: Branch
) -> Array:
    """Bitline current [A] of drivers behind switches: in each branch the smaller of two currents, smoothly."""
    vdd, v_bl, ut = at
    sunk = _behind(read_current(v_store, v_bl, n, ut), v_in, switch_n)
    return sunk - _behind(read_current(vdd - v_store, vdd - v_bl, p, ut), v_in, switch_p)


def _behind(driver: Array, v_in: Array, switch: Branch) -> Array:
    """Current [A] of a driver behind a switch, whose last number is the sharpness of the smaller current."""
    k, vt, s, theta, m = switch
    u = s * softplus((v_in - vt) / s)
    own = k * u * u / (1 + theta * u)
    return driver * own / (driver**m + own**m) ** (1 / m)


def _switch(side: str) -> CoefficientArray:
    who = f"{side} switch"
    transistor = group(
        f"{side}_s",
        k=Coefficient(unit="A/V^2", doc=f"{who}: current factor", start=2e-4, low=1e-7, high=1.0),
        vt=Coefficient(unit="V", doc=f"{who}: threshold", start="0.4*vdd", low=-1.0, high=2.0),
        s=Coefficient(unit="V", doc=f"{who}: width of moderate inversion", start=0.06, low=0.005, high=1.0),
        t=Coefficient(unit="1/V", doc=f"{who}: mobility reduction", start=0.5, low=-0.5, high=50.0),
    )
    doc = f"{side} branch: sharpness of the smaller current"
    sharpness = {f"m_{side}": Coefficient(unit="1", doc=doc, start=2.0, low=0.3, high=10.0)}
    return CoefficientArray(parts={**transistor.parts, **sharpness}, shape=(5,))


SWITCHED_2D = Model(
    name="switched_2d",
    form="fitted",
    bench="dc",
    function=switched,
    output="i_bl",
    equation="i_bl = min(N(v_store), S_n(v_in)) - min(P(vdd - v_store), S_p(v_in)), min(a, b) = a b/(a^m + b^m)^(1/m)",
    arguments={**_models.READ, "switch_n": _switch("n"), "switch_p": _switch("p"), **_models.AT_BITLINE},
    held_at={"v_bl": "vdd/2"},
)
_SWITCHES = Params(
    w_sn=number(200e-9, "m", "width of the n switch", low=40e-9, high=10e-6),
    w_sp=number(400e-9, "m", "width of the p switch", low=40e-9, high=10e-6),
    l_s=number(30e-9, "m", "length of the switches", low=30e-9, high=10e-6),
)
_READ = Circuit(
    name="gain_cell_switched",
    title="Gain cell with switches at the bitline",
    params=_benches.cell_params(w_n=100e-9, l_n=300e-9, w_p=210e-9, l_p=240e-9, read_flavour="svt", v_idle=0.0)
    | _SWITCHES,
    benches=_benches.benches("gain_cell_switched", largest_move=0.35),
    models=(_models.CUBIC, _models.EKV, _models.CUBIC_2D, SWITCHED_2D, *_models.SHARED),
    former=_former.MODELS,
    studies=_page.STUDIES,
    figures=_page.figures("switched_2d"),
    merits=_page.MERITS,
    spreads=_page.SPREADS,
    macros=_macros.MACROS,
)
CIRCUIT = _compared.with_compared(_noise.with_noise(_READ), switched=True, drawn=False)
