"""What a picture shows: a declaration and a study -> lines of points, model curves, errors.  Draws nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..declare.bench import Floats, Numbers
from ..declare.datasheet import Figure
from ..declare.model import Model
from ..declare.parameters import Value, numbers
from ..errors import ParameterError
from ..fitting.fit import Fit, held_out
from ..fitting.points import select
from ..storage.flat import flat
from ..workflows.characterize_all import CircuitResult, StudyResult
from . import text

_CURVE_POINTS = 241
_MOST_LINES = 12
_FLATTEST = 0.4


@dataclass(frozen=True, kw_only=True)
class AxisQuantity:
    """What an axis stands for."""

    name: str
    unit: str
    doc: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """Simulated points at one value of the picture's family, and each model's curve or None."""

    value: Value | None
    x: Floats
    y: Floats
    curve_x: Floats
    curves: tuple[Floats | None, ...]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Errors of one model, model less simulation; ``held`` marks points its fit did not see."""

    x: Floats
    error: Floats
    held: Any
    values: tuple[Value | None, ...]
    nrmse: float


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture: ``panels`` belong to ``models``, one each; ``words`` are the x values if those are words."""

    name: str
    circuit: str
    title: str
    caption: str
    x: AxisQuantity
    y: AxisQuantity
    per: AxisQuantity | None
    family: tuple[Value, ...]
    log_x: bool
    models: tuple[Model, ...]
    lines: tuple[Line, ...]
    panels: tuple[Panel, ...]
    y_span: tuple[float, float] | None
    words: tuple[str, ...]
    panel: str


def pictures(result: CircuitResult) -> list[Picture]:
    """Every picture of a circuit whose study was run: one per temperature, unless the declaration picks one.

    Raises
    ------
    ParameterError
        If a declaration names a study, output, dimension or model that does not exist.
    """
    found: list[Picture] = []
    taken: set[str] = set()
    for figure in result.circuit.figures:
        if figure.study not in {study.key for study in result.circuit.studies}:
            raise ParameterError(f"{result.circuit.name}: picture {figure.title!r} is of no study {figure.study!r}")
        if figure.study in result.studies:
            view = _View(result, figure)
            for at in view.places():
                name = _unique(view.name(at), taken)
                found.append(view.picture(name, at))
    return found


def _unique(name: str, taken: set[str]) -> str:
    tries = [name, *(f"{name}.{i}" for i in range(2, len(taken) + 3))]
    free = next(n for n in tries if n not in taken)
    taken.add(free)
    return free


class _View:
    """A study as one declaration looks at it."""

    def __init__(self, result: CircuitResult, figure: Figure) -> None:
        self.figure = figure
        self.study: StudyResult = result.studies[figure.study]
        self.dataset: xr.Dataset = self.study.dataset
        self.circuit = result.circuit
        self.params: Numbers = numbers(self.study.plan.fixed)
        measured = [str(name) for name in self.dataset.data_vars if name not in ("status", "reason")]
        self._check("output", (figure.output,), measured)
        self.dims = tuple(map(str, self.dataset[figure.output].dims))
        self._check("dimension", (figure.x, figure.group_by), self.dims)
        self.at = {name: value for name, value in figure.at(self.params).items() if name in self.dims}
        self.models = tuple(m for m in map(self.circuit.model, figure.models) if m.output == figure.output)
        self.table = flat(self.dataset) if self.models else pd.DataFrame()
        self.spans = [_span(np.asarray(self._data(at), dtype=float)) for at in self.places()]

    def _check(self, what: str, wanted: Sequence[str], have: Sequence[str]) -> None:
        for name in wanted:
            if name and name not in have:
                raise ParameterError(
                    f"{self.circuit.name}: picture {self.figure.title!r} needs {what} {name!r}; "
                    f"study {self.figure.study} has {', '.join(have)}"
                )

    def _y_span(self, at: Mapping[str, Value]) -> tuple[float, float] | None:
        """Range of the y axis: that of all places, so that they compare, unless it would flatten this one."""
        own, known = self.spans[self.places().index(dict(at))], [span for span in self.spans if span is not None]
        if own is None:
            return None
        low, high = min(low for low, _ in known), max(high for _, high in known)
        return (low, high) if own[1] - own[0] > _FLATTEST * (high - low) else own

    def places(self) -> list[dict[str, Value]]:
        """Value of every dimension that the picture does not draw."""
        fixed: dict[str, Value] = {}
        for name in self.dims:
            if name not in (self.figure.x, self.figure.group_by):
                fixed[name] = _nearest(self.dataset[name].to_numpy(), self.at.get(name))
        if "temp" not in fixed or "temp" in self.at:
            return [fixed]
        return [{**fixed, "temp": float(temp)} for temp in self.dataset["temp"].to_numpy()]

    def name(self, at: Mapping[str, Value]) -> str:
        """File name without ending."""
        parts = [self.circuit.name, self.figure.study, self.figure.output]
        parts += [f"by_{self.figure.group_by}"] if self.figure.group_by else []
        parts += [f"{at['temp']:g}degC"] if len(self.places()) > 1 else []
        return ".".join(parts)

    def quantity(self, name: str) -> AxisQuantity:
        attrs = self.dataset[name].attrs
        return AxisQuantity(name=name, unit=str(attrs.get("units", "")), doc=str(attrs.get("long_name", "")))

    def picture(self, name: str, at: dict[str, Value]) -> Picture:
        figure = self.figure
        family = _values(self.dataset[figure.group_by].to_numpy()) if figure.group_by else ()
        fits = {model.name: self._fits(model, at, family) for model in self.models}
        models = tuple(model for model in self.models if any(fits[model.name].values()))
        x_values = self.dataset[figure.x].to_numpy()
        words = () if x_values.dtype.kind in "fiu" else tuple(map(str, x_values))
        per = self.quantity(figure.group_by) if figure.group_by else None
        return Picture(
            name=name,
            circuit=self.circuit.title,
            title=figure.title,
            caption=self._caption(at),
            x=self.quantity(figure.x),
            y=self.quantity(figure.output),
            per=per,
            family=family,
            log_x=figure.log_x and not words,
            models=models,
            lines=tuple(self._line(at, value, models, fits) for value in _thin(family, figure.lines) or (None,)),
            panels=tuple(self._panel(model, at, fits[model.name]) for model in models),
            y_span=self._y_span(at),
            words=words,
            panel=figure.overview_position,
        )

    def _caption(self, at: Mapping[str, Value]) -> str:
        return text.conditions(at, {name: self.quantity(name).unit for name in at})

    def _fits(self, model: Model, at: Mapping[str, Value], family: Sequence[Value]) -> dict[Value | None, Fit | None]:
        """The fit that holds at each value of the family."""
        found: dict[Value | None, Fit | None] = {}
        for value in family or (None,):
            here = {**at, **({self.figure.group_by: value} if value is not None else {})}
            drawn = (here.keys() | {self.figure.x}) >= set(model.inputs)
            fits = [f for f in self.study.fits if f.model == model.name and _holds(f, here)] if drawn else []
            found[value] = fits[0] if fits else None
        return found

    def _data(self, at: Mapping[str, Value]) -> xr.DataArray:
        data = self.dataset[self.figure.output]
        for name, value in at.items():
            if name in data.dims:
                data = data.isel({name: int(np.flatnonzero(self.dataset[name].to_numpy() == value)[0])})
        return data

    def _line(
        self,
        at: dict[str, Value],
        value: Value | None,
        models: Sequence[Model],
        fits: Mapping[str, Mapping[Value | None, Fit | None]],
    ) -> Line:
        here = {**at, **({self.figure.group_by: value} if value is not None else {})}
        data = self._data(here)
        coordinate = self.dataset[self.figure.x].to_numpy()
        x = coordinate.astype(float) if coordinate.dtype.kind in "fiu" else np.arange(coordinate.size, dtype=float)
        y = data.to_numpy().astype(float)
        order = np.argsort(x, kind="stable")
        grid = _grid(x, log=self.figure.log_x) if models else np.empty(0)
        curves = tuple(self._curve(m, fits[m.name][value], here, grid) for m in models)
        return Line(value=value, x=x[order], y=y[order], curve_x=grid, curves=curves)

    def _curve(self, model: Model, fit: Fit | None, here: Mapping[str, Value], x: Floats) -> Floats | None:
        if fit is None:
            return None
        inputs = [x if name == self.figure.x else np.full(x.shape, float(here[name])) for name in fit.inputs]
        return np.asarray(model.function(*inputs, **fit.values()), dtype=float)

    def _panel(self, model: Model, at: Mapping[str, Value], fits: Mapping[Value | None, Fit | None]) -> Panel:
        per, drawn = self.figure.group_by, list(fits.values())
        parts: list[tuple[Floats, Floats, Any, list[Value | None]]] = []
        for selection in select(model, self.table, self.dims, self.params):
            fit = next((f for f in drawn if f is not None and f.conditions == selection.conditions), None)
            if fit is None:
                continue
            inputs = selection.inputs
            here = np.ones(selection.output.size, dtype=bool)
            for name in inputs.keys() & at.keys():
                here &= np.isclose(inputs[name], float(at[name]), rtol=1e-6, atol=1e-15)
            error = np.asarray(model.function(*inputs.values(), **fit.values()), dtype=float) - selection.output
            held = held_out(inputs)
            kinds = _values(inputs[per][here]) if per in inputs else (selection.conditions.get(per),) * int(here.sum())
            parts.append((inputs[self.figure.x][here], error[here], held[here], list(kinds)))
        scores = [f.held_out or f.fitted for f in drawn if f is not None]
        x, error, held = (np.concatenate([np.empty(0), *(part[i] for part in parts)]) for i in range(3))
        return Panel(
            x=x,
            error=error,
            held=held.astype(bool),
            values=tuple(v for p in parts for v in p[3]),
            nrmse=max((s.nrmse for s in scores if s is not None), default=float("nan")),
        )


def _span(values: Floats) -> tuple[float, float] | None:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def _values(values: Any) -> tuple[Value, ...]:
    return tuple(v if isinstance(v, str) else float(v) for v in values)


def _nearest(values: Any, wanted: Value | None) -> Value:
    """The value of a dimension that is closest to what the declaration asks for; the first if it asks for none."""
    if wanted is None or isinstance(wanted, str) or values.dtype.kind not in "fiu":
        return _values([wanted if wanted in list(values) else values[0]])[0]
    return float(values[int(np.abs(values - wanted).argmin())])


def _holds(fit: Fit, here: Mapping[str, Value]) -> bool:
    for name, value in fit.conditions.items():
        if name not in here:
            return False
        other = here[name]
        same = value == other if isinstance(value, str) or isinstance(other, str) else np.isclose(value, other, atol=0)
        if not same:
            return False
    return True


def _thin(values: tuple[Value, ...], most: int) -> tuple[Value, ...]:
    count = max(2, min(most, _MOST_LINES))
    if len(values) <= count:
        return values
    return tuple(values[i] for i in sorted({round(i) for i in np.linspace(0, len(values) - 1, count)}))


def _grid(x: Floats, *, log: bool) -> Floats:
    low, high = float(x.min()), float(x.max())
    even = np.geomspace(low, high, _CURVE_POINTS) if log and low > 0 else np.linspace(low, high, _CURVE_POINTS)
    # With the simulated points among them, a knee between two grid points is not cut.
    return np.unique(np.concatenate([even, x]))
