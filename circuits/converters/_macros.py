"""How a converter's models act at its ports in an exported macro-model.

The bitline integrates on ``c_int``; while ``rst`` is high it is held at ``vpre``.  When ``conv`` rises, a clock starts:
``v(t)`` is the time since then in ns.  The output is high from ``v(t)`` = 0.1 for the width of the model's pulse; its
edges take 40 ps each, and their middles are the ends of the pulse.
"""

from collections.abc import Callable

from gaincell_char.declare.array_math import Array
from gaincell_char.declare.macro_model import Macro, MacroText

_LEFT_OUT = (
    "the ramp of the bitline back to its precharge level (it stays where the charge left it until the next reset), "
    "charge injected by the switches but for its effect on the pulse, comparator and output delays, supply current"
)
_RST = "min(max(v(rst,vss)/{vdd},0),1)"
_CONV = "min(max(v(conv,vss)/{vdd},0),1)"
# Once started the clock runs on until the reset, as a saturated pulse outlasts conv by a little.  The load of `out` is
# there for its time constant: it makes the simulator resolve the edges.
_COMMON = f"""
ci bl vss {{c_int}}
bpre bl vss i=v(bl,vpre)*({{c_int}}+{{c_bl}})/1e-10*{_RST}
bt vss t i=1e-3*max({_CONV},min(max(v(t,vss)/0.01-1,0),1))*(1-{_RST})-1e-2*v(t,vss)*{_RST}
ct t vss 1e-12
rf out f 1e4
cf f vss 2e-15
"""
# Benches bias the converter by a subcircuit of its netlist; the macro-model takes no bias.
_BIAS = """.subckt bias vbp vbn vdd vss
rp vbp vss 1e6
rn vbn vss 1e6
.ends bias"""
_CHARGE = "(v(vpre,bl)*({c_int}+{c_bl}))"
_RST_VA = "min(max(V(rst, vss) / {vdd}, 0.0), 1.0)"
_COMMON_VA = f"""
    q = V(vpre, bl) * ({{c_int}} + {{c_bl}});
    on_rst = {_RST_VA};
    on_conv = min(max(V(conv, vss) / {{vdd}}, 0.0), 1.0);
    I(bl, vss) <+ {{c_int}} * ddt(V(bl, vss));
    I(bl, vpre) <+ V(bl, vpre) * ({{c_int}} + {{c_bl}}) / 1e-10 * on_rst;
    on_t = max(on_conv, min(max(V(t, vss) / 0.01 - 1.0, 0.0), 1.0)) * (1.0 - on_rst);
    I(t, vss) <+ 1e-12 * ddt(V(t, vss)) - 1e-3 * on_t + 1e-2 * V(t, vss) * on_rst;
    I(f, vss) <+ 2e-15 * ddt(V(f, vss));
    I(out, f) <+ V(out, f) / 1e4;
    width = 1e9 * (<width>);
"""


def _pulse(size: str, t: str, rst: str) -> str:
    """Output between 0 and 1; none at all for no width, and none while the reset winds the clock back."""
    return f"min(max(1-4*{rst},0),1)*min({size}*1e6,1)*min(max(min(0.5+({t}-0.1)/0.04,0.5+({size}+0.1-{t})/0.04),0),1)"


def width(model: Callable[[Array], Array], q_in: Array) -> Array:
    """Width [s] of the pulse, negative for negative charge."""
    return model(q_in)


def _macro(models: tuple[str, ...], size: str, sign: str, size_va: str, sign_va: str) -> Macro:
    return Macro(
        models=models,
        quantities={"width": width},
        parameters=("c_int", "c_bl", "vdd"),
        not_modelled=_LEFT_OUT,
        spice=MacroText(
            signals={"q_in": _CHARGE},
            text=f"{_COMMON}bw w vss v=1e9*(<width>)\nbout out vss v={{vdd}}*{_pulse(size, 'v(t,vss)', _RST)}{sign}",
            appendix=_BIAS,
        ),
        verilog_a=MacroText(
            signals={"q_in": "q"},
            text=f"{_COMMON_VA}    V(out, vss) <+ {{vdd}} * {_pulse(size_va, 'V(t, vss)', 'on_rst')};{sign_va}",
            nodes=("t", "f"),
            variables=("q", "on_rst", "on_conv", "on_t", "width"),
        ),
    )


RELU = (_macro(("relu_knee", "hard_sigmoid"), "v(w,vss)", "", "width", ""),)
SIGNED = (
    _macro(
        ("signed_knee", "hard_tanh"),
        "abs(v(w,vss))",
        "\nbsgn sgn vss v={vdd}*u(v(w,vss))",
        "abs(width)",
        "\n    V(sgn, vss) <+ width > 0.0 ? {vdd} : 0.0;",
    ),
)
