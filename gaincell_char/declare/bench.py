"""What a bench declares: stimulus, analysis, and what is measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from .datasets import DataArray, Dataset
from .parameters import Params, Value

Floats = NDArray[np.float64]
Waveforms = Mapping[str, Floats]
"""Vector name as saved, lower case (``"time"``, ``"v(out)"``, ``"i(vsupply)"``) -> samples."""
Numbers = Mapping[str, float]
"""Numeric parameter name -> value."""


@dataclass(frozen=True)
class Flavours:
    """Flavours of the technology, for a sweep: those of ``only`` that it has, or all of them."""

    only: tuple[str, ...] = ()

    def of(self, have: Sequence[str]) -> tuple[str, ...]:
        """Choose from those that a technology has."""
        return tuple(name for name in self.only if name in have) or tuple(have)


Grid = Sequence[Value] | Callable[[Numbers], Sequence[float] | Floats] | Flavours
"""Values of a sweep: given, computed from the other parameters, or flavours of the technology."""


@dataclass(frozen=True, kw_only=True)
class Op:
    """A DC operating point."""

    def command(self) -> str:
        """Ngspice command line."""
        return "op"


@dataclass(frozen=True, kw_only=True)
class Tran:
    """A transient from 0 to `stop` with steps of at most `max_step` [s].

    The first step is a tenth of `start_step`, which is `max_step` if not given.
    """

    stop: float
    max_step: float
    start_step: float = 0.0

    def command(self) -> str:
        """Ngspice command line."""
        return f"tran {self.start_step or self.max_step!r} {self.stop!r} 0 {self.max_step!r}"

    def scaled(self, factor: float) -> "Tran":
        """Return the same transient with other steps."""
        return Tran(stop=self.stop, max_step=self.max_step * factor, start_step=self.start_step * factor)


Analysis = Op | Tran


@dataclass(frozen=True, kw_only=True)
class Output:
    """One measured quantity: a number per run, or one per value of the bench's curve.

    ``measure(waveforms, parameters)`` returns shape ``()``, or ``(n_curve,)``.  ``full_scale`` is what an
    error of it is compared with, a parameter's name or a number; the output's largest size unless given.
    No circuit of this kind gives more than ``plausible_max`` [unit]: what a foreign table's unit is checked against.
    """

    name: str
    unit: str
    doc: str
    measure: Callable[[Waveforms, Mapping[str, Any]], Any]
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

    ``compute(dataset)`` returns an array with the other dimensions; it is left out where `along` was not swept.  With
    ``censored`` it is a place on that dimension, and infinite where that lies beyond the last value that was swept.
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
        Parameters swept unless the user says otherwise: the order is that of the dataset's dimensions.
    analysis : callable
        Parameters -> `Op` or `Tran`.
    save : tuple of str
        Vectors the outputs are measured from.
    initial : mapping of str to str
        Node voltage -> parameter: an ``.ic`` line, asserted at t = 0 in every result.
    options : mapping of str to float
        Simulator options; every run checks them against tolerances a hundred times tighter.
    curve : Curve, optional
        The inner dimension, if outputs are curves.
    derived : tuple of Derived
        What follows from the outputs along a swept dimension.
    """

    name: str
    doc: str
    stimulus: str
    sweep: Mapping[str, Grid]
    analysis: Callable[[Numbers], Analysis]
    save: tuple[str, ...]
    outputs: tuple[Output, ...]
    params: Params = field(default_factory=Params)
    initial: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, float] = field(default_factory=dict)
    curve: Curve | None = None
    derived: tuple[Derived, ...] = ()

    def output(self, name: str) -> Output:
        """Return the output called `name`."""
        for output in self.outputs:
            if output.name == name:
                return output
        have = ", ".join(output.name for output in self.outputs)
        raise ParameterError(f"bench {self.name} has no output {name!r}; have {have}")
