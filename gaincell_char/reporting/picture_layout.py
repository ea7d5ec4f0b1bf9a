"""Declaration of a picture and results of its study -> lines of points, model curves, errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ..declare.bench import Floats, Numbers
from ..declare.datasheet import Figure
from ..declare.model import Model
from ..declare.parameters import Value, numbers
from ..errors import ParameterError
from ..fitting.fit import Fit
from ..fitting.points import Selection, select
from ..storage.flat import flatten_dataset
from ..workflows.characterize_all import CircuitResult, StudyResult
from . import text
from .grids import find_nearest, find_span, list_values, make_grid, thin
from .picture import AxisQuantity, Line, Panel, Picture

_FLATTEST = 0.4


def lay_out_pictures(result: CircuitResult) -> list[Picture]:
    """Lay out every picture of a circuit with a finished study: one per temperature, unless the declaration fixes it.

    Raises
    ------
    ParameterError
        If a declaration names an unknown study, output, dimension or model.
    """
    found: list[Picture] = []
    taken: set[str] = set()
    for figure in result.circuit.all_figures:
        if figure.study not in {study.key for study in result.circuit.all_studies}:
            raise ParameterError(f"{result.circuit.name}: picture {figure.title!r} names no study {figure.study!r}")
        if figure.study in result.studies:
            view = _View(result, figure)
            for at in view.list_places():
                name = _make_unique(view.make_name(at), taken)
                found.append(view.lay_out(name, at))
    return found


def _make_unique(name: str, taken: set[str]) -> str:
    tries = [name, *(f"{name}.{i}" for i in range(2, len(taken) + 3))]
    free = next(n for n in tries if n not in taken)
    taken.add(free)
    return free


@dataclass(frozen=True, kw_only=True)
class _PointErrors:
    """Errors of one fit at each point; ``values`` are those of the picture's family."""

    x: Floats
    error: Floats
    values: tuple[Value | None, ...]


