"""A gain cell on a bitline that moves: what it sinks, active and idle, as a short power series in the move.

The bitline starts at its clamp level, where the cell was written, and ends ``dv_bl`` away from it: the gate of a
read transistor feels its drain, so the stored voltage moves with the bitline, too.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from gaincell_char.declare.array_math import Array, polynomial
from gaincell_char.declare.bench import Bench, Grid, Numbers, Output, Tran, Waveforms
from gaincell_char.declare.datasheet import Figure, Study
from gaincell_char.declare.model import Coefficient, Model
from gaincell_char.declare.parameters import Params, number

from . import _cell

_T_MOVE, _T_MOVED, _T_IDLE, _T_QUIET = 1e-9, 1.2e-9, 2e-9, 4e-9
_AWAY_FROM_EDGES = 1e-9
_FULL_CURRENT = 10e-6
"""Current [A] of a cell at full drive: what small currents are compared with."""
_FULL_CHARGE = _FULL_CURRENT * _cell.T_MAX


def bitline(cell: str) -> Bench:
    """Currents and charges of a cell whose bitline moves before the pulse."""
    low, high = "{v_idle}", "{vdd}"
    return Bench(
        name="bitline",
        doc="currents, active and idle, by where the bitline is",
        stimulus=f"""
        vdd vdd 0 {{vdd}}
        vwlr wlr 0 {_cell.pulse_source(low, high)}
        vwlrb wlrb 0 {_cell.pulse_source("{vdd-v_idle}", "0")}
        vwbl wbl 0 {{v_wbl}}
        vbl bl 0 pwl(0 {{v_bl}} {_T_MOVE!r} {{v_bl}} {_T_MOVED!r} {{v_bl+dv_bl}})
        * charge of vbl, integrated by the simulator with its own method; v(q) = q_bl / 1 pF
        fq 0 q vbl -1
        cq q 0 1p
        rq q 0 1e15
        xcell bl wlr wlrb wbl 0 vdd st vdd 0 {cell}
        """,
        params=Params(
            v_store=number(lambda p: p["vdd"], "V", "stored voltage, written at v_bl", low=-0.5, high=6.0),
            dv_bl=number(0.0, "V", "where the bitline goes, from v_bl", low=-1.0, high=1.0),
            v_bl=number(lambda p: p["vdd"] / 2, "V", "level of the bitline's clamp", low=-0.5, high=6.0),
            t_pulse=number(_cell.T_MAX, "s", "width of the input pulse at half height", low=4e-9, high=1e-6),
            t_on=number(5e-9, "s", "start of the pulse", low=4.5e-9, high=1e-6),
            t_edge=number(50e-12, "s", "rise and fall time of the pulse", low=1e-12, high=500e-12),
            t_settle=number(2e-9, "s", "time after the pulse", low=1e-9, high=1e-6),
        ),
        sweep={"v_store": lambda p: np.linspace(0, p["vdd"], 31), "dv_bl": _moves(0.1)},
        analysis=lambda p: Tran(stop=_end(p), max_step=100e-12),
        initial={"v(st)": "v_store"},
        save=("v(q)",),
        outputs=(
            Output(name="i_on", unit="A", plausible_max=1e-3, doc="current of the active cell", measure=_i_on),
            Output(
                name="i_off",
                unit="A",
                plausible_max=1e-3,
                doc="current of the idle cell",
                measure=_i_off,
                full_scale=_FULL_CURRENT,
            ),
            Output(
                name="q_edge",
                unit="C",
                plausible_max=1e-9,
                doc="charge of a pulse's two edges",
                measure=_q_edge,
                full_scale=_FULL_CHARGE,
            ),
            Output(
                name="q_move",
                unit="C",
                plausible_max=1e-9,
                doc="charge that moving the bitline takes from the cell",
                measure=_q_move,
                full_scale=_FULL_CHARGE,
            ),
        ),
        options={**_cell.PULSE_OPTIONS, "reltol": 1e-5},
    )


def _moves(most: float) -> Grid:
    """Bitline moves [V] up to `most`, none of them 0."""
    return [float(f"{x:.12g}") for x in np.linspace(-most, most, 12)]


def _end(p: Numbers) -> float:
    return p["t_on"] + p["t_pulse"] + p["t_edge"] + p["t_settle"]


def _charge(w: Waveforms, start: float, stop: float) -> float:
    before, after = np.interp([start, stop], w["time"], w["v(q)"])
    return float(after - before) * 1e-12


def _i_off(w: Waveforms, _: Numbers) -> float:
    return _charge(w, _T_IDLE, _T_QUIET) / (_T_QUIET - _T_IDLE)


def _i_on(w: Waveforms, p: Numbers) -> float:
    start, stop = p["t_on"] + _AWAY_FROM_EDGES, p["t_on"] + p["t_pulse"] - _AWAY_FROM_EDGES
    return _charge(w, start, stop) / (stop - start)


def _q_edge(w: Waveforms, p: Numbers) -> float:
    idle = _end(p) - _T_QUIET - p["t_pulse"]
    return _charge(w, _T_QUIET, _end(p)) - _i_on(w, p) * p["t_pulse"] - _i_off(w, p) * idle


def _q_move(w: Waveforms, p: Numbers) -> float:
    return _charge(w, 0.0, _T_IDLE) - _i_off(w, p) * (_T_IDLE - (_T_MOVE + _T_MOVED) / 2)


def bitline_current(
    v_store: Array,
    dv_bl: Array,
    *,
    a00: float,
    a01: float,
    a02: float,
    a03: float,
    a04: float,
    a05: float,
    a06: float,
    a07: float,
    a08: float,
    a10: float,
    a11: float,
    a12: float,
    a13: float,
    a14: float,
    a15: float,
    a16: float,
    a17: float,
    a18: float,
    a20: float,
    a21: float,
    a22: float,
    a23: float,
    a24: float,
    a25: float,
    a26: float,
    a27: float,
    a28: float,
    a30: float,
    a31: float,
    a32: float,
    a33: float,
    a34: float,
    a35: float,
    a36: float,
    a37: float,
    a38: float,
    v_ref: float,
) -> Array:
    """Current [A] of one cell as a cubic in the bitline's move, each term a polynomial in the stored voltage."""
    w = v_store - v_ref
    terms = (
        polynomial(w, (a00, a01, a02, a03, a04, a05, a06, a07, a08)),
        polynomial(w, (a10, a11, a12, a13, a14, a15, a16, a17, a18)),
        polynomial(w, (a20, a21, a22, a23, a24, a25, a26, a27, a28)),
        polynomial(w, (a30, a31, a32, a33, a34, a35, a36, a37, a38)),
    )
    return terms[0] + dv_bl * (terms[1] + dv_bl * (terms[2] + dv_bl * terms[3]))


