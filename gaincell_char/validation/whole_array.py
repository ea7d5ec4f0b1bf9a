"""Decks of a whole array with its periphery: row drivers, wires and supply with a resistance."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..declare.bench import Floats
from ..declare.periphery import FINITE, Periphery
from ..errors import ParameterError
from ..spice.deck import Deck
from .array_netlist import ArrayCircuit

# Three times as fast as with the tolerance of a cell; the charges of 16 columns of 16 cells change by at most 0.03 fC.
_OPTIONS = {"reltol": 1e-3}
_SMALLEST_OHMS = 1e-9


@dataclass(frozen=True, kw_only=True)
class WholeArrayCircuit(ArrayCircuit):
    """SPICE circuit of one operation of a head, with a `periphery`; the other attributes are those of `ArrayCircuit`.

    Raises
    ------
    ParameterError
        If the bitlines have no clamp, or `r_wire` is given, too.
    """

    periphery: Periphery = FINITE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.clamp == "passive":
            raise ParameterError("a finite periphery needs a clamp; choose clamp ideal or resistor")
        if self.r_wire:
            raise ParameterError("r_wire has no effect here: the periphery specifies the wires")

    def _typical_decks(self, v_store: Floats, t_pulse: Floats) -> list[Deck]:
        return [self.array(v_store, t_pulse, [0]), self.conversions(0 * self.times[None, :])]

    def array(self, v_store: Floats, t_pulse: Floats, wired: Sequence[int]) -> Deck:
        """Return the deck of a whole array with its periphery, without converters.

        The clamps copy the currents of the bitlines onto the converters, which therefore have no effect on the array.

        Parameters
        ----------
        v_store : ndarray, shape (rows, columns)
            Stored voltages [V].
        t_pulse : ndarray, shape (rows,)
            Pulse widths [s].
        wired : sequence of int
            Columns whose bitline has the resistance of its wire; the others load the rows only.
        """
        rows, columns = v_store.shape
        lines = [self.head.shared, "vdd vdd 0 {vdd}", f"rsag sag 0 {max(self.periphery.r_supply, _SMALLEST_OHMS)!r}"]
        lines += [line for r, t in enumerate(t_pulse) for line in self._driven_row(r, float(t))]
        lines += [line for c in range(columns) for line in self._wired_column(c, rows, wired=c in wired)]
        save = tuple(f"v(q{c})" for c in range(columns))
        return self._deck(lines, v_store, save, self.t_read, {**self._cell_options, **_OPTIONS})

    def _driven_row(self, r: int, t_pulse: float) -> list[str]:
        """Sources of one row, behind the resistances of supply and drivers; v(sag) is the sag of the supply."""
        lines = []
        for node, (idle, active) in self.head.row_levels.items():
            lines.append(f"vl{node}{r} l{node}{r} 0 {self._pulse(idle, active, t_pulse)}")
            at_supply = active == "{vdd}"
            if at_supply:
                lines += [
                    f"va{node}{r} a{node}{r} 0 {self._pulse('0', '{1}', t_pulse)}",
                    f"bl{node}{r} s{node}{r} 0 v=v(l{node}{r})-v(a{node}{r})*v(sag)",
                    f"vm{node}{r} s{node}{r} m{node}{r} 0",
                    f"fm{node}{r} 0 sag vm{node}{r} 1",
                ]
            source = f"m{node}{r}" if at_supply else f"l{node}{r}"
            lines.append(_resistor(f"d{node}{r}", source, f"{node}d{r}", self.periphery.r_driver))
        return lines

    def _wired_column(self, c: int, rows: int, *, wired: bool) -> list[str]:
        """Cells of one column, each with its segments of the word lines, and an ideal clamp or a resistor."""
        r_wire, lines = self.periphery.r_wire, list[str]()
        for r in range(rows):
            bitline = f"b{r}_{c}" if wired else f"cbl{c}"
            lines.append(self._cell_line(r, c, bitline, f"_{c}"))
            for node in self.head.row_levels:
                lines.append(_resistor(f"{node}{r}_{c}", self._before(node, r, c), f"{node}{r}_{c}", r_wire))
                lines += [f"c{node}{r}_{c} {node}{r}_{c} 0 {self.c_wire!r}"] if self.c_wire else []
            if wired:
                after = f"b{r + 1}_{c}" if r + 1 < rows else f"cbl{c}"
                lines.append(_resistor(f"b{r}_{c}", bitline, after, r_wire))
                lines += [f"cb{r}_{c} {bitline} 0 {self.c_wire!r}"] if self.c_wire else []
        return [*lines, *self._clamp(str(c)), *self._integrator(str(c))]


def _resistor(name: str, a: str, b: str, ohms: float) -> str:
    """Line of a resistor; one of zero ohms is a source of 0 V."""
    return f"r{name} {a} {b} {ohms!r}" if ohms else f"vr{name} {a} {b} 0"
