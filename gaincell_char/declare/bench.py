"""What a bench declares: stimulus, analysis, and what is measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ParameterError
from .arithmetic import evaluate_number
from .datasets import DataArray, Dataset
from .parameters import Numbers as Numbers
from .parameters import Params
from .sweep_values import Floats as Floats
from .sweep_values import Grid as Grid

Waveforms = Mapping[str, Floats]
"""Vector name as saved, lower case (``"time"``, ``"v(out)"``, ``"i(vsupply)"``) -> samples."""


Measure = Callable[[Waveforms, Mapping[str, Any]], Any]
"""Waveforms and parameters -> a number, or one per value of the bench's curve, in the unit of the output."""


@dataclass(frozen=True, kw_only=True)
class Op:
    """A DC operating point."""

    def commands(self) -> tuple[str, ...]:
        """Ngspice command line."""
        return ("op",)

    def at(self, _: Numbers) -> "Op":
        """Return the analysis at given parameters: an operating point has none."""
        return self

    def scaled(self, _: float) -> "Op":
        """Return the analysis with other steps: an operating point has none."""
        return self


@dataclass(frozen=True, kw_only=True)
class Tran:
    """A transient from 0 to `stop` with steps of at most `max_step` [s]: numbers, or SPICE expressions of parameters.

    The first step is a tenth of `start_step`, which is `max_step` if not given.
    """

    stop: float | str
    max_step: float | str
    start_step: float | str = 0.0

    def commands(self) -> tuple[str, ...]:
        """Ngspice command line of a transient whose times are numbers."""
        return (f"tran {self.start_step or self.max_step!r} {self.stop!r} 0 {self.max_step!r}",)

    def at(self, params: Numbers) -> "Tran":
        """Return the transient with numbers in the place of expressions."""
        stop, max_step, start_step = (
            evaluate_number(value, params, "time of a transient")
            for value in (self.stop, self.max_step, self.start_step)
        )
        return Tran(stop=stop, max_step=max_step, start_step=start_step)

    def scaled(self, factor: float) -> "Tran":
        """Return a transient whose times are numbers with other steps."""
        return Tran(stop=self.stop, max_step=float(self.max_step) * factor, start_step=float(self.start_step) * factor)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Small-signal noise at the operating point, between two frequencies [Hz]: numbers, or SPICE expressions.

    The vectors are ``frequency`` [Hz], and for each node the two spectra of `density`.

    Attributes
    ----------
    nodes : mapping of str to str
        Node ``v(node)`` -> source with an AC value of 1, from which its gain is measured.
    start, stop : float or str
        First and last frequency.
    points : float
        Frequencies per decade.
    """

    nodes: Mapping[str, str]
    start: float | str
    stop: float | str
    points: float = 10.0

    def commands(self) -> tuple[str, ...]:
        """Ngspice command line for each node, if the frequencies are numbers."""
        span = f"{round(self.points)} {self.start!r} {self.stop!r}"
        return tuple(f"noise {node} {source} dec {span}" for node, source in self.nodes.items())

    def at(self, params: Numbers) -> "Noise":
        """Return the analysis with numbers in the place of expressions."""
        start, stop = (evaluate_number(f, params, "frequency of a noise analysis") for f in (self.start, self.stop))
        return replace(self, start=start, stop=stop)

    def scaled(self, factor: float) -> "Noise":
        """Return the analysis with steps of frequency larger by a factor."""
        return replace(self, points=self.points / factor)


def density(node: str, *, at_source: bool = False) -> str:
    """Name of the vector with the noise density of a node, or of that noise referred to its source [V/sqrt(Hz)]."""
    return f"{'inoise' if at_source else 'onoise'} {node}"


Analysis = Op | Tran | Noise


@dataclass(frozen=True, kw_only=True)
class Output:
    """One measured quantity: a number per run, or one per value of the bench's curve.

    ``measure(waveforms, parameters)`` returns shape ``()``, or ``(n_curve,)``.  ``full_scale`` is what an
    error of it is compared with, a parameter's name or a number; the output's largest size unless given.
    No circuit of this kind exceeds ``plausible_max`` [unit]; the units of measured tables are checked with this limit.
    """

    name: str
    unit: str
    doc: str
    measure: Measure
    full_scale: str | float = ""
    plausible_max: float = float("inf")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The inner dimension of a bench whose outputs are curves; `measure` receives its values by name."""

    name: str
    unit: str
    doc: str
    values: Grid
    low: float = 0.0
    high: float = float("inf")


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A quantity computed from the finished dataset: ``along`` is the dimension it uses up.

    ``compute(dataset)`` returns an array with the other dimensions; it is left out where `along` was not swept.  In
    Monte Carlo the attributes of the dataset are the numbers among the parameters that were not swept.  With
    ``censored`` it is a place on that dimension: infinite where that lies beyond the last value that was swept, minus
    infinite where it lies before the first.
    """

    name: str
    unit: str
    doc: str
    along: str
    compute: Callable[[Dataset], DataArray]
    censored: bool = False


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Stimulus, analysis and measurement that turn a circuit into data.

    Attributes
    ----------
    stimulus : str
        SPICE text: sources and the device under test; ``{name}`` is any parameter.
    params : Params
        What the stimulus adds to the circuit's own parameters.
    sweep : mapping of str to Grid
        Parameters swept by default, in the order of the dimensions of the dataset.
    analysis : Op, Tran or Noise
        Times may be SPICE expressions of the parameters; a bench with a curve called ``time`` also has ``time_start``
        and ``time_stop``, the ends of its values.
    save : tuple of str
        Vectors the outputs are measured from; none for a noise analysis, which names its nodes itself.
    initial : mapping of str to str
        Node voltage -> parameter: an ``.ic`` line, asserted at t = 0 in every result.
    options : mapping of str to float
        Simulator options; every run checks them against tolerances a hundred times tighter.
    curve : Curve, optional
        The inner dimension, if outputs are curves.
    derived : tuple of Derived
        What follows from the outputs along a swept dimension.
    requires : mapping of str to str
        SPICE expression of the parameters that must not be negative -> what is wrong if it is.
    """

    name: str
    doc: str
    stimulus: str
    sweep: Mapping[str, Grid]
    analysis: Analysis
    save: tuple[str, ...]
    outputs: tuple[Output, ...]
    params: Params = field(default_factory=Params)
    initial: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, float] = field(default_factory=dict)
    curve: Curve | None = None
    derived: tuple[Derived, ...] = ()
    requires: Mapping[str, str] = field(default_factory=dict)

    def output(self, name: str) -> Output:
        """Return the output called `name`.

        Raises
        ------
        ParameterError
            If there is none of that name.
        """
        for output in self.outputs:
            if output.name == name:
                return output
        have = ", ".join(output.name for output in self.outputs)
        raise ParameterError(f"bench {self.name} has no output {name!r}; have {have}")

    def check_values(self, params: Numbers) -> None:
        """Raise `ParameterError` if the values of the parameters break a rule of ``requires``."""
        for expression, fault in self.requires.items():
            value = evaluate_number(expression, params, f"bench {self.name}")
            if value < 0:
                raise ParameterError(f"bench {self.name}: {fault} ({expression} = {value:g} is negative)")
