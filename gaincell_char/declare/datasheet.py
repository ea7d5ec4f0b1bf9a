"""What the main job sweeps, fits and draws of a circuit, and what Monte Carlo measures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .arithmetic import evaluate_number
from .bench import Derived
from .datasets import Dataset
from .model import RandomModel
from .parameters import Numbers, Value
from .sweep_values import Grid


@dataclass(frozen=True, kw_only=True)
class Study:
    """One sweep of the main job: a bench, at which density, at which conditions.

    ``models`` names the models to fit: all of the bench's at one condition unless given.  ``own_sweep`` is whether
    the bench's own sweep is included.  A study that is ``optional`` runs only if all studies are asked for.
    """

    bench: str
    name: str = ""
    models: tuple[str, ...] | None = None
    sweep: Mapping[str, Grid] = field(default_factory=dict)
    corners: tuple[str, ...] = ("tt",)
    temps: tuple[float, ...] = (27.0,)
    fixed: Mapping[str, Value] = field(default_factory=dict)
    options: Mapping[str, float] = field(default_factory=dict)
    own_sweep: bool = True
    optional: bool = False

    @property
    def key(self) -> str:
        """Name of the study's dataset and record: the bench's, unless it has one of its own."""
        return self.name or self.bench


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One picture of the datasheet: an output against x, one line per value of `group_by`, models on top.

    ``at`` picks values of other dimensions: numbers, or SPICE expressions of the parameters.  `models` are drawn left
    to right.  A picture with an ``overview_position`` is part of the overview sheet, in the order of these letters.
    """

    study: str
    output: str
    x: str
    title: str
    group_by: str = ""
    models: tuple[str, ...] = ()
    at: Mapping[str, float | str] = field(default_factory=dict)
    log_x: bool = False
    lines: int = 10
    overview_position: str = ""

    def at_values(self, params: Numbers) -> dict[str, float]:
        """Value [SI unit] of every dimension that ``at`` picks."""
        return {name: evaluate_number(value, params, f"picture {self.title}") for name, value in self.at.items()}


@dataclass(frozen=True)
class Merit:
    """A figure of merit: one number a designer compares circuits by.

    With ``along`` it is a place on that dimension of the study: infinite where that lies beyond its last value, minus
    infinite where it lies before its first.
    """

    name: str
    unit: str
    doc: str
    study: str
    compute: Callable[[Dataset, Numbers], float]
    along: str = ""


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
