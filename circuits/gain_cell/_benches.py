"""Benches of every gain cell: ports ``bl wlr wlrb wbl we web st vdd vss``.

One sign convention: ``i_bl`` and ``q_bl`` are positive when the cell sinks current from the bitline, which it does for
a high ``v_store``.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from gaincell_char.declare.bench import Bench, Derived, Numbers, Op, Output, Tran, Waveforms
from gaincell_char.declare.datasets import DataArray, Dataset
from gaincell_char.declare.measures import at_end, change
from gaincell_char.declare.parameters import Params, flavour, number
from gaincell_char.declare.sweep_values import Joined, join, linspace, listed

T_MAX = 15e-9
"""Longest input pulse [s]; Leroux et al. 2025, Methods, eq. 3."""
LEVELS = linspace(0, "vdd", 8)
"""Stored voltages of the 3-bit DAC that writes the cell; Leroux et al. 2025, Methods."""
FULL_CURRENT = 10e-6
"""Current [A] of a cell at full drive: full scale of small currents."""


def stored(count: int) -> Joined:
    """Stored voltages: `count` from 0 to the supply, and one beyond each rail, where a write may end."""
    return join(listed(-1 / 90, scale="vdd"), linspace(0, "vdd", count), listed(1 + 1 / 90, scale="vdd"))


def cell_params(*, w_n: float, l_n: float, w_p: float, l_p: float, read_flavour: str, v_idle: float | str) -> Params:
    """Parameters of every gain cell; ``v_idle`` is the idle level of ``wlr``."""
    wide, long = {"low": 40e-9, "high": 10e-6}, {"low": 30e-9, "high": 10e-6}
    return Params(
        vdd=number(0.9, "V", "supply", low=0.3, high=6.0),
        w_n=number(w_n, "m", "width of the n read transistor", **wide),
        l_n=number(l_n, "m", "length of the n read transistor", **long),
        w_p=number(w_p, "m", "width of the p read transistor", **wide),
        l_p=number(l_p, "m", "length of the p read transistor", **long),
        read_flavour=flavour(read_flavour, "threshold flavour of the read transistors"),
        w_write=number(100e-9, "m", "width of the write transistors", **wide),
        l_write=number(60e-9, "m", "length of the write transistors", **long),
        write_flavour=flavour("svt", "threshold flavour of the write transistors"),
        c_store=number(5e-15, "F", "storage capacitor", low=1e-16, high=1e-12),
        v_wbl=number("vdd/2", "V", "idle level of the write bitline", low=-0.5, high=6.0),
        v_idle=number(v_idle, "V", "idle level of wlr (wlrb idles at vdd - v_idle)", low=0, high=6),
    )


_PLAUSIBLE = {"A": 1e-3, "V": 10.0, "C": 1e-9, "J": 1e-9}
"""No gain cell gives more, in these units."""


def _output(name: str, unit: str, doc: str, measure: Callable[..., float], full_scale: float | str = "") -> Output:
    most = _PLAUSIBLE[unit]
    return Output(name=name, unit=unit, plausible_max=most, doc=doc, measure=measure, full_scale=full_scale)


def dc(cell: str) -> Bench:
    """Bitline current with every terminal held."""
    return Bench(
        name="dc",
        doc="DC bitline current of the read stage",
        stimulus=f"""
        vdd vdd 0 {{vdd}}
        vwlr wlr 0 {{v_in}}
        vwlrb wlrb 0 {{v_inb}}
        vwbl wbl 0 {{v_wbl}}
        vst st 0 {{v_store}}
        vbl bl 0 {{v_bl}}
        xcell bl wlr wlrb wbl 0 vdd st vdd 0 {cell}
        """,
        params=Params(
            v_store=number("vdd", "V", "stored voltage", low=-0.5, high=6.0),
            v_in=number("vdd", "V", "read word line wlr (wlrb is its complement)", low=0, high=6.0),
            v_inb=number("vdd-v_in", "V", "complementary read word line", low=-1, high=6.0),
            v_bl=number("vdd/2", "V", "bitline", low=-0.5, high=6.0),
        ),
        sweep={"v_store": stored(37), "v_in": linspace("v_idle", "vdd", 10), "v_bl": ["vdd/2"]},
        analysis=Op(),
        save=("i(vbl)",),
        outputs=(_output("i_bl", "A", "bitline current", at_end("i(vbl)", -1)),),
        options={"gmin": 1e-15, "reltol": 1e-6, "abstol": 1e-15, "vntol": 1e-9},
    )


PULSE_PARAMS = Params(
    v_store=number("vdd", "V", "stored voltage before the pulse", low=-0.5, high=6.0),
    t_pulse=number(T_MAX, "s", "width of the input pulse at half height", low=60e-12, high=1e-6),
    t_on=number(1e-9, "s", "start of the pulse", low=1e-10, high=1e-6),
    t_edge=number(50e-12, "s", "rise and fall time of the pulse", low=1e-12, high=1e-9),
    t_settle=number(2e-9, "s", "time after the pulse", low=1e-10, high=1e-6),
    v_bl=number("vdd/2", "V", "bitline", low=-0.5, high=6.0),
)
PULSE_OPTIONS = {"gmin": 1e-15, "reltol": 1e-4, "abstol": 1e-13, "vntol": 1e-7, "chgtol": 1e-18}
PULSE_END = "t_on+t_pulse+t_edge+t_settle"
# The simulator integrates the charge of vbl with its own method: v(q) = q_bl / 1 pF.
_INTEGRATOR = """
        fq 0 q vbl -1
        cq q 0 1p
        rq q 0 1e15"""


def pulse_source(low: str, high: str) -> str:
    """Source text of one input pulse between two levels."""
    times = "0 {0} {{t_on}} {0} {{t_on+t_edge}} {1} {{t_on+t_pulse}} {1} {{t_on+t_pulse+t_edge}} {0}"
    return f"pwl({times.format(low, high)})"


_WORD_LINES = f"""
        vdd vdd 0 {{vdd}}
        vwlr wlr 0 {pulse_source("{v_idle}", "{vdd}")}
        vwlrb wlrb 0 {pulse_source("{vdd-v_idle}", "0")}
        vwbl wbl 0 {{v_wbl}}"""


def pulse(cell: str) -> Bench:
    """Charge that one input pulse moves on a clamped bitline."""
    return Bench(
        name="pulse",
        doc="charge on the clamped bitline per input pulse",
        stimulus=f"""{_WORD_LINES}
        vbl bl 0 {{v_bl}}{_INTEGRATOR}
        xcell bl wlr wlrb wbl 0 vdd st vdd 0 {cell}
        """,
        params=PULSE_PARAMS,
        sweep={
            "v_store": stored(37),
            "t_pulse": listed(0.25e-9, 0.5e-9, 1e-9, 2e-9, 4e-9, 7e-9, 10e-9, T_MAX),
        },
        analysis=Tran(stop=PULSE_END, max_step=200e-12),
        initial={"v(st)": "v_store"},
        save=("v(q)", "v(st)"),
        outputs=(
            _output("q_bl", "C", "charge sunk from the bitline", change("v(q)", 1e-12)),
            _output("dv_store", "V", "largest move of v_store during the pulse", _kick, "vdd"),
        ),
        derived=(
            Derived(name="i_eff", unit="A", doc="slope of q_bl over t_pulse", along="t_pulse", compute=_i_eff),
            Derived(name="q_0", unit="C", doc="q_bl at t_pulse = 0, on that line", along="t_pulse", compute=_q_0),
        ),
        options=PULSE_OPTIONS,
    )


def _i_eff(dataset: Dataset) -> DataArray:
    """Slope of the least-squares line."""
    t = dataset["t_pulse"] - dataset["t_pulse"].mean()
    return (dataset["q_bl"] * t).sum("t_pulse", skipna=False) / (t * t).sum()


def _q_0(dataset: Dataset) -> DataArray:
    """Charge at which the least-squares line meets t_pulse = 0."""
    return dataset["q_bl"].mean("t_pulse", skipna=False) - _i_eff(dataset) * dataset["t_pulse"].mean()


def _kick(w: Waveforms, p: Numbers) -> float:
    moved = w["v(st)"] - p["v_store"]
    return float(moved[np.abs(moved).argmax()])


def write(cell: str) -> Bench:
    """Stored voltage after a write, for each DAC level."""
    return Bench(
        name="write",
        doc="stored voltage after a write",
        stimulus=f"""
        vdd vdd 0 {{vdd}}
        vwlr wlr 0 {{v_idle}}
        vwlrb wlrb 0 {{vdd-v_idle}}
        vbl bl 0 {{vdd/2}}
        vwe we 0 pwl(0 0 1n 0 1.05n {{vdd+v_boost}} {{1n+t_write}} {{vdd+v_boost}} {{1.05n+t_write}} 0)
        vweb web 0 pwl(0 {{vdd}} 1n {{vdd}} 1.05n {{0-v_boost}} {{1n+t_write}} {{0-v_boost}} {{1.05n+t_write}} {{vdd}})
        vwbl wbl 0 pwl(0 {{v_wbl}} 0.5n {{v_wbl}} 0.55n {{v_dac}} {{2n+t_write}} {{v_dac}} {{2.05n+t_write}} {{v_wbl}})
        xcell bl wlr wlrb wbl we web st vdd 0 {cell}
        """,
        params=Params(
            v_dac=number("vdd", "V", "level of the write DAC", low=-0.5, high=6.0),
            v_before=number("vdd/2", "V", "stored voltage before the write", low=-0.5, high=6.0),
            v_boost=number(0.0, "V", "write-gate drive beyond both rails", low=0.0, high=1.0),
            t_write=number(10e-9, "s", "width of the write pulse", low=100e-12, high=1e-6),
        ),
        sweep={"v_dac": LEVELS},
        analysis=Tran(stop="t_write+4n", max_step=200e-12),
        initial={"v(st)": "v_before"},
        save=("v(st)",),
        outputs=(
            _output("v_store", "V", "stored voltage after the write", at_end("v(st)")),
            _output("dv_settle", "V", "what was missing when the write gate closed", _unsettled, "vdd"),
            _output("dv_feed", "V", "feed-through of the closing write gate", _feed_through, "vdd"),
        ),
        options=PULSE_OPTIONS,
    )


def _at_gate_off(w: Waveforms, p: Numbers) -> float:
    return float(np.interp(1e-9 + p["t_write"], w["time"], w["v(st)"]))


def _unsettled(w: Waveforms, p: Numbers) -> float:
    return _at_gate_off(w, p) - p["v_dac"]


def _feed_through(w: Waveforms, p: Numbers) -> float:
    return float(w["v(st)"][-1]) - _at_gate_off(w, p)


def energy(cell: str) -> Bench:
    """Energy of one input pulse, split into the cell and its share of the word-line drivers.

    The energy of the cell is that of the cell of the bench ``pulse``, with ideal word lines.  A second cell has
    drivers: transmission gates of the row driver switch each word line between its two rails; one cell's share of them
    has width ``w_driver``.
    """
    return Bench(
        name="energy",
        doc="energy per input pulse",
        stimulus=f"""{_WORD_LINES}
        vbl bl 0 {{v_bl}}{_INTEGRATOR}
        xcell bl wlr wlrb wbl 0 vdd st vdd 0 {cell}
        vhi hi 0 {{vdd}}
        vidle idle 0 {{v_idle}}
        vidleb idleb 0 {{vdd-v_idle}}
        vlo lo 0 0
        von on 0 {pulse_source("0", "{vdd}")}
        voff off 0 {pulse_source("{vdd}", "0")}
        xp1 dr off hi hi p_{{driver_flavour}} w={{w_driver}} l={{l_driver}}
        xn2 dr off idle 0 n_{{driver_flavour}} w={{w_driver}} l={{l_driver}}
        xp2 dr on idle hi p_{{driver_flavour}} w={{w_driver}} l={{l_driver}}
        xn3 drb on lo 0 n_{{driver_flavour}} w={{w_driver}} l={{l_driver}}
        xp3 drb on idleb hi p_{{driver_flavour}} w={{w_driver}} l={{l_driver}}
        xn4 drb off idleb 0 n_{{driver_flavour}} w={{w_driver}} l={{l_driver}}
        cw dr 0 {{c_wire}}
        cwb drb 0 {{c_wire}}
        vmw dr wlrd 0
        vmwb drb wlrbd 0
        vddd vddd 0 {{vdd}}
        vbld bld 0 {{v_bl}}
        xdriven bld wlrd wlrbd wbl 0 vddd std vddd 0 {cell}
        * energies, integrated by the simulator: v(ec) = e_cell / 10 fJ, v(ed) = e_driver / 1 fJ
        bc 0 ec i=-v(wlr)*i(vwlr)-v(wlrb)*i(vwlrb)-v(bl)*i(vbl)-v(vdd)*i(vdd)-v(wbl)*i(vwbl)
        cc ec 0 10f
        rc ec 0 1e15
        bd 0 ed i=-v(hi)*i(vhi)-v(idle)*i(vidle)-v(idleb)*i(vidleb)-v(on)*i(von)-v(off)*i(voff)
        + -v(wlrd)*i(vmw)-v(wlrbd)*i(vmwb)
        cd ed 0 1f
        rd ed 0 1e15
        """,
        params=PULSE_PARAMS
        | Params(
            w_driver=number(500e-9, "m", "one cell's share of each driver transistor", low=40e-9, high=100e-6),
            l_driver=number(30e-9, "m", "length of the driver transistors", low=30e-9, high=10e-6),
            driver_flavour=flavour("lvt", "threshold flavour of the driver transistors"),
            c_wire=number(0.8e-15, "F", "one cell's share of each word line's wire", low=0, high=1e-12),
        ),
        sweep={"v_store": stored(10), "t_pulse": listed(1e-9, 4e-9, 10e-9, T_MAX)},
        analysis=Tran(stop=PULSE_END, max_step=200e-12),
        initial={"v(st)": "v_store", "v(std)": "v_store"},
        save=("v(ec)", "v(ed)", "v(q)"),
        outputs=(
            _output("q_bl", "C", "charge sunk from the bitline, as of the bench pulse", change("v(q)", 1e-12)),
            _output("e_cell", "J", "energy that goes into the cell", change("v(ec)", 10e-15)),
            _output("e_driver", "J", "energy lost in the drivers", change("v(ed)", 1e-15)),
        ),
        options={**PULSE_OPTIONS, "abstol": 1e-11, "trtol": 1},
    )


_MOVE_START_S, _MOVE_END_S, _IDLE_FROM_S, _IDLE_TO_S = 1e-9, 1.2e-9, 2e-9, 4e-9
"""Times [s] at which the bitline moves, and between which the current of the idle cell is measured."""
FROM_EDGE_S = 1e-9
"""Time [s] from an edge of the pulse after which the current of the active cell is measured."""


def bitline(cell: str, *, largest_move: float) -> Bench:
    """Currents and charges of a cell whose bitline moves before the pulse, by up to `largest_move` [V].

    The bitline starts at its clamp level, at which the cell was written, and ends ``dv_bl`` away from it: the gate of a
    read transistor feels its drain, so the stored voltage moves with the bitline, too.
    """
    return Bench(
        name="bitline",
        doc="currents, active and idle, by bitline voltage",
        stimulus=f"""{_WORD_LINES}
        vbl bl 0 pwl(0 {{v_bl}} {_MOVE_START_S!r} {{v_bl}} {_MOVE_END_S!r} {{v_bl+dv_bl}}){_INTEGRATOR}
        xcell bl wlr wlrb wbl 0 vdd st vdd 0 {cell}
        """,
        params=Params(
            v_store=number("vdd", "V", "stored voltage, written at v_bl", low=-0.5, high=6.0),
            dv_bl=number(0.0, "V", "move of the bitline from v_bl", low=-1.0, high=1.0),
            v_bl=number("vdd/2", "V", "level of the bitline's clamp", low=-0.5, high=6.0),
            t_pulse=number(T_MAX, "s", "width of the input pulse at half height", low=4e-9, high=1e-6),
            t_on=number(5e-9, "s", "start of the pulse", low=4.5e-9, high=1e-6),
            t_edge=number(50e-12, "s", "rise and fall time of the pulse", low=1e-12, high=500e-12),
            t_settle=number(2e-9, "s", "time after the pulse", low=1e-9, high=1e-6),
        ),
        # An even number of moves: none of them is 0.
        sweep={"v_store": stored(31), "dv_bl": linspace(-largest_move, largest_move, 12)},
        analysis=Tran(stop=PULSE_END, max_step=100e-12),
        initial={"v(st)": "v_store"},
        save=("v(q)",),
        outputs=(
            _output("i_on", "A", "current of the active cell", partial(current_on, "v(q)")),
            _output("i_off", "A", "current of the idle cell", _i_off, FULL_CURRENT),
            _output("q_edge", "C", "charge of a pulse's two edges", _q_edge, FULL_CURRENT * T_MAX),
            _output("q_move", "C", "charge that moving the bitline takes from the cell", _q_move, FULL_CURRENT * T_MAX),
        ),
        options={**PULSE_OPTIONS, "reltol": 1e-5},
    )


def _between(w: Waveforms, start: float, stop: float, vector: str = "v(q)") -> float:
    """Charge [C] of the integrator of 1 pF on a node between two times [s]."""
    before, after = np.interp([start, stop], w["time"], w[vector])
    return float(after - before) * 1e-12


def _i_off(w: Waveforms, _: Numbers) -> float:
    return _between(w, _IDLE_FROM_S, _IDLE_TO_S) / (_IDLE_TO_S - _IDLE_FROM_S)


def current_on(vector: str, w: Waveforms, p: Numbers) -> float:
    """Mean current [A] into the integrator on a node during the pulse, away from its edges."""
    start, stop = p["t_on"] + FROM_EDGE_S, p["t_on"] + p["t_pulse"] - FROM_EDGE_S
    return _between(w, start, stop, vector) / (stop - start)


def _q_edge(w: Waveforms, p: Numbers) -> float:
    end = p["t_on"] + p["t_pulse"] + p["t_edge"] + p["t_settle"]
    idle = end - _IDLE_TO_S - p["t_pulse"]
    return _between(w, _IDLE_TO_S, end) - current_on("v(q)", w, p) * p["t_pulse"] - _i_off(w, p) * idle


def _q_move(w: Waveforms, p: Numbers) -> float:
    return _between(w, 0.0, _IDLE_FROM_S) - _i_off(w, p) * (_IDLE_FROM_S - (_MOVE_START_S + _MOVE_END_S) / 2)


def benches(cell: str, *, largest_move: float) -> tuple[Bench, ...]:
    """Every bench of a cell whose subcircuit is called `cell`; its bitline moves by up to `largest_move` [V]."""
    return dc(cell), pulse(cell), write(cell), energy(cell), bitline(cell, largest_move=largest_move)
