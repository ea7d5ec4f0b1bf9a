"""Currents of an active gain cell whose word lines do not reach their levels: drivers and wires have a resistance."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from gaincell_char.declare.array_math import Array, polynomial
from gaincell_char.declare.bench import Bench, Output, Tran
from gaincell_char.declare.circuit import Circuit
from gaincell_char.declare.datasheet import Study
from gaincell_char.declare.model import Model, terms
from gaincell_char.declare.parameters import Params, number
from gaincell_char.declare.sweep_values import linspace

from ._benches import PULSE_END, PULSE_OPTIONS, PULSE_PARAMS, current_on, pulse_source, stored
from ._models import V_REF

SAGS = linspace(0.0, 0.06, 3)
"""Sags of a word line [V]: up to an eighth of its swing."""


def sag(cell: str) -> Bench:
    """Currents in both word lines of an active cell, by the sag of each."""
    return Bench(
        name="sag",
        doc="currents of the word lines, by their sag",
        stimulus=f"""
        vdd vdd 0 {{vdd}}
        vwlr wlr 0 {pulse_source("{v_idle}", "{vdd-dv_wlr}")}
        vwlrb wlrb 0 {pulse_source("{vdd-v_idle}", "{dv_wlrb}")}
        vwbl wbl 0 {{v_wbl}}
        vbl bl 0 {{v_bl}}
        fr 0 qr vwlr -1
        cr qr 0 1p
        rr qr 0 1e15
        frb 0 qrb vwlrb 1
        crb qrb 0 1p
        rrb qrb 0 1e15
        xcell bl wlr wlrb wbl 0 vdd st vdd 0 {cell}
        """,
        params=PULSE_PARAMS
        | Params(
            dv_wlr=number(0.0, "V", "sag of the active wlr below the supply", low=-1.0, high=1.0),
            dv_wlrb=number(0.0, "V", "sag of the active wlrb above ground", low=-1.0, high=1.0),
        ),
        sweep={"v_store": stored(19), "dv_wlr": SAGS, "dv_wlrb": SAGS},
        analysis=Tran(stop=PULSE_END, max_step=200e-12),
        initial={"v(st)": "v_store"},
        save=("v(qr)", "v(qrb)"),
        outputs=(
            _output("i_wlr", "current from the active wlr into the cell", "v(qr)"),
            _output("i_wlrb", "current from the cell into the active wlrb", "v(qrb)"),
        ),
        options=PULSE_OPTIONS,
    )


def _output(name: str, doc: str, vector: str) -> Output:
    return Output(name=name, unit="A", doc=doc, plausible_max=1e-3, measure=partial(current_on, vector))


def sag_series(v_store: Array, dv_wlr: Array, dv_wlrb: Array, *, a: Sequence[Sequence[float]], v_ref: float) -> Array:
    """Current [A] of one word line: a second-order series in both sags, each term a polynomial in ``v_store``."""
    sags = (1.0, dv_wlr, dv_wlrb, dv_wlr * dv_wlr, dv_wlrb * dv_wlrb)
    w = v_store - v_ref
    first, *others = (polynomial(w, row) * x for row, x in zip(a, sags, strict=True))
    return sum(others, first)


def _model(output: str) -> Model:
    return Model(
        name=f"{output}_series",
        form="fitted",
        bench="sag",
        function=sag_series,
        output=output,
        equation=f"{output} = sum_mk a_mk w^k x_m, x = 1, dv_wlr, dv_wlrb, dv_wlr^2, dv_wlrb^2, k <= 8, "
        "w = v_store - v_ref",
        arguments={"a": terms("a", "A", 1e-5, shape=(5, 9)), "v_ref": V_REF},
        linear=True,
    )


MODELS = (_model("i_wlr"), _model("i_wlrb"))
STUDY = Study(bench="sag", optional=True)


def with_sag(circuit: Circuit) -> Circuit:
    """A gain cell whose word lines carry its current, with the bench of their sag."""
    return replace(
        circuit,
        benches=(*circuit.benches, sag(circuit.name)),
        models=(*circuit.models, *MODELS),
        studies=(*circuit.all_studies, STUDY),
    )
