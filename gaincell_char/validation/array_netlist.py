"""Decks of arrays: one row of independent cells, columns with their converters, or one converter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..declare.attention_head import Head, Operation, fill_line
from ..declare.bench import Bench, Floats, Tran, Waveforms
from ..declare.parameters import Params, numbers, words
from ..errors import ParameterError
from ..registry import DEFAULT_TECHNOLOGY, load_circuit, load_netlist, load_technology
from ..spice.deck import Conditions, Deck, Template, render
from ..spice.measure import measure
from ..sweeping.identity import digest
from ..sweeping.plan import bench_options
from ..technology.schema import Technology

CLAMPS = ("ideal", "resistor", "passive")
_RANGES = {
    "r_clamp": (1e-3, 1e9, "ohm"),
    "c_wire": (0.0, 1e-9, "F"),
    "r_wire": (0.0, 1e6, "ohm"),
}
_FARAD = 1e-12  # of the capacitors that integrate charge
_COURSE_STEP = 100e-12
_T_ON = "t_reset+t_gap"


@dataclass(frozen=True, kw_only=True)
class ArrayCircuit:
    """SPICE circuit of one operation of a head.

    Attributes
    ----------
    clamp : {"ideal", "resistor", "passive"}
        Clamp of a bitline: ideal, through `r_clamp` [ohm], or none, with the converter's capacitor as load.
    c_wire, r_wire : float
        Wire capacitance [F] and resistance [ohm] per cell, on bitline and row.
    corner, temp, vdd : str, float, float
        Process corner, temperature [degC], and supply [V]; that of the technology by default.
    shared_bias : bool
        One bias circuit for all converters, which couples them, instead of one per converter.
    """

    head: Head
    operation: Operation
    technology: str = DEFAULT_TECHNOLOGY
    corner: str = "tt"
    temp: float = 27.0
    vdd: float | None = None
    clamp: str = "ideal"
    r_clamp: float = 300.0
    c_wire: float = 0.8e-15
    r_wire: float = 0.0
    shared_bias: bool = False

    def __post_init__(self) -> None:
        if self.clamp not in CLAMPS:
            raise ParameterError(f"clamp = {self.clamp!r}; choose {', '.join(CLAMPS)}")
        for name, (low, high, unit) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ParameterError(f"{name} = {value:g} {unit} is outside [{low:g}, {high:g}] {unit}")

    @property
    def decoupled(self) -> bool:
        """Whether cells are independent: no shared node can move."""
        return self.clamp == "ideal" and self.r_wire == 0

    @cached_property
    def values(self) -> dict[str, Any]:
        """Values of all parameters of cell and converter, and of the phases of a conversion."""
        cell, converter = load_circuit(self.head.cell), load_circuit(self.operation.converter)
        bench = converter.bench(self.operation.bench).params
        table = Params(**{**cell.params, **converter.params, **bench})
        sizes = self._loaded.sizes
        supply = {} if self.vdd is None else {"vdd": self.vdd}
        return table.resolve({**sizes(cell.name, table), **sizes(converter.name, table), **supply})

    @cached_property
    def _loaded(self) -> Technology:
        return load_technology(self.technology)

    def __getitem__(self, name: str) -> float:
        return float(self.values[name])

    @property
    def t_on(self) -> float:
        """Start time of the pulses [s]."""
        return self["t_reset"] + self["t_gap"]

    @property
    def t_read(self) -> float:
        """Start time of the conversion window [s]; the charge is complete."""
        return self["t_reset"] + 2 * self["t_gap"] + self["t_max"]

    @cached_property
    def decided(self) -> str:
        """Hash of everything that determines a result except stored voltages and pulses: decks and measurements."""
        decks = self._typical_decks(np.zeros((1, 1)), np.array([self["t_max"]]))
        return digest([deck.text for deck in decks], self._bench, self.operation, self.values)

    def _typical_decks(self, v_store: Floats, t_pulse: Floats) -> list[Deck]:
        """Decks of the kinds that are simulated."""
        if self.decoupled:
            return [self.row(v_store[0], float(t_pulse[0])), self.conversions(0 * self.times[None, :])]
        return [self.columns(v_store, t_pulse)]

    def columns(self, v_store: Floats, t_pulse: Floats, *, waves: Sequence[str] = ()) -> Deck:
        """Return the deck of columns with their converters.

        Parameters
        ----------
        v_store : ndarray, shape (rows, columns)
            Stored voltages [V].
        t_pulse : ndarray, shape (rows,)
            Pulse widths [s]; a row without a pulse stays idle.
        waves : sequence of str
            Vectors to save in addition to the measured ones.
        """
        rows, columns = v_store.shape
        suffixes = [str(c) for c in range(columns)]
        lines = [self.head.shared, self.operation.controls]
        lines += [self._row(r, t) for r, t in enumerate(t_pulse)]
        lines += [line for r in range(rows) for line in self._cells(r, rows, columns)]
        lines += [self._bias_line("")] if self.shared_bias else []
        lines += [line for c in suffixes for line in self._foot(c)]
        save = [f"v({name})" for c in suffixes for name in self._watched(c)]
        stop = self["t_cycle"]
        return self._deck(lines, v_store, (*save, *waves), stop, self._converter_options)

    def row(self, v_store: Floats, t_pulse: float) -> Deck:
        """Return the deck of cells on one row, each on its own ideally clamped bitline.

        Parameters
        ----------
        v_store : ndarray, shape (columns,)
            Stored voltages [V].
        t_pulse : float
            Pulse width [s].
        """
        lines = [self.head.shared, "vdd vdd 0 {vdd}", self._row(0, t_pulse)]
        for c in range(len(v_store)):
            lines += [self._cell_line(0, c, f"cbl{c}", ""), f"vclamp{c} cbl{c} 0 {{v_pre}}", *self._integrator(str(c))]
        save = tuple(f"v(q{c})" for c in range(len(v_store)))
        return self._deck(lines, v_store[None, :], save, self.t_read, self._cell_options)

    def _clamp(self, c: str) -> list[str]:
        """Clamp of a bitline, ideal or through a resistor."""
        node = f"cl{c}" if self.clamp == "resistor" else f"cbl{c}"
        held = [f"vclamp{c} {node} 0 {{v_pre}}"]
        return held + ([f"rclamp{c} cbl{c} {node} {self.r_clamp!r}"] if self.clamp == "resistor" else [])

    @cached_property
    def times(self) -> Floats:
        """Times [s] of the charge waveforms, shape (n_times,): from before the pulses to the complete charge."""
        steps = np.arange(self.t_on, self.t_read, _COURSE_STEP)
        return np.unique(np.round([0.0, *steps, self.t_read], 15))

    def courses(self, waves: Waveforms, columns: int) -> Floats:
        """Charge [C] sunk from every bitline up to each of `times`, shape (columns, n_times), from saved `waves`."""
        integrals = [waves[f"v(q{c})"] for c in range(columns)]
        return np.array([_FARAD * (np.interp(self.times, waves["time"], w) - w[0]) for w in integrals])

    def charges(self, waves: Waveforms, columns: int) -> Floats:
        """Total charge [C] sunk from every bitline before the conversion, shape (columns,)."""
        return np.asarray(self.courses(waves, columns)[:, -1])

    def outputs(self, waves: Waveforms, column: int) -> tuple[dict[str, Floats], str]:
        """Measure one column: outputs, scalar, in SI units, and an empty reason; none and the reason if failed."""
        suffix = str(column)
        names = {f"v({n}{suffix})": f"v({n})" for n in self._nodes}
        own = {names[name]: wave for name, wave in waves.items() if name in names} | {"time": waves["time"]}
        return measure(self._bench.outputs, own, {**self.values, "t_start": 0.0})

    def excursion(self, waves: Waveforms, column: int) -> float:
        """Largest move of a bitline from its clamp voltage before the conversion [V], with its sign."""
        node = waves[f"v(bl{column})" if self.clamp == "passive" else f"v(cbl{column})"]
        during = (waves["time"] >= self.t_on) & (waves["time"] <= self.t_read)
        moved = node[during] - self["v_pre"]
        return float(moved[np.abs(moved).argmax()])

    @property
    def _bench(self) -> Bench:
        return load_circuit(self.operation.converter).bench(self.operation.bench)

    @property
    def _nodes(self) -> tuple[str, ...]:
        """Measured nodes of the converter, without the suffix of the column."""
        return tuple(vector[2:-1] for vector in self._bench.save)

    def _watched(self, c: str) -> tuple[str, ...]:
        line = () if self.clamp == "passive" else (f"cbl{c}",)
        return (*(f"{node}{c}" for node in self._nodes), f"q{c}", f"bl{c}", *line)

    def _row(self, r: int, t_pulse: float) -> str:
        suffix = f"d{r}" if self.r_wire else str(r)
        levels = self.head.row_levels.items()
        return "\n".join(
            f"v{node}{suffix} {node}{suffix} 0 {self._pulse(*ends, float(t_pulse))}" for node, ends in levels
        )

    def _pulse(self, low: str, high: str, t_pulse: float) -> str:
        """Text of a source that pulses between two levels; a pulse shorter than its edges does not reach the second."""
        if t_pulse <= 0:
            return low
        edge = self["t_edge"]
        height = min(t_pulse / edge, 1.0)
        rise, top = min(edge, t_pulse), max(edge, t_pulse)
        a, b = low.strip("{}"), high.strip("{}")
        peak = high if height == 1 else f"{{({a})+{height!r}*(({b})-({a}))}}"
        end = top + edge if height == 1 else 2 * t_pulse
        at = [f"{{{_T_ON}+{t!r}}}" for t in (rise, t_pulse, end)]
        flat = f"{at[0]} {peak} {at[1]} {peak}" if height == 1 else f"{at[0]} {peak}"
        return f"pwl(0 {low} {{{_T_ON}}} {low} {flat} {at[2]} {low})"

    def _cells(self, r: int, rows: int, columns: int) -> list[str]:
        lines: list[str] = []
        for c in range(columns):
            bitline, row = (f"b{r}_{c}", f"_{c}") if self.r_wire else (f"cbl{c}", "")
            lines.append(self._cell_line(r, c, bitline, row))
            if self.r_wire:
                after = f"b{r + 1}_{c}" if r + 1 < rows else f"cbl{c}"
                lines.append(f"rb{r}_{c} b{r}_{c} {after} {self.r_wire!r}")
                lines += [
                    f"r{n}{r}_{c} {self._before(n, r, c)} {n}{r}_{c} {self.r_wire!r}" for n in self.head.row_levels
                ]
                lines += [f"c{n}{r}_{c} {n}{r}_{c} 0 {self.c_wire!r}" for n in self.head.row_levels if self.c_wire]
            if self.c_wire:
                lines.append(f"cb{r}_{c} {bitline} 0 {self.c_wire!r}")
        return lines

    def _before(self, node: str, r: int, c: int) -> str:
        """Node of a row one wire segment closer to the driver."""
        return f"{node}{r}_{c - 1}" if c else f"{node}d{r}"

    def _cell_line(self, r: int, c: int, bitline: str, row: str) -> str:
        nodes = {node: f"{node}{r}{row}" for node in self.head.row_levels}
        return fill_line(self.head.cell_line, i=f"{r}_{c}", bl=bitline, **nodes)

    def _bias_line(self, b: str) -> str:
        return fill_line(self.operation.bias_line, b=b)

    def _converter_line(self, c: str, b: str) -> str:
        return fill_line(self.operation.converter_line, c=c, b=b)

    def _foot(self, c: str) -> list[str]:
        if self.clamp == "passive":
            held = [f"vclamp{c} bl{c} cbl{c} 0", *self._integrator(c, 1)]
        else:
            held = [*self._clamp(c), *self._integrator(c)]
            held += [f"fc{c} bl{c} 0 vclamp{c} -1", f"cbl{c} bl{c} 0 {{c_bl}}"]
        bias = "" if self.shared_bias else c
        own = [] if self.shared_bias else [self._bias_line(c)]
        return [*held, *own, self._converter_line(c, bias)]

    def _integrator(self, c: str, gain: int = -1) -> list[str]:
        """Integrator of the current from the clamp of a bitline into its cells, solved by the simulator."""
        return [f"fq{c} 0 q{c} vclamp{c} {gain}", f"cq{c} q{c} 0 {_FARAD!r}", f"rq{c} q{c} 0 1e15"]

    def _deck(
        self, lines: Sequence[str], v_store: Floats, save: tuple[str, ...], stop: float, options: Mapping[str, float]
    ) -> Deck:
        rows, columns = v_store.shape
        stored = {f"vs{r}_{c}": float(v_store[r, c]) for r in range(rows) for c in range(columns)}
        initial = {f"v(st{name[2:]})": value for name, value in stored.items()}
        technology = self._loaded
        given = {**technology.corner(self.corner), **numbers(self.values)}
        bench = Bench(
            name=self.operation.name,
            doc=self.operation.doc,
            stimulus="\n".join(lines),
            sweep={},
            analysis=Tran(stop=stop, max_step=200e-12),
            save=save,
            outputs=(),
            initial={f"v(st{name[2:]})": name for name in stored},
            options=options,
        )
        template = self._template(bench, [*given, *stored])
        return Deck(
            template=template,
            params={**given, **stored},
            analysis=Tran(stop=stop, max_step=200e-12),
            initial=initial,
        )

    @cached_property
    def _cell_options(self) -> Mapping[str, float]:
        cell = load_circuit(self.head.cell)
        return bench_options(cell, cell.bench(cell.model(self.head.sliced.active).bench), self._loaded)

    @cached_property
    def _converter_options(self) -> Mapping[str, float]:
        return bench_options(load_circuit(self.operation.converter), self._bench, self._loaded)

    def conversions(self, courses: Floats) -> Deck:
        """Return the deck of converters that are driven by charges over time.

        The waveform of a charge has a small effect: the leakage of the switches depends on the bitline voltage.

        Parameters
        ----------
        courses : ndarray, shape (converters, n_times)
            Charges [C] at `times`.
        """
        lines = [self.operation.controls, *([self._bias_line("")] if self.shared_bias else [])]
        for c, course in enumerate(courses):
            pairs = zip(self.times.tolist(), course.tolist(), strict=True)
            points = " ".join(f"{t!r} {q / _FARAD!r}" for t, q in pairs)
            bias = "" if self.shared_bias else str(c)
            lines += [] if self.shared_bias else [self._bias_line(bias)]
            lines += [
                self._converter_line(str(c), bias),
                f"cbl{c} bl{c} 0 {{c_bl}}",
                f"vq{c} q{c} 0 pwl({points})",
                f"cq{c} q{c} x{c} {_FARAD!r}",
                f"vx{c} x{c} 0 0",
                f"fx{c} bl{c} 0 vx{c} 1",
            ]
        save = tuple(f"v({node}{c})" for c in range(len(courses)) for node in self._nodes)
        return self._deck(lines, np.zeros((0, 0)), save, self["t_cycle"], self._converter_options)

    def _template(self, bench: Bench, declared: Sequence[str]) -> Template:
        technology = self._loaded
        both = load_netlist(self.head.cell) + load_netlist(self.operation.converter)
        return render(
            title=f"{self.head.name}.{self.operation.name}, {self.technology}, {self.temp:g} degC",
            netlist=both,
            library=technology.library(self.corner),
            bench=bench,
            choices=words(self.values),
            declared=declared,
            conditions=Conditions(temp=self.temp, options=bench.options),
        )
