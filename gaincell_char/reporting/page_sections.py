"""Values for the template of the main job's page: sections of circuits, studies and models."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import xarray as xr

from ..declare.circuit import Circuit
from ..declare.parameters import Params, Value, Values
from ..fitting.accuracy import Errors
from ..fitting.fit import Fit
from ..fitting.solve import LeftOut
from ..workflows.characterize_all import CircuitResult, StudyResult
from . import page_tables, text
from .picture import Picture

Section = dict[str, object]
"""Name in the template -> value."""


def count_points(studies: Iterable[StudyResult]) -> dict[str, int]:
    """Numbers of points of some studies, fresh points included: all, finished, failed and not simulated."""
    counts = [study.counts for study in studies]
    total = {name: sum(count[name] for count in counts) for name in ("points", "ok", "failed")}
    return {**total, "not_run": total["points"] - total["ok"] - total["failed"]}


def describe_models(results: Sequence[CircuitResult]) -> list[Section]:
    """Rows of the summary; ``span`` is the number of rows of a circuit in its first row, 0 in the others."""
    rows: list[Section] = []
    for result in results:
        own = page_tables.tabulate_models([result]).to_dict("records")
        for number, row in enumerate(own):
            named = {str(name): value for name, value in row.items()}
            rows.append({**named, "title": result.circuit.title, "span": 0 if number else len(own)})
    return rows


def describe_circuit(out: Path, result: CircuitResult, drawn: Sequence[Picture]) -> Section:
    """Values for the section of a circuit.

    Parameters
    ----------
    out : Path
        Folder of the page; existing files are linked.
    result : CircuitResult
        Results of the circuit.
    drawn : sequence of Picture
        Pictures of this circuit.
    """
    circuit, studies = result.circuit, result.studies
    return {
        "name": circuit.name,
        "title": circuit.title,
        "wall_s": result.wall_s,
        "counts": count_points(studies.values()),
        "pictures": drawn,
        "merits": [(merit, page_tables.show_merit(result, merit, value)) for merit, value in result.merits],
        "models": _list_models(result),
        "left_out": _list_left_out(studies),
        "problems": result.problems,
        "notes": result.notes,
        "numerics": _list_numerics(studies),
        "failures": _list_failures(circuit, studies),
        "studies": [_describe_study(out, circuit, key, study) for key, study in studies.items()],
        "parameters": _list_parameters(result),
    }


def _list_models(result: CircuitResult) -> list[Section]:
    return [
        _describe_model(result, study, fits)
        for study in result.studies.values()
        for fits in page_tables.group_fits(study).values()
    ]


def _list_left_out(studies: Mapping[str, StudyResult]) -> list[tuple[str, LeftOut]]:
    return [(key, reason) for key, study in studies.items() for reason in study.left_out]


def _list_numerics(studies: Mapping[str, StudyResult]) -> list[Section]:
    return [
        {"study": key, "output": output, "deviation": deviation, "n": study.n_checked}
        for key, study in studies.items()
        for output, deviation in study.numerics.items()
    ]


def _describe_model(result: CircuitResult, study: StudyResult, fits: Sequence[Fit]) -> Section:
    """A model: its first fit in full; with several fits, also the errors and coefficients of each."""
    units = _list_units(study.dataset)
    first = fits[0]
    return {
        "name": first.model,
        "form": first.form,
        "study": study.study.key,
        "equation": first.equation,
        "output": first.output,
        "unit": first.unit,
        "conditions": text.show_conditions(first.conditions, units),
        "coefficients": first.coefficients,
        "full_range": first.full_range,
        "valid_range": [text.show_range(name, ends, units.get(name, "")) for name, ends in first.valid_range.items()],
        "errors": _list_errors(first, units),
        "crossed": first.cross_validation,
        "fresh": study.fresh.find(first),
        "seed": study.fresh.seed,
        "ends": _list_ends(first, units),
        "row": _describe_row(first, units),
        "largest": first.largest,
        "numerics": study.numerics.get(first.output),
        "noise": page_tables.show_noise_floor(result, fits),
        "others": _list_conditions(result, fits, units) if len(fits) > 1 else [],
    }


def _list_errors(fit: Fit, units: Mapping[str, str]) -> list[Section]:
    """Columns of a model's table of errors: for the points used and the points held out."""
    found: list[Section] = []
    columns = (
        ("fitted to all points", fit.fitted),
        ("cross-validation", fit.cross_validation),
        ("fresh points", fit.fresh),
    )
    for what, errors in columns:
        if errors is not None:
            where = text.show_conditions(errors.worst_at, units).split(", ")
            found.append({"what": what, "where": where, **_scale_errors(errors, fit)})
    return found


