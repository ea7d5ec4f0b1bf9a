"""Figures of merit and curves that are computed from the records of a technology, to compare technologies by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .bench import Floats


class Evidence(Protocol):
    """What the records of a technology state about one circuit.

    Every method raises `DataError` if the records lack what is asked for; the message names it.  If a substitute is
    lacking, too, its error is raised from the first one, and both are told.  ``conditions`` are those of a fit:
    ``corner="tt", temp=27.0``.
    """

    def parameter(self, study: str, name: str) -> float:
        """Value [SI unit] of the parameter called `name`, which was not swept in a `study`."""

    def model(self, study: str, model: str, /, **conditions: float | str) -> Callable[..., Any]:
        """Function of the inputs [SI units] of a `model` fitted in a `study` at `conditions`, elementwise."""

    def coefficient(self, study: str, model: str, name: str, /, **conditions: float | str) -> float:
        """Value [its unit] of the coefficient called `name` of a `model` fitted in a `study` at `conditions`."""

    def valid_range(self, study: str, model: str, name: str, /, **conditions: float | str) -> tuple[float, float]:
        """Ends [SI unit] of the valid range of the input called `name` of a `model` of a `study` at `conditions`."""

    def error(self, study: str, model: str, /, **conditions: float | str) -> float:
        """Stated rms error of a `model` of a `study` at `conditions`, as a fraction of full range [dimensionless]."""

    def spread(self, bench: str, model: str, *inputs: float) -> float:
        """Sigma of the output of a random `model` under mismatch [unit of the output] at `inputs` [SI units].

        It is from a Monte Carlo campaign of the `bench`.
        """

    def combined_spread(self, bench: str, model: str, weights: Mapping[str, float]) -> float:
        """Sigma under mismatch of a sum of the random numbers of a random `model` of a `bench`, each times its weight.

        `weights` maps names to factors; the result is in the unit of the products.  As `spread` otherwise.
        """

    def points(self, study: str) -> Mapping[str, Any]:
        """Simulated points of a `study`, if the folder of the run has them: column -> values [SI], shape (n_points,).

        ``corner`` and ``temp`` are among the columns.
        """


@dataclass(frozen=True, kw_only=True)
class RecordMerit:
    """A figure of merit of a circuit in a technology, computed from records.

    Attributes
    ----------
    name, unit : str
        Name, and unit of the value.
    doc : str
        What it is, and its conditions; corner tt and 27 degC go without saying.
    compute : callable
        Evidence -> value, in `unit`; infinite if it is beyond the end of what was simulated.
    end : callable, optional
        Evidence -> this end, in `unit`; needed if the value may be infinite.
    key : bool
        Whether it is in the summary.
    """

    name: str
    unit: str
    doc: str
    compute: Callable[[Evidence], float]
    end: Callable[[Evidence], float] | None = None
    key: bool = False


@dataclass(frozen=True, kw_only=True)
class CurveAxis:
    """Axis of a picture of curves: description and unit, for values in SI units."""

    doc: str
    unit: str
    log: bool = False


@dataclass(frozen=True, kw_only=True)
class RecordCurves:
    """A picture that compares technologies: one colour for each, and one line style for each of the ``lines``.

    Attributes
    ----------
    name, title : str
        Name of the file, and title.
    lines : mapping of str to callable
        Label, empty for a single line -> function of the evidence that returns x and y, each of shape (n_points,), in
        the units of the axes.
    limit : float, optional
        A level of y that is drawn as a line, with the label ``limit_doc``.
    """

    name: str
    title: str
    x: CurveAxis
    y: CurveAxis
    lines: Mapping[str, Callable[[Evidence], tuple[Floats, Floats]]]
    limit: float | None = None
    limit_doc: str = ""
