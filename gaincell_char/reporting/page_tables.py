"""Results as flat tables in SI units."""

import math
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from ..declare.datasheet import Merit
from ..declare.parameters import Value
from ..fitting.accuracy import EndBlock, Errors
from ..fitting.fit import Fit
from ..fitting.statistics import describe_censored
from ..sweeping.run import OK
from ..sweeping.scattered import RUN
from ..workflows.characterize_all import CircuitResult, StudyResult
from ..workflows.fresh_points import FreshPoints
from ..workflows.noise_floors import find_noise_in_job
from . import text

Row = Mapping[str, object]
Rows = Iterator[Row]
_ACCURACY = ("fitted to all points", "cross-validation", "fresh points", "noise floor", "numerics floor")
"""Columns with the NRMSE of a model on three sets of points, and the floors of noise and numerics beside them."""
NO_NOISE = "none"
"""Noise floor of an output whose noise is not known."""


def tabulate_fits(results: Sequence[CircuitResult]) -> pd.DataFrame:
    """One row per fit, with its errors and the first figure of merit of the circuit.

    R2 and rms are of the error to expect, on the points that ``stated on`` names; ``worst`` is the largest error at any
    point compared.  NRMSE is given on the points of the fit, of cross-validation and on fresh points, beside the
    floors of noise and numerics of the output, and at the end of the range and in the row in which it is largest.
    """
    columns = (
        "circuit",
        "study",
        "model",
        "form",
        "output",
        "unit",
        "conditions",
        "coefficients",
        "stated on",
        "R2",
        "rms",
        "worst",
        "worst %",
        "where",
        "NRMSE % fitted to all points",
        "NRMSE % cross-validation",
        "NRMSE % fresh points",
        "NRMSE % left-out end",
        "left-out end",
        "NRMSE % of row",
        "row",
        "noise floor",
        "noise floor %",
        "numerics %",
        "points fitted",
        "blocks left out",
        "blocks failed",
        "points fresh",
        "fresh runs failed",
        "points compared for worst",
        "search runs failed",
        "figure of merit",
        "circuit wall s",
    )
    return _make_table(columns, (_describe_fit(r, s, f) for r, s in _list_studies(results) for f in s.fits))


def _describe_fit(result: CircuitResult, study: StudyResult, fit: Fit) -> Row:
    errors = fit.stated
    measured: dict[str, object] = {}
    if errors is not None:
        measured = {
            "stated on": fit.stated_on,
            "R2": errors.r2,
            "rms": errors.rms,
            "worst": errors.worst,
            "worst %": 100 * errors.worst / fit.full_range,
            "where": join_values(errors.worst_at),
        }
    return {
        "circuit": result.circuit.name,
        "study": study.study.key,
        "model": fit.model,
        "form": fit.form,
        "output": fit.output,
        "unit": fit.unit,
        "conditions": join_values(fit.conditions),
        "coefficients": len(fit.covariance),
        **measured,
        **_describe_noise(result, fit),
        **_describe_accuracy(study, fit),
        "figure of merit": show_first_merit(result),
        "circuit wall s": result.wall_s,
    }


def _describe_noise(result: CircuitResult, fit: Fit) -> Row:
    """Rms noise of the output, in its unit and in percent of the full range of the fit; empty if not known."""
    floor = find_noise_in_job(result, fit)
    return {} if floor is None else {"noise floor": floor, "noise floor %": 100 * floor / fit.full_range}


def _describe_accuracy(study: StudyResult, fit: Fit) -> Row:
    """NRMSE on every set of points, and how many points and failures there are."""
    crossed, fresh = fit.cross_validation, study.fresh.find(fit)
    blocks = (crossed.n_blocks, crossed.n_failed) if crossed else (0, 0)
    return {
        "NRMSE % fitted to all points": _percent(fit.fitted),
        "NRMSE % cross-validation": _percent(crossed),
        "NRMSE % fresh points": _percent(fit.fresh),
        "numerics %": 100 * study.numerics.get(fit.output, math.nan),
        "points fitted": _count(fit.fitted),
        "blocks left out": blocks[0],
        "blocks failed": blocks[1],
        "points fresh": _count(fit.fresh),
        "fresh runs failed": fresh.n_failed if fresh else 0,
        **_describe_search(fit),
        **_describe_places(fit),
    }


def _describe_search(fit: Fit) -> Row:
    largest = fit.largest
    counts = (largest.n, largest.n_failed) if largest else (0, 0)
    return dict(zip(("points compared for worst", "search runs failed"), counts, strict=True))


