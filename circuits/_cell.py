"""What every gain cell is measured with: ports ``bl wlr wlrb wbl we web st vdd vss``.

One sign convention: ``i_bl`` and ``q_bl`` are positive when the cell sinks current from the bitline,
which it does for a high ``v_store``.
"""

import numpy as np

from gaincell_char.declare.bench import Bench, Derived, Floats, Numbers, Op, Output, Tran, Waveforms
from gaincell_char.declare.datasets import DataArray, Dataset
from gaincell_char.declare.parameters import Params, flavour, number

T_MAX = 15e-9
"""Longest input pulse [s]; Leroux et al. 2025, Methods, eq. 3."""
LEVELS = 8
"""Levels of the DAC that writes the cell; Leroux et al. 2025, Methods."""


def cell_params(*, w_n: float, l_n: float, w_p: float, l_p: float, read_flavour: str, v_idle: float) -> Params:
    """Parameters every gain cell has; ``v_idle`` is the idle level of ``wlr`` as a fraction of ``vdd``."""
    return Params(
        vdd=number(0.9, "V", "supply", low=0.3, high=6.0),
        w_n=number(w_n, "m", "width of the n read transistor", low=40e-9, high=10e-6),
        l_n=number(l_n, "m", "length of the n read transistor", low=30e-9, high=10e-6),
        w_p=number(w_p, "m", "width of the p read transistor", low=40e-9, high=10e-6),
        l_p=number(l_p, "m", "length of the p read transistor", low=30e-9, high=10e-6),
        read_flavour=flavour(read_flavour, "threshold flavour of the read transistors"),
        w_write=number(100e-9, "m", "width of the write transistors", low=40e-9, high=10e-6),
        l_write=number(60e-9, "m", "length of the write transistors", low=30e-9, high=10e-6),
        write_flavour=flavour("svt", "threshold flavour of the write transistors"),
        c_store=number(5e-15, "F", "storage capacitor", low=1e-16, high=1e-12),
        v_wbl=number(lambda p: p["vdd"] / 2, "V", "idle level of the write bitline", low=-0.5, high=6.0),
        v_idle=number(
            lambda p: p["vdd"] * v_idle, "V", "idle level of wlr (wlrb idles at vdd - v_idle)", low=0, high=6
        ),
    )


def levels(p: Numbers) -> Floats:
    """Stored voltages of the DAC codes."""
    return np.linspace(0, p["vdd"], LEVELS)


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
            v_store=number(lambda p: p["vdd"], "V", "stored voltage", low=-0.5, high=6.0),
            v_in=number(lambda p: p["vdd"], "V", "read word line wlr (wlrb is its complement)", low=0, high=6.0),
            v_inb=number(lambda p: p["vdd"] - p["v_in"], "V", "complementary read word line", low=-1, high=6.0),
            v_bl=number(lambda p: p["vdd"] / 2, "V", "bitline", low=-0.5, high=6.0),
        ),
        sweep={
            "v_store": lambda p: np.linspace(0, p["vdd"], 37),
            "v_in": lambda p: np.linspace(p["v_idle"], p["vdd"], 10),
            "v_bl": lambda p: [p["vdd"] / 2],
        },
        analysis=lambda _: Op(),
        save=("i(vbl)",),
        outputs=(
            Output(
                name="i_bl", unit="A", plausible_max=1e-3, doc="bitline current", measure=lambda w, _: -w["i(vbl)"][0]
            ),
        ),
        options={"gmin": 1e-15, "reltol": 1e-6, "abstol": 1e-15, "vntol": 1e-9},
    )


_PULSE_PARAMS = Params(
    v_store=number(lambda p: p["vdd"], "V", "stored voltage before the pulse", low=-0.5, high=6.0),
    t_pulse=number(T_MAX, "s", "width of the input pulse at half height", low=60e-12, high=1e-6),
    t_on=number(1e-9, "s", "start of the pulse", low=1e-10, high=1e-6),
    t_edge=number(50e-12, "s", "rise and fall time of the pulse", low=1e-12, high=1e-9),
    t_settle=number(2e-9, "s", "time after the pulse", low=1e-10, high=1e-6),
    v_bl=number(lambda p: p["vdd"] / 2, "V", "bitline", low=-0.5, high=6.0),
)
PULSE_OPTIONS = {"gmin": 1e-15, "reltol": 1e-4, "abstol": 1e-13, "vntol": 1e-7, "chgtol": 1e-18}
_PULSE_TIMES = "0 {low} {{t_on}} {low} {{t_on+t_edge}} {high} {{t_on+t_pulse}} {high} {{t_on+t_pulse+t_edge}} {low}"


def pulse_source(low: str, high: str) -> str:
    """Source text of one input pulse between two levels."""
    return f"pwl({_PULSE_TIMES.format(low=low, high=high)})"


def _pulse_end(p: Numbers) -> Tran:
    return Tran(stop=p["t_on"] + p["t_pulse"] + p["t_edge"] + p["t_settle"], max_step=200e-12)


