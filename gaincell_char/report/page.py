"""The page: what the template is told, and its rendering."""

import datetime
import importlib.resources
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import xarray as xr
from markupsafe import Markup, escape

from .. import __version__
from ..declare.circuit import Circuit
from ..declare.parameters import Params, Value, Values
from ..fitting.fit import Errors, Fit
from ..technology.schema import Technology
from ..workflows.characterize_all import CircuitResult, StudyResult
from . import page_tables, text
from .picture import Picture


def render(
    out: Path,
    technology: Technology,
    results: Sequence[CircuitResult],
    drawn: Mapping[str, Sequence[Picture]],
    *,
    simulator: str,
    wall_s: float,
    missing: Sequence[str] = (),
    overview: bool = True,
) -> str:
    """The page as HTML; everything that comes from a declaration or a log is escaped.

    Parameters
    ----------
    missing : sequence of str
        Parts that could not be made, and why.
    overview : bool
        The overview was drawn.
    """
    studies = [study for result in results for study in result.studies.values()]
    counts = _counts(studies)
    return fill(
        "index.html.j2",
        technology=technology,
        simulator=simulator,
        version=__version__,
        wall_s=wall_s,
        counts=counts,
        rows=_headline(results),
        circuits=[_circuit(out, r, drawn[r.circuit.name]) for r in results],
        overview=overview and sum(map(bool, drawn.values())) > 1,
        missing=missing,
    )


def fill(template: str, **values: Any) -> str:
    """Return a template of this folder filled in; words are escaped."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.undefined = jinja2.StrictUndefined
    environment.filters.update(show=text.show, percent=text.percent, number=text.number, r2=text.r2, formula=formula)
    folder = importlib.resources.files(__package__)
    style = Markup(folder.joinpath("style.css").read_text(encoding="utf-8"))  # noqa: S704
    date = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    return environment.from_string(folder.joinpath(template).read_text(encoding="utf-8")).render(
        **values, style=style, date=date, nothing=text.NOTHING
    )


def formula(equation: str) -> Markup:
    """An equation with its exponents raised."""
    return Markup(re.sub(r"\^(-?\w+)", r"<sup>\1</sup>", str(escape(equation))))  # noqa: S704


def _counts(studies: Sequence[StudyResult]) -> dict[str, int]:
    total = {name: sum(int(s.dataset.attrs[f"n_{name}"]) for s in studies) for name in ("points", "ok", "failed")}
    return {**total, "not_run": total["points"] - total["ok"] - total["failed"]}


def _headline(results: Sequence[CircuitResult]) -> list[dict[str, Any]]:
    """Rows of the summary; ``span`` > 0 starts a circuit."""
    rows: list[dict[str, Any]] = []
    for result in results:
        own = [{str(k): v for k, v in row.items()} for row in page_tables.headline([result]).to_dict("records")]
        rows += [{**row, "title": result.circuit.title, "span": 0 if i else len(own)} for i, row in enumerate(own)]
    return rows


def _circuit(out: Path, result: CircuitResult, drawn: Sequence[Picture]) -> dict[str, Any]:
    circuit, studies = result.circuit, result.studies
    return {
        "name": circuit.name,
        "title": circuit.title,
        "wall_s": result.wall_s,
        "counts": _counts([*studies.values()]),
        "pictures": drawn,
        "merits": [(merit, page_tables.merit_text(result, merit, value)) for merit, value in result.merits],
        "models": [_model(s, fits) for s in studies.values() for fits in page_tables.by_model(s).values()],
        "left_out": [(key, reason) for key, study in studies.items() for reason in study.left_out],
        "problems": result.problems,
        "numerics": [
            {"study": key, "output": output, "deviation": deviation, "n": study.n_checked}
            for key, study in studies.items()
            for output, deviation in study.numerics.items()
        ],
        "failures": [f for key, study in studies.items() for f in _failures(circuit, key, study)],
        "studies": [_study(out, circuit, key, study) for key, study in studies.items()],
        "parameters": _parameters(result),
    }


def _model(study: StudyResult, fits: Sequence[Fit]) -> dict[str, Any]:
    units = _units(study.dataset)
    varied = [name for name in fits[0].conditions if len({f.conditions[name] for f in fits}) > 1]
    first = fits[0]
    return {
        "name": first.model,
        "form": first.form,
        "study": study.study.key,
        "equation": first.equation,
        "output": first.output,
        "unit": first.unit,
        "conditions": text.conditions(first.conditions, units),
        "coefficients": first.coefficients,
        "full_range": first.full_range,
        "box": [text.between(name, ends, units.get(name, "")) for name, ends in first.box.items()],
        "errors": [
            {"what": what, "where": text.conditions(e.worst_at, units).split(", "), **_shares(e, first)}
            for what, e in (("used", first.fitted), ("held out", first.held_out))
            if e is not None
        ],
        "all_seen": first.held_out is None,
        "others": [
            {
                "conditions": text.conditions({k: f.conditions[k] for k in varied}, units),
                "values": [text.show(e.value, e.unit) for e in f.coefficients.values()],
                "errors": [_shares(e, f) for e in [page_tables.errors_of(f)] if e is not None],
            }
            for f in fits
        ]
        if len(fits) > 1
        else [],
    }


def _shares(errors: Errors, fit: Fit) -> dict[str, Any]:
    return {"e": errors, "worst_share": abs(errors.worst) / fit.full_range}


def _units(dataset: xr.Dataset) -> dict[str, str]:
    return {str(name): str(variable.attrs.get("units", "")) for name, variable in dataset.variables.items()}


def _failures(circuit: Circuit, key: str, study: StudyResult) -> list[dict[str, Any]]:
    units = _units(study.dataset)
    return [
        {
            "study": key,
            "where": text.conditions(failure.where, units),
            "reason": failure.reason,
            "deck": f"failed/{circuit.name}.{key}.{number}.cir",
            "log": f"failed/{circuit.name}.{key}.{number}.log",
        }
        for number, failure in enumerate(study.failures, start=1)
    ]


def _study(out: Path, circuit: Circuit, key: str, study: StudyResult) -> dict[str, Any]:
    name = f"{circuit.name}.{key}"
    units = _units(study.dataset)
    places = [("deck", f"decks/{name}.cir"), ("CSV", f"data/{name}.csv"), ("NetCDF", f"data/{name}.nc")]
    places.append(("record", f"records/{name}.json"))
    dims = [str(d) for d in study.dataset.dims]
    own = {k: v for k, v in study.plan.fixed.items() if k not in circuit.params}
    moved = {k: v for k, v in study.plan.fixed.items() if k in circuit.params and k in study.study.fixed}
    return {
        "key": key,
        "doc": study.plan.bench.doc,
        "counts": _counts([study]),
        "wall_s": study.wall_s,
        "sweeps": [(d, text.span(study.dataset[d].to_numpy(), units[d])) for d in dims],
        "held": _described(study.plan.params, {**moved, **own}),
        "options": json.dumps(dict(study.plan.options))[1:-1].replace('"', ""),
        "files": [(label, place) for label, place in places if (out / place).is_file()],
    }


def _parameters(result: CircuitResult) -> list[tuple[str, str, str]]:
    """Name, value and meaning of what no study sweeps; of the others, their default."""
    fixed: dict[str, Value] = {}
    for study in result.studies.values():
        fixed = {**study.plan.fixed, **fixed}
    params = result.circuit.params
    return _described(params, {name: fixed[name] for name in params if name in fixed})


def _described(params: Params, values: Values) -> list[tuple[str, str, str]]:
    return [(name, text.show_value(value, params[name].unit), params[name].doc) for name, value in values.items()]