def _describe_places(fit: Fit) -> Row:
    """Errors at the left-out end and in the row in which they are largest."""
    end, row, found = find_worst_end(fit), fit.row_error, dict[str, object]()
    if end is not None and end.errors is not None:
        found |= {"NRMSE % left-out end": 100 * end.errors.nrmse, "left-out end": show_end(end)}
    if row is not None:
        found |= {"NRMSE % of row": 100 * row.nrmse, "row": join_values({row.input: row.at})}
    return found


def find_worst_end(fit: Fit) -> EndBlock | None:
    """Return the left-out end of the range with the largest error of a `fit`; None if no end has an error."""
    known = [(end.errors.nrmse, end) for end in fit.end_blocks or () if end.errors is not None]
    return max(known, key=lambda one: one[0])[1] if known else None


def show_end(end: EndBlock) -> str:
    """Values of the input in a left-out `end`, for example ``v_in=0.85..0.9``."""
    return f"{end.input}={end.low:.6g}..{end.high:.6g}"


def _percent(errors: Errors | None) -> float:
    return 100 * errors.nrmse if errors else math.nan


def _count(errors: Errors | None) -> int:
    return errors.n if errors else 0


def tabulate_models(results: Sequence[CircuitResult]) -> pd.DataFrame:
    """One row per model and study, at its worst condition, as formatted text.

    Figure of merit and wall time of a circuit are in its first row only.
    """
    columns = ("circuit", "study", "model", "form", "R2", *_ACCURACY, "worst", "figure of merit", "wall time")
    return _make_table(columns, (row for result in results for row in _describe_models(result)))


def _describe_models(result: CircuitResult) -> Rows:
    once = {"figure of merit": show_first_merit(result), "wall time": f"{result.wall_s:.1f} s"}
    blank = dict.fromkeys(("study", "model", "form", "R2", *_ACCURACY, "worst"), text.NOTHING)
    groups = [(study, fits) for study in result.studies.values() for fits in group_fits(study).values()]
    if not groups:
        yield {"circuit": result.circuit.name, **blank, **once}
    for study, fits in groups:
        yield {"circuit": result.circuit.name, **_describe_worst(result, study, fits), **once}
        once = dict.fromkeys(once, "")
    for study in result.studies.values():
        for name in dict.fromkeys(one.model for one in study.left_out if one.model not in group_fits(study)):
            form = result.circuit.model(name).form
            row = {"study": study.study.key, "model": f"{name} (NOT FITTED)", "form": form}
            yield {"circuit": result.circuit.name, **blank, **row, **dict.fromkeys(once, "")}


def _describe_worst(result: CircuitResult, study: StudyResult, fits: Sequence[Fit]) -> Row:
    """A model at its worst condition."""
    lost = sum(one.model == fits[0].model for one in study.left_out)
    unfitted = f" (NOT FITTED at {lost} of {lost + len(fits)} conditions)" if lost else ""
    stated = [(fit.stated, fit.full_range) for fit in fits]
    errors = [(errors, full_range) for errors, full_range in stated if errors is not None]
    known = [one.r2 for one, _ in errors if one.r2 is not None]
    columns = zip(*((fit.fitted, fit.cross_validation, fit.fresh) for fit in fits), strict=True)
    shown = [show_nrmse(*column) for column in columns]
    shown += [show_noise_floor(result, fits), text.show_percent(study.numerics.get(fits[0].output), 2)]
    return {
        "study": study.study.key,
        "form": fits[0].form,
        "model": f"{fits[0].model}{unfitted}",
        "R2": text.show_r2(min(known, default=None)),
        **dict(zip(_ACCURACY, shown, strict=True)),
        "worst": text.show_percent(max((abs(one.worst) / full_range for one, full_range in errors), default=None)),
    }


def show_noise_floor(result: CircuitResult, fits: Sequence[Fit]) -> str:
    """Rms noise of the output of a model of a circuit, `result`, in percent of full range; "none" if it is not known.

    It is the smallest of its `fits`, at the conditions at which it is known.
    """
    floors = [(find_noise_in_job(result, fit), fit.full_range) for fit in fits]
    known = [floor / full for floor, full in floors if floor is not None]
    return text.show_percent(min(known)) if known else NO_NOISE


def show_nrmse(*errors: Errors | None) -> str:
    """Largest NRMSE of some errors, in percent."""
    return text.show_percent(max((one.nrmse for one in errors if one is not None), default=None))


