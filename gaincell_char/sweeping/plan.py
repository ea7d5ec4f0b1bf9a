"""Circuit, bench, technology and conditions -> every point to simulate, checked before the first one runs."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..declare.bench import Bench
from ..declare.circuit import Circuit
from ..declare.parameters import Choice, Number, Params, Value, Values, numbers, words
from ..declare.sweep_values import Floats, Grid
from ..errors import ParameterError, TechnologyError
from ..spice.deck import Conditions, Deck, Template, render
from ..spice.netlist import Netlist
from ..spice.simulator_options import TOLERANCES, check_options
from ..technology.schema import Technology
from .arguments import check_list, check_mapping, check_number, check_values, refusal
from .axes import CONDITIONS, distinct
from .grid_request import lay_out_grid
from .identity import digest

_MOST_POINTS = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run: where it lies in the grid, the value of every parameter, and its deck."""

    index: tuple[int, ...]
    where: Values
    values: Mapping[str, Any]
    deck: Deck


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """A grid of runs of one bench.

    Attributes
    ----------
    sweep : mapping of str to tuple
        Swept parameter -> values; the order is that of the dataset's dimensions.
    curve : ndarray, shape (n_curve,)
        Values of the bench's curve, in SI units; empty if it has none.
    fixed : mapping
        Value of every parameter that is the same at all points, defaults included.
    given : mapping
        What of `fixed` differs from the defaults on purpose.
    max_step : float
        Factor on the largest step of the bench's transient, and on the steps in frequency of its noise analysis.
    """

    circuit: Circuit
    bench: Bench
    technology: Technology
    netlist: Netlist
    sweep: Mapping[str, tuple[Value, ...]]
    curve: Floats
    corners: tuple[str, ...]
    temps: tuple[float, ...]
    fixed: Values
    given: Values
    options: Mapping[str, float]
    max_step: float = 1.0

    @property
    def dims(self) -> dict[str, tuple[Value, ...]]:
        """Dimension -> its values."""
        return {"corner": self.corners, "temp": self.temps, **self.sweep}

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each dimension."""
        return tuple(len(values) for values in self.dims.values())

    @property
    def size(self) -> int:
        """Number of runs."""
        return math.prod(self.shape)

    @cached_property
    def params(self) -> Params:
        """Every parameter of the deck."""
        return self.circuit.params | self.bench.params

    @cached_property
    def digest(self) -> str:
        """Hash of the request and the declarations, without the simulator and the source files."""
        asked = (self.dims, self.curve, self.fixed, self.given, self.options, self.max_step)
        return digest(self.circuit.name, self.params, self.bench, self.technology.digest, self.netlist, asked)

    def full_scale(self, output: str, values: Floats) -> float:
        """Full scale of an output: the declared one, or the largest absolute value.

        `values` has any shape; both are in the SI unit of the output.  A full scale that is a swept parameter is its
        default.
        """
        declared = self.bench.output(output).full_scale
        if not declared:
            return float(np.nanmax(np.abs(values)))
        known = numbers({**self._resolve({}), **self.fixed})
        return known[declared] if isinstance(declared, str) else declared

    def tightened(self, tighter: float) -> "SweepPlan":
        """Return the same plan with tolerances `tighter` times tighter and gmin a thousand times smaller.

        The largest step changes with the square root, since the error of the trapezoidal rule is proportional to the
        square of the step.
        """
        factor = {**dict.fromkeys(TOLERANCES, tighter), "gmin": 1000.0}
        options = {name: value / factor.get(name, 1.0) for name, value in self.options.items()}
        return replace(self, options=options, max_step=self.max_step / math.sqrt(tighter))

    def points(self) -> Iterator[Point]:
        """Every run, in the order of the dataset."""
        for index in np.ndindex(self.shape):
            yield self.point(index)

    def point(self, index: tuple[int, ...]) -> Point:
        """Return the run at `index` of the grid."""
        where = {name: values[i] for (name, values), i in zip(self.dims.items(), index, strict=True)}
        values = self._resolve({name: value for name, value in where.items() if name not in CONDITIONS})
        given, corner = numbers(values), str(where["corner"])
        process = self.technology.corner(corner)
        self.bench.check_values(given)
        analysis = self.bench.analysis.at({**given, **self._curve_span()}).scaled(self.max_step)
        template = self._templates[self._key(corner, float(where["temp"]), words(values))]
        initial = {node: given[name] for node, name in self.bench.initial.items()}
        deck = Deck(template=template, params={**process, **given}, analysis=analysis, initial=initial)
        measured = {**values, **({self.bench.curve.name: self.curve} if self.bench.curve else {})}
        return Point(index=index, where=where, values=measured, deck=deck)

    def check(self) -> None:
        """Raise `ParameterError` if the grid is too large, or a value in it out of range or no flavour there is."""
        if self.size > _MOST_POINTS:
            raise ParameterError(f"the grid has {self.size} points; the maximum is {_MOST_POINTS}")
        flavours = [n for n, p in self.params.items() if isinstance(p, Choice) and not p.options]
        chosen = [(name, str(value)) for name in flavours for value in self.sweep.get(name) or (self.fixed[name],)]
        self.technology.check_flavours(self.circuit.name, chosen)
        for values in itertools.product(*self.sweep.values()):
            self._resolve(dict(zip(self.sweep, values, strict=True)))

    def check_decks(self) -> None:
        """Raise `NetlistError` if a deck of the grid lacks a device of the technology, or cannot be written."""
        _ = self._templates

    def _resolve(self, swept: Values) -> dict[str, Value]:
        given = {name: value for name, value in self.given.items() if name not in swept}
        return self.params.resolve({**given, **swept})

    def _curve_span(self) -> dict[str, float]:
        if self.bench.curve is None:
            return {}
        name = self.bench.curve.name
        return {f"{name}_start": float(self.curve.min()), f"{name}_stop": float(self.curve.max())}

    @cached_property
    def _templates(self) -> Mapping[tuple[Value, ...], Template]:
        """Template of every combination of corner, temperature and words."""
        swept = {name: values for name, values in self.sweep.items() if isinstance(self.params[name], Choice)}
        first = {name: values[0] for name, values in self.sweep.items()}
        found: dict[tuple[Value, ...], Template] = {}
        for corner, temp, *others in itertools.product(self.corners, self.temps, *swept.values()):
            chosen = words(self._resolve({**first, **dict(zip(swept, others, strict=True))}))
            key = self._key(str(corner), float(temp), chosen)
            if key not in found:
                found[key] = self._template(str(corner), float(temp), chosen)
        return found

    def _key(self, corner: str, temp: float, chosen: Mapping[str, str]) -> tuple[Value, ...]:
        """What a template depends on: where a technology has no library per corner, corners are numbers alone."""
        return (corner if self.technology.libraries else "", temp, *chosen.values())

    def _template(self, corner: str, temp: float, chosen: Mapping[str, str]) -> Template:
        numbers_of = (name for name, parameter in self.params.items() if isinstance(parameter, Number))
        return render(
            title=f"{self.circuit.name}.{self.bench.name}, {self.technology.name}, {temp:g} degC",
            netlist=self.netlist,
            library=self.technology.library(corner),
            bench=self.bench,
            choices=chosen,
            declared=[*self.technology.process, *numbers_of],
            asked=self._asked(),
            conditions=Conditions(temp=temp, options=self.options),
        )

    def _asked(self) -> set[str]:
        """Names that a corner or the request sets in the subcircuit."""
        sizes = self.technology.sizes(self.circuit.name, self.params)
        given = {*self.sweep, *(name for name, value in self.given.items() if value != sizes.get(name))}
        return {*self.technology.process, *(name for name in given if name in self.circuit.params)}


def make_plan(
    circuit: Circuit,
    bench: str,
    technology: Technology,
    netlist: Netlist,
    *,
    sweep: Mapping[str, Grid] | None = None,
    own_sweep: bool = True,
    corners: Sequence[str] = ("tt",),
    temps: Sequence[float] = (27.0,),
    set_: Values | None = None,
    options: Mapping[str, float] | None = None,
) -> SweepPlan:
    """Check a request and lay out its grid.

    Parameters
    ----------
    circuit : Circuit
        Declaration of the circuit.
    bench : str
        Name of one of its benches.
    technology : Technology
        Wrapper devices, corners and sizes.
    netlist : Netlist
        Subcircuit of the circuit.
    sweep : mapping of str to Grid, optional
        Values of swept parameters, in SI units: they replace or extend the bench's own sweep.  The bench's curve is
        given by its name.
    own_sweep : bool
        Whether the bench's own sweep is included.
    corners : sequence of str
        Process corners.
    temps : sequence of float
        Temperatures [degC].
    set_ : mapping, optional
        Values of other parameters, in SI units; a parameter that is set is not swept.
    options : mapping, optional
        Simulator options; they replace those of the bench and of the technology.

    Raises
    ------
    ParameterError
        If a name is unknown, a value has the wrong type or is out of range, or a sweep is empty or repeats a value.
    """
    chosen = circuit.bench(bench)
    wanted, held = check_mapping("sweep", sweep), check_values("set_", set_)
    if both := wanted.keys() & held.keys():
        raise ParameterError(f"{', '.join(sorted(both))}: both swept and set")
    plan = SweepPlan(
        circuit=circuit,
        bench=chosen,
        technology=technology,
        netlist=netlist,
        corners=_corners(technology, corners),
        temps=_temps(technology, temps),
        options={**bench_options(circuit, chosen, technology), **check_options(check_values("options", options))},
        **lay_out_grid(circuit, chosen, technology, wanted, held, own_sweep=own_sweep),
    )
    plan.check()
    return plan


def _corners(technology: Technology, corners: Sequence[str]) -> tuple[str, ...]:
    names = check_list("corners", corners)
    for corner in names:
        if not isinstance(corner, str):
            raise refusal("one of corners", corner, "a name")
        technology.corner(corner)
    return distinct("corner", names)


def _temps(technology: Technology, temps: Sequence[float]) -> tuple[float, ...]:
    numbers = [check_number("one of temps", temp) for temp in check_list("temps", temps)]
    return distinct("temp", list(map(technology.check_temp, numbers)))


def bench_options(circuit: Circuit, bench: Bench, technology: Technology) -> dict[str, float]:
    """Simulator options of a `bench` of a `circuit`, of which those that the `technology` states replace its own.

    Raises
    ------
    TechnologyError
        If an option of the technology is unknown or out of range.
    """
    try:
        from_technology = check_options(technology.options.get(circuit.name, {}))
    except ParameterError as error:
        raise TechnologyError(f"technology {technology.name}, [options.{circuit.name}]: {error}") from None
    return {**bench.options, **from_technology}
