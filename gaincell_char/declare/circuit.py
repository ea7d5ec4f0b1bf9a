"""What a file in ``circuits/`` declares: data and formulas, no behaviour."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from .macro_model import Macro
from .parameters import Params, Value

T = TypeVar("T")
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
    compute: Callable[[Any], Any]
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
        return _named(self.outputs, [o.name for o in self.outputs], name, f"bench {self.name} has no output")


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """A keyword argument of a model function.

    ``start`` is where the optimiser begins: a number, or a function of the bench's parameters.
    ``scale`` is its typical size, if that is not the size of its start.  A fixed coefficient is given,
    not fitted.
    """

    unit: str
    doc: str
    start: float | Callable[[Numbers], float]
    low: float = -np.inf
    high: float = np.inf
    scale: float = 0.0
    fixed: bool = False


@dataclass(frozen=True, kw_only=True)
class Model:
    """A behavioural model: one elementwise function and what its arguments mean.

    Attributes
    ----------
    function : callable
        ``function(*inputs, *, **coefficients) -> output``, elementwise on NumPy arrays and torch tensors.
    form : {"paper", "best"}
        The published form, or the best one known to us.
    equation : str
        The formula as a reader would write it.
    held_at : callable, optional
        Parameters -> value of those swept parameters that are not inputs (``{"bias": 0.9}``).
    linear : bool
        The function is linear in every coefficient that is not fixed.
    """

    name: str
    form: str
    bench: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    output: str
    equation: str
    coefficients: Mapping[str, Coefficient]
    held_at: Callable[[Numbers], dict[str, float]] = lambda _: {}
    linear: bool = False


@dataclass(frozen=True, kw_only=True)
class Study:
    """One sweep of the main job: a bench, at which density, at which conditions.

    ``models`` names the models to fit: all of the bench's unless given.
    """

    bench: str
    name: str = ""
    models: tuple[str, ...] | None = None
    sweep: Mapping[str, Grid] = field(default_factory=dict)
    corners: tuple[str, ...] = ("tt",)
    temps: tuple[float, ...] = (27.0,)
    fixed: Mapping[str, Value] = field(default_factory=dict)
    options: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name of the study's dataset and record: the bench's, unless it has one of its own."""
        return self.name or self.bench


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One picture of the datasheet: an output against x, one line per value of `group_by`, models on top.

    ``at`` picks values of other dimensions; `models` are drawn left to right as paper form, best form.  A picture
    with a ``overview_position`` stands on the overview sheet, in the order of these letters.
    """

    study: str
    output: str
    x: str
    title: str
    group_by: str = ""
    models: tuple[str, ...] = ()
    at: Callable[[Numbers], dict[str, float]] = lambda _: {}
    log_x: bool = False
    lines: int = 10
    overview_position: str = ""


@dataclass(frozen=True, kw_only=True)
class Merit:
    """A figure of merit: one number a designer compares circuits by.

    With ``along`` it is a place on that dimension of the study, and infinite where that lies beyond its last value.
    """

    name: str
    unit: str
    doc: str
    study: str
    compute: Callable[[Any, Numbers], float]
    along: str = ""


@dataclass(frozen=True, kw_only=True)
class RandomModel:
    """How one copy of a circuit differs from the typical one: a model with a few random coefficients.

    Attributes
    ----------
    nominal : str
        Model of the typical circuit; its coefficients are arguments of `function`, too.
    function : callable
        ``function(*inputs, **random, **nominal)``; with every random coefficient at 0 it is the nominal model.
    random : mapping of str to Coefficient
        Normal random numbers of mean 0; ``scale`` is the size of a small change of each.
    estimation_mask : callable
        Inputs -> where its coefficients can be read off a sample: where the function is smooth in them.
    """

    name: str
    nominal: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    output: str
    equation: str
    random: Mapping[str, Coefficient]
    estimation_mask: Callable[..., Any] = lambda *inputs: inputs[0] == inputs[0]


@dataclass(frozen=True, kw_only=True)
class MonteCarloBench:
    """What Monte Carlo of a bench measures: the grid of every sample, and what is computed from it.

    ``features`` are numbers per sample, computed along a dimension of the grid; the picture of the campaign
    draws ``output`` over ``x``.
    """

    bench: str
    sweep: Mapping[str, Grid]
    x: str
    output: str
    features: tuple[Derived, ...] = ()
    models: tuple[RandomModel, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """A circuit under test; ``name`` is also its file name in ``circuits/`` and ``netlists/``."""

    name: str
    title: str
    params: Params
    benches: tuple[Bench, ...]
    models: tuple[Model, ...]
    studies: tuple[Study, ...]
    figures: tuple[Figure, ...] = ()
    merits: tuple[Merit, ...] = ()
    spreads: tuple[MonteCarloBench, ...] = ()
    macros: tuple[Macro, ...] = ()

    def spread(self, bench: str) -> MonteCarloBench | None:
        """Return what Monte Carlo of a bench measures, if that is declared."""
        return next((spread for spread in self.spreads if spread.bench == bench), None)

    def bench(self, name: str) -> Bench:
        """Return the bench called `name`."""
        return _named(self.benches, [b.name for b in self.benches], name, f"{self.name} has no bench")

    def model(self, name: str) -> Model:
        """Return the model called `name`."""
        return _named(self.models, [m.name for m in self.models], name, f"{self.name} has no model")


def _named(items: Sequence[T], names: Sequence[str], name: str, missing: str) -> T:
    if name not in names:
        raise ParameterError(f"{missing} {name!r}; have {', '.join(names)}")
    return items[names.index(name)]