def tabulate_coefficients(results: Sequence[CircuitResult]) -> pd.DataFrame:
    """One row per coefficient of each fit; ``stderr`` is empty for a given value."""
    columns = ("circuit", "study", "model", "conditions", "coefficient", "value", "stderr", "unit", "meaning")
    rows = (
        {
            "circuit": result.circuit.name,
            "study": study.study.key,
            "model": fit.model,
            "conditions": join_values(fit.conditions),
            "coefficient": name,
            "value": estimate.value,
            "stderr": estimate.stderr,
            "unit": estimate.unit,
            "meaning": estimate.doc,
        }
        for result, study in _list_studies(results)
        for fit in study.fits
        for name, estimate in fit.coefficients.items()
    )
    return _make_table(columns, rows)


def tabulate_merits(results: Sequence[CircuitResult]) -> pd.DataFrame:
    """One row per figure of merit."""
    rows = (
        {
            "circuit": r.circuit.name,
            "name": m.name,
            "value": value if math.isfinite(value) else math.nan,
            "unit": m.unit,
            "meaning": m.doc,
            "study": m.study,
            "as text": show_merit(r, m, value),
            "censored": describe_censored(value, _find_span(r, m)),
        }
        for r in results
        for m, value in r.merits
    )
    return _make_table(("circuit", "name", "value", "unit", "meaning", "study", "as text", "censored"), rows)


def show_merit(result: CircuitResult, merit: Merit, value: float) -> str:
    """Text of the `value` of a figure of merit, for example ``> 30 ms`` beyond the sweep of its study in `result`.

    `merit` is its declaration.
    """
    return text.show(value, merit.unit, span=_find_span(result, merit))


def _find_span(result: CircuitResult, merit: Merit) -> tuple[float, float]:
    """First and last value of the axis of a figure of merit that is a place on an axis."""
    if not merit.along:
        return -math.inf, math.inf
    axis = result.studies[merit.study].dataset[merit.along]
    return float(axis.min()), float(axis.max())


def tabulate_numerics(results: Sequence[CircuitResult]) -> pd.DataFrame:
    """One row per output, with its largest deviation from simulations with tighter tolerances."""
    rows = (
        {
            "circuit": result.circuit.name,
            "study": study.study.key,
            "output": output,
            "deviation": deviation,
            "deviation %": 100 * deviation,
            "points compared": study.n_checked,
        }
        for result, study in _list_studies(results)
        for output, deviation in study.numerics.items()
    )
    return _make_table(("circuit", "study", "output", "deviation", "deviation %", "points compared"), rows)


def tabulate_failures(results: Sequence[CircuitResult]) -> pd.DataFrame:
    """One row per point without a result, with its conditions and the reason."""
    return _make_table(("circuit", "study", "where", "status", "reason"), _describe_failures(results))


def _describe_failures(results: Sequence[CircuitResult]) -> Rows:
    for result, study in _list_studies(results):
        table = study.dataset[["status", "reason"]].to_dataframe().reset_index()
        dims = [str(d) for d in study.dataset["status"].dims]
        for row in table[table["status"] != OK].to_dict("records"):
            where = join_values({name: row[name] for name in dims})
            start = {"circuit": result.circuit.name, "study": study.study.key, "where": where}
            yield {**start, "status": row["status"], "reason": row["reason"]}
        yield from _describe_added_failures(result, study, "fresh point", study.fresh)
        yield from _describe_added_failures(result, study, "point of the search", study.searched)


def _describe_added_failures(result: CircuitResult, study: StudyResult, kind: str, points: FreshPoints) -> Rows:
    for one in points.tables:
        runs = one.table[one.table["status"] != OK].drop_duplicates(RUN)
        for row in runs.to_dict("records"):
            where = f"{kind} {join_values({name: row[name] for name in study.plan.dims})}"
            start = {"circuit": result.circuit.name, "study": study.study.key, "where": where}
            yield {**start, "status": row["status"], "reason": row["reason"]}


def group_fits(study: StudyResult) -> dict[str, list[Fit]]:
    """Model -> its fits, one per condition."""
    models = dict.fromkeys(fit.model for fit in study.fits)
    return {model: [fit for fit in study.fits if fit.model == model] for model in models}


def show_first_merit(result: CircuitResult) -> str:
    """Name and value of the circuit's first figure of merit."""
    if not result.merits:
        return text.NOTHING
    merit, value = result.merits[0]
    return f"{merit.name} {show_merit(result, merit, value)}"


def join_values(values: Mapping[str, Value]) -> str:
    """Values in one text, for example ``corner=tt temp=27 v_in=0.9``."""
    return " ".join(f"{name}={value if isinstance(value, str) else f'{value:.9g}'}" for name, value in values.items())


def _list_studies(results: Sequence[CircuitResult]) -> Iterator[tuple[CircuitResult, StudyResult]]:
    return ((result, study) for result in results for study in result.studies.values())


def _make_table(columns: Sequence[str], rows: Rows) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))