class _View:
    """A study with the declaration of one picture."""

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
        self.at = {name: value for name, value in figure.at_values(self.params).items() if name in self.dims}
        drawn = (self.circuit.stand_in(self.circuit.model(name), self.study.plan.fixed) for name in figure.models)
        self.models = tuple(model for model in drawn if model.output == figure.output)
        self.table = flatten_dataset(self.dataset) if self.models else pd.DataFrame()
        self.spans = [find_span(np.asarray(self._select_data(at), dtype=float)) for at in self.list_places()]

    def _check(self, what: str, wanted: Sequence[str], have: Sequence[str]) -> None:
        for name in wanted:
            if name and name not in have:
                raise ParameterError(
                    f"{self.circuit.name}: picture {self.figure.title!r} needs {what} {name!r}; "
                    f"study {self.figure.study} has {', '.join(have)}"
                )

    def _choose_y_span(self, at: Mapping[str, Value]) -> tuple[float, float] | None:
        """Range of the y axis: common to all pictures of a declaration, unless this one would be too flat."""
        own, known = self.spans[self.list_places().index(dict(at))], [span for span in self.spans if span is not None]
        if own is None:
            return None
        low, high = min(low for low, _ in known), max(high for _, high in known)
        return (low, high) if own[1] - own[0] > _FLATTEST * (high - low) else own

    def list_places(self) -> list[dict[str, Value]]:
        """Values of all dimensions that the picture does not draw, one mapping per picture."""
        fixed: dict[str, Value] = {}
        for name in self.dims:
            if name not in (self.figure.x, self.figure.group_by):
                fixed[name] = find_nearest(self.dataset[name].to_numpy(), self.at.get(name))
        if "temp" not in fixed or "temp" in self.at:
            return [fixed]
        return [{**fixed, "temp": float(temp)} for temp in self.dataset["temp"].to_numpy()]

    def make_name(self, at: Mapping[str, Value]) -> str:
        """File name without suffix."""
        parts = [self.circuit.name, self.figure.study, self.figure.output]
        parts += [f"by_{self.figure.group_by}"] if self.figure.group_by else []
        parts += [f"{at['temp']:g}degC"] if len(self.list_places()) > 1 else []
        return ".".join(parts)

    def describe_axis(self, name: str) -> AxisQuantity:
        """Quantity of an axis with this output or dimension."""
        attrs = self.dataset[name].attrs
        return AxisQuantity(name=name, unit=str(attrs.get("units", "")), doc=str(attrs.get("long_name", "")))

    def lay_out(self, name: str, at: dict[str, Value]) -> Picture:
        """Lay out the picture at given values of all dimensions that it does not draw."""
        figure = self.figure
        family = list_values(self.dataset[figure.group_by].to_numpy()) if figure.group_by else ()
        fits = {model.name: self._find_fits(model, at, family) for model in self.models}
        models = tuple(model for model in self.models if any(fits[model.name].values()))
        x_values = self.dataset[figure.x].to_numpy()
        words = () if x_values.dtype.kind in "fiu" else tuple(map(str, x_values))
        per = self.describe_axis(figure.group_by) if figure.group_by else None
        return Picture(
            name=name,
            circuit=self.circuit.title,
            title=figure.title,
            caption=self._write_caption(at),
            x=self.describe_axis(figure.x),
            y=self.describe_axis(figure.output),
            per=per,
            family=family,
            log_x=figure.log_x and not words,
            models=models,
            lines=tuple(self._make_line(at, value, models, fits) for value in thin(family, figure.lines) or (None,)),
            panels=tuple(self._make_panel(model, at, fits[model.name]) for model in models),
            y_span=self._choose_y_span(at),
            words=words,
            panel=figure.overview_position,
        )

    def _write_caption(self, at: Mapping[str, Value]) -> str:
        return text.show_conditions(at, {name: self.describe_axis(name).unit for name in at})

    def _find_fits(
        self, model: Model, at: Mapping[str, Value], family: Sequence[Value]
    ) -> dict[Value | None, Fit | None]:
        """The valid fit at each value of the family."""
        found: dict[Value | None, Fit | None] = {}
        for value in family or (None,):
            here = {**at, **({self.figure.group_by: value} if value is not None else {})}
            drawn = (here.keys() | {self.figure.x}) >= set(model.inputs)
            fits = [f for f in self.study.fits if f.model == model.name and _holds(f, here)] if drawn else []
            found[value] = fits[0] if fits else None
        return found

    def _select_data(self, at: Mapping[str, Value]) -> xr.DataArray:
        data = self.dataset[self.figure.output]
        for name, value in at.items():
            if name in data.dims:
                data = data.isel({name: int(np.flatnonzero(self.dataset[name].to_numpy() == value)[0])})
        return data

    def _make_line(
        self,
        at: dict[str, Value],
        value: Value | None,
        models: Sequence[Model],
        fits: Mapping[str, Mapping[Value | None, Fit | None]],
    ) -> Line:
        here = {**at, **({self.figure.group_by: value} if value is not None else {})}
        data = self._select_data(here)
        coordinate = self.dataset[self.figure.x].to_numpy()
        x = coordinate.astype(float) if coordinate.dtype.kind in "fiu" else np.arange(coordinate.size, dtype=float)
        y = data.to_numpy().astype(float)
        order = np.argsort(x, kind="stable")
        grid = make_grid(x, log=self.figure.log_x) if models else np.empty(0)
        curves = tuple(self._compute_curve(m, fits[m.name][value], here, grid) for m in models)
        return Line(value=value, x=x[order], y=y[order], curve_x=grid, curves=curves)

    def _compute_curve(self, model: Model, fit: Fit | None, here: Mapping[str, Value], x: Floats) -> Floats | None:
        if fit is None:
            return None
        inputs = [x if name == self.figure.x else np.full(x.shape, float(here[name])) for name in fit.inputs]
        return np.asarray(model(*inputs, **fit.values()), dtype=float)

    def _make_panel(self, model: Model, at: Mapping[str, Value], fits: Mapping[Value | None, Fit | None]) -> Panel:
        drawn = [fit for fit in fits.values() if fit is not None]
        found: list[_PointErrors] = []
        for selection in select(model, self.table, self.dims, self.params):
            fit = next((fit for fit in drawn if fit.conditions == selection.conditions), None)
            if fit is not None:
                found.append(self._compute_errors(model, fit, selection, at))
        # Two values of the family may share a fit.
        one_each = list({id(fit): fit for fit in drawn}.values())
        fresh = [errors for fit in one_each if (errors := self._compute_fresh_errors(model, fit)) is not None]
        scores = [fit.stated for fit in drawn]
        own, other = _join(found), _join(fresh)
        return Panel(
            x=np.concatenate([own.x, other.x]),
            error=np.concatenate([own.error, other.error]),
            fresh=np.repeat([False, True], [own.x.size, other.x.size]),
            values=own.values + other.values,
            nrmse=max((score.nrmse for score in scores if score is not None), default=float("nan")),
        )

    def _compute_fresh_errors(self, model: Model, fit: Fit) -> _PointErrors | None:
        """Errors of a fit on its fresh points; none if it has an input that the picture does not draw."""
        per = self.figure.group_by
        there = self.study.fresh.find(fit)
        if there is None or not {*fit.inputs} <= {self.figure.x, per}:
            return None
        points = there.select(fit.output)
        error = np.asarray(model(*points.inputs.values(), **fit.values()), dtype=float) - points.output
        values = (fit.conditions.get(per),) * error.size
        return _PointErrors(x=points.inputs[self.figure.x], error=error, values=values)

    def _compute_errors(self, model: Model, fit: Fit, selection: Selection, at: Mapping[str, Value]) -> _PointErrors:
        """Errors of a fit at the points of the picture."""
        per, inputs = self.figure.group_by, selection.inputs
        here = np.ones(selection.output.size, dtype=bool)
        for name in inputs.keys() & at.keys():
            here &= np.isclose(inputs[name], float(at[name]), rtol=1e-6, atol=1e-15)
        error = np.asarray(model(*inputs.values(), **fit.values()), dtype=float) - selection.output
        values: Sequence[Value | None] = (selection.conditions.get(per),) * int(here.sum())
        if per in inputs:
            values = list_values(inputs[per][here])
        return _PointErrors(x=inputs[self.figure.x][here], error=error[here], values=tuple(values))


def _join(some: Sequence[_PointErrors]) -> _PointErrors:
    x, error = [np.empty(0)], [np.empty(0)]
    values: list[Value | None] = []
    for one in some:
        x.append(one.x)
        error.append(one.error)
        values += one.values
    return _PointErrors(x=np.concatenate(x), error=np.concatenate(error), values=tuple(values))


def _holds(fit: Fit, here: Mapping[str, Value]) -> bool:
    for name, value in fit.conditions.items():
        if name not in here:
            return False
        other = here[name]
        same = value == other if isinstance(value, str) or isinstance(other, str) else np.isclose(value, other, atol=0)
        if not same:
            return False
    return True
