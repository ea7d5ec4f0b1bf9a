"""How a gain cell's models act at its ports in an exported macro-model.

The word line ``wlr`` sets how much of the cell is on, 0 idle and 1 at ``vdd``; each edge of a pulse brings half of the
charge that the record states for both.
"""

from collections.abc import Callable

from gaincell_char.declare.array_math import Array
from gaincell_char.declare.macro_model import Macro, MacroText

_LEFT_OUT = (
    "the bitline held at another level than the record's, the move of v_store during a pulse, leakage, "
    "the write gate's feed-through, and what the cell draws from word lines and supply"
)
# The write switch settles the capacitor with a time constant of 50 ps; 1e15 ohm keeps the operating point regular.
_STORE = """
cst st vss {c_store}
rst st vss 1e15
bwr wbl st i=v(wbl,st)*{c_store}/5e-11*min(max(v(we,vss)/{vdd},0),1)
"""
_ON = """
bon on vss v=min(max((v(wlr,vss)-{v_idle})/({vdd}-{v_idle}),0),1)
"""
# i(ved) is 1 fF times the slope of v(on): its integral over both edges is 2 fC.
_EDGES = """
con on e 1e-15
ved e vss 0
"""
_STORE_VA = """
    I(st, vss) <+ {c_store} * ddt(V(st, vss)) + V(st, vss) / 1e15;
    I(wbl, st) <+ V(wbl, st) * {c_store} / 5e-11 * min(max(V(we, vss) / {vdd}, 0.0), 1.0);
"""
_ON_VA = """
    on = min(max((V(wlr, vss) - {v_idle}) / ({vdd} - {v_idle}), 0.0), 1.0);
"""
_SIGNALS, _SIGNALS_VA = {"v_store": "v(st,vss)"}, {"v_store": "V(st, vss)"}


def i_eff(model: Callable[..., Array], v_store: Array) -> Array:
    """Current [A] of a pulse: charge per width."""
    return model(v_store, 1.0) - model(v_store, 0.0)


def q_0(model: Callable[..., Array], v_store: Array) -> Array:
    """Charge [C] of a pulse's two edges."""
    return model(v_store, 0.0)


PULSED = Macro(
    models=("ekv_charge", "cubic_charge", "softplus_charge"),
    quantities={"i_eff": i_eff, "q_0": q_0},
    parameters=("c_store", "vdd", "v_idle"),
    not_modelled=_LEFT_OUT,
    spice=MacroText(
        signals=_SIGNALS,
        text=f"{_STORE}{_ON}{_EDGES}bbl bl vss i=v(on,vss)*(<i_eff>)+0.5e15*abs(i(ved))*(<q_0>)",
    ),
    verilog_a=MacroText(
        signals=_SIGNALS_VA,
        text=f"{_ON_VA}{_STORE_VA}    I(bl, vss) <+ on * (<i_eff>) + 0.5 * abs(ddt(on)) * (<q_0>);",
        variables=("on",),
    ),
)
HELD = Macro(
    models=("ekv", "cubic", "softplus"),
    parameters=("c_store", "vdd", "v_idle"),
    not_modelled=(
        f"{_LEFT_OUT}; the charge of a pulse's edges; word lines between idle and full, where current is taken as "
        "linear"
    ),
    spice=MacroText(signals=_SIGNALS, text=f"{_STORE}{_ON}bbl bl vss i=v(on,vss)*(<i_bl>)"),
    verilog_a=MacroText(
        signals=_SIGNALS_VA, text=f"{_ON_VA}{_STORE_VA}    I(bl, vss) <+ on * (<i_bl>);", variables=("on",)
    ),
)
BY_WORD_LINE = Macro(
    models=("ekv_2d", "switched_2d", "cubic_2d"),
    parameters=("c_store", "vdd"),
    not_modelled=f"{_LEFT_OUT}; the charge of a pulse's edges; a wlrb that is not the complement of wlr",
    spice=MacroText(signals={**_SIGNALS, "v_in": "v(wlr,vss)"}, text=f"{_STORE}bbl bl vss i=<i_bl>"),
    verilog_a=MacroText(signals={**_SIGNALS_VA, "v_in": "V(wlr, vss)"}, text=f"{_STORE_VA}    I(bl, vss) <+ <i_bl>;"),
)
MACROS = (PULSED, HELD, BY_WORD_LINE)