def _list_ends(fit: Fit, units: Mapping[str, str]) -> list[Section]:
    """Each end of the range that was left out, with the error there as text."""
    return [
        {
            "range": text.show_range(end.input, (end.low, end.high), units.get(end.input, "")),
            "nrmse": "not determined" if end.errors is None else page_tables.show_nrmse(end.errors),
        }
        for end in fit.end_blocks or ()
    ]


def _describe_row(fit: Fit, units: Mapping[str, str]) -> Section | None:
    row = fit.row_error
    if row is None:
        return None
    at = text.show_conditions({row.input: row.at}, units)
    return {"at": at, "nrmse": text.show_percent(row.nrmse), "n_rows": row.n_rows, "n_flat": row.n_flat}


def _list_conditions(result: CircuitResult, fits: Sequence[Fit], units: Mapping[str, str]) -> list[Section]:
    """Rows of a model's table of conditions; only conditions that differ between its fits are named."""
    varied = [name for name in fits[0].conditions if len({fit.conditions[name] for fit in fits}) > 1]
    return [
        {**_describe_condition(fit, varied, units), "noise": page_tables.show_noise_floor(result, [fit])}
        for fit in fits
    ]


def _describe_condition(fit: Fit, varied: Sequence[str], units: Mapping[str, str]) -> Section:
    scaled = [] if fit.stated is None else [_scale_errors(fit.stated, fit)]
    nrmse = [page_tables.show_nrmse(errors) for errors in (fit.fitted, fit.cross_validation, fit.fresh)]
    return {
        "conditions": text.show_conditions({name: fit.conditions[name] for name in varied}, units),
        "nrmse": nrmse,
        "values": [text.show(estimate.value, estimate.unit) for estimate in fit.coefficients.values()],
        "errors": scaled,
    }


def _scale_errors(errors: Errors, fit: Fit) -> Section:
    return {"e": errors, "worst_share": abs(errors.worst) / fit.full_range}


def _list_units(dataset: xr.Dataset) -> dict[str, str]:
    return {str(name): str(variable.attrs.get("units", "")) for name, variable in dataset.variables.items()}


def _list_failures(circuit: Circuit, studies: Mapping[str, StudyResult]) -> list[Section]:
    """Failed points with decks and logs."""
    rows: list[Section] = []
    for key, study in studies.items():
        units = _list_units(study.dataset)
        for number, failure in enumerate(study.failures, start=1):
            place = f"failed/{circuit.name}.{key}.{number}"
            where = text.show_conditions(failure.where, units)
            files = {"deck": f"{place}.cir", "log": f"{place}.log"}
            rows.append({"study": key, "where": where, "reason": failure.reason, **files})
    return rows


def _describe_study(out: Path, circuit: Circuit, key: str, study: StudyResult) -> Section:
    units = _list_units(study.dataset)
    dims = [str(d) for d in study.dataset.dims]
    return {
        "key": key,
        "doc": study.plan.bench.doc,
        "counts": count_points([study]),
        "wall_s": study.wall_s,
        "sweeps": [(d, text.show_sweep(study.dataset[d].to_numpy(), units[d])) for d in dims],
        "held": _describe_values(study.plan.params, _select_held(circuit, study)),
        "options": json.dumps(dict(study.plan.options))[1:-1].replace('"', ""),
        "files": _list_files(out, f"{circuit.name}.{key}"),
    }


def _select_held(circuit: Circuit, study: StudyResult) -> Values:
    """Circuit parameters that a study sets to a non-default value, then the parameters of its bench."""
    moved: dict[str, Value] = {}
    own: dict[str, Value] = {}
    for name, value in study.plan.fixed.items():
        if name not in circuit.params:
            own[name] = value
        elif name in study.study.fixed:
            moved[name] = value
    return {**moved, **own}


def _list_files(out: Path, name: str) -> list[tuple[str, str]]:
    """Kind and path of the existing files of a study."""
    places = {
        "deck": f"decks/{name}.cir",
        "CSV": f"data/{name}.csv",
        "NetCDF": f"data/{name}.nc",
        "fresh points": f"data/{name}.fresh.csv",
        "points of the search": f"data/{name}.searched.csv",
        "record": f"records/{name}.json",
    }
    return [(kind, place) for kind, place in places.items() if (out / place).is_file()]


def _list_parameters(result: CircuitResult) -> list[tuple[str, str, str]]:
    """Name, value and meaning of the circuit parameters that at least one study does not sweep."""
    fixed: dict[str, Value] = {}
    for study in result.studies.values():
        fixed = {**study.plan.fixed, **fixed}
    params = result.circuit.params
    return _describe_values(params, {name: fixed[name] for name in params if name in fixed})


def _describe_values(params: Params, values: Values) -> list[tuple[str, str, str]]:
    return [(name, text.show_value(value, params[name].unit), params[name].doc) for name, value in values.items()]
