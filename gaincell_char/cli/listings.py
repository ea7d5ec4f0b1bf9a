"""Tables printed by list, show and fit."""

from collections.abc import Iterator, Mapping

import pandas as pd
from rich.markup import escape
from rich.table import Table

from .. import registry, units
from ..declare.bench import Bench
from ..declare.circuit import Circuit
from ..declare.parameters import Choice, Params, Values
from ..declare.sweep_values import show_grid
from ..fitting.accuracy import CrossValidation, Errors
from ..fitting.fit import Fit
from ..fitting.record import Record
from ..workflows.noise_floors import find_packaged_noise
from .console import table


def circuits() -> Table:
    """Table of all circuits."""
    rows = table("circuit", "description", "benches", "models")
    for circuit in map(registry.load_circuit, registry.circuit_names()):
        benches = ", ".join(bench.name for bench in circuit.benches)
        rows.add_row(circuit.name, circuit.title, benches, ", ".join(model.name for model in circuit.models))
    return rows


def technologies() -> Table:
    """Table of all built-in technologies."""
    rows = table("technology", "description", "corners", "model files")
    for name in registry.technology_names():
        said = registry.describe_technology(name)
        files = (
            "included" if said.models is None else registry.model_folder(name) or f"missing: gaincell tech get {name}"
        )
        rows.add_row(name, said.title, ", ".join(said.corners), escape(str(files)))
    return rows


def describe(circuit: str, technology: str) -> Iterator[Table | str]:
    """Parameters, benches and models of a circuit."""
    loaded = registry.load_circuit(circuit)
    chosen = registry.load_technology(technology)
    yield f"[bold]{loaded.name}[/bold]: {escape(loaded.title)}"
    yield _parameters(
        "parameters of the circuit", loaded.params, loaded.params.resolve(chosen.sizes(circuit, loaded.params))
    )
    for bench in loaded.benches:
        params = loaded.params | bench.params
        values = params.resolve(chosen.sizes(circuit, params))
        yield _parameters(f"bench {bench.name}: {bench.doc}", bench.params, values)
        yield f"  sweeps {escape(_sweeps(bench, chosen.axes.get(circuit, {})))}; measures {escape(_outputs(bench))}"
    models, sizes = table("model", "form", "bench", "equation", title="models"), chosen.sizes(circuit, loaded.params)
    for model in (model for model in loaded.models if loaded.holds(model, loaded.params.resolve(sizes))):
        models.add_row(model.name, model.form, model.bench, escape(model.equation))
    yield models
    if loaded.all_spreads:
        yield _spreads(loaded)


def _spreads(circuit: Circuit) -> Table:
    rows = table("bench", "swept per sample", "features", "random coefficients", title="Monte Carlo")
    for spread in circuit.all_spreads:
        coefficients = [f"{model.name}: {', '.join(model.random)}" for model in spread.models]
        rows.add_row(
            spread.bench, ", ".join(spread.sweep), ", ".join(f.name for f in spread.features), "; ".join(coefficients)
        )
    return rows


def _sweeps(bench: Bench, axes: Mapping[str, str]) -> str:
    """Every swept parameter with its rule; `axes` are those that the technology replaces."""
    own = {**bench.sweep, **({bench.curve.name: bench.curve.values} if bench.curve else {})}
    rules = [f"{name} = {axes.get(name) or show_grid(grid)}" for name, grid in own.items()]
    return "; ".join(rules) or "nothing"


def _outputs(bench: Bench) -> str:
    over = f" over {bench.curve.name} [{bench.curve.unit}]" if bench.curve else ""
    return ", ".join(f"{o.name} [{o.unit}] ({o.doc})" for o in bench.outputs) + over


def _parameters(title: str, params: Params, values: Values) -> Table:
    rows = table("name", "value", "rule", "range", "meaning", title=title)
    for name, parameter in params.items():
        value = values[name]
        if isinstance(parameter, Choice):
            rows.add_row(name, str(value), "", ", ".join(parameter.options), parameter.doc)
        else:
            limits = f"{units.show(parameter.low, parameter.unit)} .. {units.show(parameter.high, parameter.unit)}"
            rule = parameter.default if isinstance(parameter.default, str) else ""
            rows.add_row(name, units.show(float(value), parameter.unit), escape(rule), limits, parameter.doc)
    return rows


def fits(record: Record) -> Table:
    """Table of the errors of each model of a record, with the noise floor of its output."""
    errors_of = ("R2", "NRMSE, fitted", "NRMSE, cross-validation", "noise floor", "worst")
    rows = table("model", "at", "coefficients", *errors_of, "refits")
    for found in record.fits:
        errors, crossed = found.stated, found.cross_validation
        at = ", ".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in found.conditions.items())
        if errors is not None:
            rows.add_row(
                found.model,
                at,
                str(len(found.covariance)),
                "" if errors.r2 is None else f"{errors.r2:.7f}",
                _percent(found.fitted),
                _percent(crossed),
                _noise_floor(record, found),
                units.show(errors.worst, found.unit),
                _refits(crossed),
            )
    return rows


def _percent(errors: Errors | None) -> str:
    return "none" if errors is None else f"{100 * errors.nrmse:.4f} %"


def _noise_floor(record: Record, fit: Fit) -> str:
    """Rms noise of the output of a fit, in percent of its full range, by the packaged records of its technology."""
    floor = find_packaged_noise(record, fit)
    return "none" if floor is None else f"{100 * floor / fit.full_range:.4f} %"


def _refits(crossed: CrossValidation | None) -> str:
    """How many fits the cross-validation consists of, and how many of them failed."""
    if crossed is None:
        return "too few points"
    return f"{crossed.n_blocks}, {crossed.n_failed} failed" if crossed.n_failed else str(crossed.n_blocks)


def frame(data: pd.DataFrame) -> Table:
    """Table of any data frame of words and numbers."""
    rows = table(*map(str, data.columns))
    for row in data.itertuples(index=False):
        rows.add_row(*(f"{value:.6g}" if isinstance(value, float) else escape(str(value)) for value in row))
    return rows