def pulse(cell: str) -> Bench:
    """Charge that one input pulse moves on a clamped bitline."""
    return Bench(
        name="pulse",
        doc="charge on the clamped bitline per input pulse",
        stimulus=f"""
        vdd vdd 0 {{vdd}}
        vwlr wlr 0 {pulse_source("{v_idle}", "{vdd}")}
        vwlrb wlrb 0 {pulse_source("{vdd-v_idle}", "0")}
        vwbl wbl 0 {{v_wbl}}
        vbl bl 0 {{v_bl}}
        * charge of vbl, integrated by the simulator with its own method; v(q) = q_bl / 1 pF
        fq 0 q vbl -1
        cq q 0 1p
        rq q 0 1e15
        xcell bl wlr wlrb wbl 0 vdd st vdd 0 {cell}
        """,
        params=_PULSE_PARAMS,
        sweep={
            "v_store": lambda p: np.linspace(0, p["vdd"], 37),
            "t_pulse": [0.25e-9, 0.5e-9, 1e-9, 2e-9, 4e-9, 7e-9, 10e-9, T_MAX],
        },
        analysis=_pulse_end,
        initial={"v(st)": "v_store"},
        save=("v(q)", "v(st)"),
        outputs=(
            Output(name="q_bl", unit="C", plausible_max=1e-9, doc="charge sunk from the bitline", measure=_charge),
            Output(
                name="dv_store",
                unit="V",
                plausible_max=10.0,
                doc="largest move of v_store during the pulse",
                measure=_kick,
                full_scale="vdd",
            ),
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
    """Where the least-squares line meets t_pulse = 0."""
    return dataset["q_bl"].mean("t_pulse", skipna=False) - _i_eff(dataset) * dataset["t_pulse"].mean()


def _charge(w: Waveforms, _: Numbers) -> float:
    return float(w["v(q)"][-1] - w["v(q)"][0]) * 1e-12


def _kick(w: Waveforms, p: Numbers) -> float:
    moved = w["v(st)"] - p["v_store"]
    return float(moved[np.abs(moved).argmax()])


def write(cell: str) -> Bench:
    """What a write leaves on the storage node, for each DAC level."""
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
            v_dac=number(lambda p: p["vdd"], "V", "level of the write DAC", low=-0.5, high=6.0),
            v_before=number(lambda p: p["vdd"] / 2, "V", "stored voltage before the write", low=-0.5, high=6.0),
            v_boost=number(0.0, "V", "write-gate drive beyond both rails", low=0.0, high=1.0),
            t_write=number(10e-9, "s", "width of the write pulse", low=100e-12, high=1e-6),
        ),
        sweep={"v_dac": levels},
        analysis=lambda p: Tran(stop=p["t_write"] + 4e-9, max_step=200e-12),
        initial={"v(st)": "v_before"},
        save=("v(st)",),
        outputs=(
            Output(
                name="v_store",
                unit="V",
                plausible_max=10.0,
                doc="stored voltage after the write",
                measure=lambda w, _: w["v(st)"][-1],
            ),
            Output(
                name="dv_settle",
                unit="V",
                plausible_max=10.0,
                doc="what was missing when the write gate closed",
                measure=_unsettled,
                full_scale="vdd",
            ),
            Output(
                name="dv_feed",
                unit="V",
                plausible_max=10.0,
                doc="feed-through of the closing write gate",
                measure=_feed_through,
                full_scale="vdd",
            ),
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

    Each word line is switched between its two rails by transmission gates of the row driver; one cell's
    share of it has width ``w_driver``.
    """
    return Bench(
        name="energy",
        doc="energy per input pulse",
        stimulus=f"""
        vdd vdd 0 {{vdd}}
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
        vmw dr wlr 0
        vmwb drb wlrb 0
        * energies, integrated by the simulator: v(ec) = e_cell / 10 fJ, v(ed) = e_driver / 1 fJ
        bc 0 ec i=v(wlr)*i(vmw)+v(wlrb)*i(vmwb)-v(bl)*i(vbl)-v(vdd)*i(vdd)-v(wbl)*i(vwbl)
        cc ec 0 10f
        rc ec 0 1e15
        bd 0 ed i=-v(hi)*i(vhi)-v(idle)*i(vidle)-v(idleb)*i(vidleb)-v(on)*i(von)-v(off)*i(voff)
        + -v(wlr)*i(vmw)-v(wlrb)*i(vmwb)
        cd ed 0 1f
        rd ed 0 1e15
        vwbl wbl 0 {{v_wbl}}
        vbl bl 0 {{v_bl}}
        xcell bl wlr wlrb wbl 0 vdd st vdd 0 {cell}
        """,
        params=_PULSE_PARAMS
        | Params(
            w_driver=number(500e-9, "m", "one cell's share of each driver transistor", low=40e-9, high=100e-6),
            l_driver=number(30e-9, "m", "length of the driver transistors", low=30e-9, high=10e-6),
            driver_flavour=flavour("lvt", "threshold flavour of the driver transistors"),
            c_wire=number(0.8e-15, "F", "one cell's share of each word line's wire", low=0, high=1e-12),
        ),
        sweep={
            "v_store": lambda p: np.linspace(0, p["vdd"], 10),
            "t_pulse": [1e-9, 4e-9, 10e-9, T_MAX],
        },
        analysis=_pulse_end,
        initial={"v(st)": "v_store"},
        save=("v(ec)", "v(ed)"),
        outputs=(
            Output(
                name="e_cell", unit="J", plausible_max=1e-9, doc="energy that goes into the cell", measure=_cell_energy
            ),
            Output(
                name="e_driver", unit="J", plausible_max=1e-9, doc="energy lost in the drivers", measure=_driver_energy
            ),
        ),
        options={**PULSE_OPTIONS, "abstol": 1e-11, "trtol": 1},
    )


def _cell_energy(w: Waveforms, _: Numbers) -> float:
    """Energy into the cell through all its terminals."""
    return float(w["v(ec)"][-1] - w["v(ec)"][0]) * 10e-15


def _driver_energy(w: Waveforms, _: Numbers) -> float:
    """What the drivers' rails and inputs deliver, less what arrives at the cell."""
    return float(w["v(ed)"][-1] - w["v(ed)"][0]) * 1e-15


def benches(cell: str) -> tuple[Bench, ...]:
    """Every bench of a cell whose subcircuit is called `cell`."""
    return dc(cell), pulse(cell), write(cell), energy(cell)