def bitline_charge(
    v_store: Array,
    dv_bl: Array,
    *,
    a00: float,
    a01: float,
    a02: float,
    a03: float,
    a04: float,
    a05: float,
    a10: float,
    a11: float,
    a12: float,
    a13: float,
    a14: float,
    a15: float,
    a20: float,
    a21: float,
    a22: float,
    a23: float,
    a24: float,
    a25: float,
    v_ref: float,
) -> Array:
    """Charge [C] of one cell as a square in the bitline's move, each term a polynomial in the stored voltage."""
    w = v_store - v_ref
    terms = (
        polynomial(w, (a00, a01, a02, a03, a04, a05)),
        polynomial(w, (a10, a11, a12, a13, a14, a15)),
        polynomial(w, (a20, a21, a22, a23, a24, a25)),
    )
    return terms[0] + dv_bl * (terms[1] + dv_bl * terms[2])


def _per_volt(power: int) -> str:
    return "" if power == 0 else "/V" if power == 1 else f"/V^{power}"


def _model(name: str, function: Callable[..., Any], output: str, unit: str, size: float) -> Model:
    terms = [n for n, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY and n != "v_ref"]
    reference = Coefficient(unit="V", doc="middle of the stored voltages", start=lambda p: p["vdd"] / 2, fixed=True)
    return Model(
        name=name,
        form="fitted",
        bench="bitline",
        function=function,
        inputs=("v_store", "dv_bl"),
        output=output,
        equation=f"{output} = sum_mk a_mk w^k dv_bl^m, m <= {terms[-1][1]}, k <= {terms[-1][2]}, w = v_store - v_ref",
        coefficients={
            **{
                n: Coefficient(
                    unit=f"{unit}{_per_volt(int(n[1]) + int(n[2]))}", doc=f"term {n[1]}, {n[2]}", start=0.0, scale=size
                )
                for n in terms
            },
            "v_ref": reference,
        },
        linear=True,
    )


MODELS = (
    _model("active_series", bitline_current, "i_on", "A", 1e-5),
    _model("idle_series", bitline_current, "i_off", "A", 1e-6),
    _model("edge_series", bitline_charge, "q_edge", "C", 1e-15),
    _model("move_series", bitline_charge, "q_move", "C", 1e-15),
)


FIGURES = (
    Figure(
        study="bitline",
        output="i_on",
        x="dv_bl",
        group_by="v_store",
        title="Active cell by move of its bitline",
        models=("active_series",),
    ),
    Figure(
        study="bitline",
        output="i_off",
        x="dv_bl",
        group_by="v_store",
        title="Idle cell by move of its bitline",
        models=("idle_series",),
    ),
)


def study(most: float) -> Study:
    """Characterize bitline moves up to `most` [V]."""
    return Study(bench="bitline", sweep={"dv_bl": _moves(most)})
