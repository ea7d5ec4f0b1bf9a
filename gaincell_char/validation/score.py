"""Errors of the software model against SPICE, per form: compared with the stated errors, and by interval coverage."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from .. import units
from ..declare.bench import Floats
from ..errors import ParameterError
from ..sweeping.run import OK
from .cases import Case, Validation
from .column_noise import NOISE, add_noise
from .coverage import LEVELS, Coverage, measure_coverage, rank_columns

ALLOWED = 3.0
"""Limit of agreement: rms of the errors, each divided by the error stated in the records."""
_STEEP = 5.0
_OUTPUT_STEPS = 15


class ModelUnderTest(Protocol):
    """Interface of the software model of one operation.

    Stored voltages `v_store` [V] have shape (rows, columns), pulse widths `t_pulse` [s] shape (rows,).
    """

    @property
    def forms(self) -> tuple[str, ...]:
        """Names of the forms, best last."""

    def charge(self, form: str, v_store: Floats, t_pulse: Floats) -> Floats:
        """Charge of every column [C], shape (columns,), for `v_store` and `t_pulse` in a `form`."""

    def swing(self, form: str, v_store: Floats, t_pulse: Floats) -> Floats:
        """Course of the charge of every column [C], shape (columns,), for `v_store` and `t_pulse` in a `form`."""

    def output(self, form: str, charge: Floats, swing: Floats | None = None) -> Floats:
        """Output pulse of every column [s], shape (columns,), for `charge` and `swing` [C] in a `form`."""

    def stated(self, form: str, charge: Floats, t_pulse: Floats) -> Floats:
        """Expected rms error of every output [s], shape (columns,), for `charge` and `t_pulse` in a `form`."""

    def draw(self, v_store: Floats, t_pulse: Floats, draws: int, seed: int) -> Floats:
        """Outputs [s] of `draws` random arrays, shape (draws, columns), for `v_store` and `t_pulse` and a `seed`."""


@dataclass(frozen=True, kw_only=True)
class Scales:
    """Scales for the errors of an operation: longest pulse [s], full-scale charge [C], one step of the output [s]."""

    t_max: float
    q_full: float
    lsb: float


@dataclass(frozen=True, kw_only=True)
class ValidationResult:
    """Result of a validation.

    Attributes
    ----------
    rows : DataFrame
        One row per column and pass: SPICE results, rms noise of the pulse (``noise`` [s], NaN if not known), and for
        each form ``q_<form>``, ``output_<form>``, ``stated_<form>``; with mismatch also ``rank``, the rank of the SPICE
        result among the drawn outputs.
    summary : DataFrame
        One row per operation and form.  The ``n_silent`` columns without a pulse in SPICE and model are not among the
        ``n``; only the error of the charge includes them.  ``noise_ns`` and ``noise_percent`` are the rms noise of the
        same columns as the rms error, the noise floor; NaN if it is not known.
    coverage : tuple of Coverage
        Coverage of the intervals; empty without mismatch.
    forms : mapping of str to tuple of str
        Operation -> forms, best last.
    scales : mapping of str to Scales
        Operation -> scales of its errors.
    model_s : float
        Time of the software model [s].
    """

    rows: pd.DataFrame
    summary: pd.DataFrame
    coverage: tuple[Coverage, ...]
    forms: Mapping[str, tuple[str, ...]]
    scales: Mapping[str, Scales]
    model_s: float

    def explained(self) -> list[str]:
        """One sentence per operation on the errors of the best form and the criterion of agreement."""
        return [_explained(self, operation, forms[-1]) for operation, forms in self.forms.items()]

    def disagreements(self, form: str | None = None) -> list[str]:
        """Sentences on errors larger than the records state, for one form, the best by default.

        With mismatch the criterion is the coverage of the 90 % interval.

        Raises
        ------
        ParameterError
            If the form is unknown.
        """
        known = dict.fromkeys(name for forms in self.forms.values() for name in forms)
        if form is not None and form not in known:
            raise ParameterError(f"no form {form!r} in this comparison; have {', '.join(known)}")
        found = []
        for operation, forms in ({} if self.coverage else self.forms).items():
            own = form or forms[-1]
            mine = self.summary[(self.summary["operation"] == operation) & (self.summary["form"] == own)]
            for row in mine.to_dict("records"):
                if row["n"] and not row["agrees"]:
                    found.append(
                        f"{operation}, {own}: rms error {row['rms_ns'] * 1e3:.3g} ps, {row['ratio']:.3g} times "
                        f"the error stated in the records; the limit is {ALLOWED:g} times"
                    )
        for cover in self.coverage:
            low, high = cover.share.low, cover.share.high
            if cover.level == LEVELS[1] and cover.share.n and not low <= cover.level <= high:
                found.append(
                    f"{cover.operation}, {cover.columns} columns: the {100 * cover.level:g} % interval contains "
                    f"{100 * cover.share.value:.3g} % of {cover.share.n} SPICE results"
                )
        return found

    def undecided(self) -> list[str]:
        """Sentences on operations without enough results for a decision."""
        counts = self.summary.groupby("operation")[["n", "n_silent"]].max()
        found = []
        for name in self.forms:
            if not counts["n"][name] and not counts["n_silent"][name]:
                found.append(f"{name}: undecided: no column was simulated; run the same command again")
            elif not counts["n"][name]:
                found.append(f"{name}: undecided: no column has a pulse; simulate more columns or queries")
        return found


def _explained(agreement: ValidationResult, operation: str, form: str) -> str:
    rows = agreement.rows[(agreement.rows["operation"] == operation) & (agreement.rows["status"] == OK)]
    if rows.empty:
        return f"{operation}: no column was simulated"
    pulses = rows[(rows["output"] != 0) | (rows[f"output_{form}"] != 0)]
    if pulses.empty:
        return f"{operation}: {len(rows)} columns, none of them with a pulse in SPICE or model"
    count, rows = len(rows), pulses
    spice, model = rows["output"].to_numpy(dtype=float), rows[f"output_{form}"].to_numpy(dtype=float)
    error, stated = np.abs(model - spice), rows[f"stated_{form}"].to_numpy(dtype=float)
    at = int(error.argmax())
    worst = rows.iloc[at]
    said = (
        f"{operation}, {form}: {count} columns, {count - len(rows)} of them without a pulse in SPICE and model, "
        f"which are not counted; the worst is column {worst['column']} of query {worst['query']}, with an error of "
        f"{units.show(error[at], 's', 3)} at {units.show(float(worst['q_bl']), 'C', 3)}, where the records state "
        f"{units.show(stated[at], 's', 3)}"
    )
    if stated[at] > _STEEP * stated.min():
        rest = np.delete(error, at)
        without = f"; without it the rms error is {units.show(_rms(rest), 's', 3)}" if rest.size else ""
        said += f" (near the threshold of the converter, where the pulse is most sensitive to the charge{without})"
    return (
        f"{said}; errors relative to the stated errors have rms {_rms(error / stated):.3g}; "
        f"the limit for agreement is {ALLOWED:g}"
    )


def judge(
    comparison: Validation,
    models: Mapping[str, ModelUnderTest],
    rows: pd.DataFrame,
    todo: Sequence[Case],
    draws: int = 400,
) -> ValidationResult:
    """Compare predictions with SPICE results and summarize the errors.

    Parameters
    ----------
    comparison : Validation
        The validation.
    models : mapping of str to ModelUnderTest
        Operation -> its software model.
    rows : DataFrame
        SPICE results from `finished_cases`.
    todo : sequence of Case
        The cases.
    draws : int
        Random arrays per pass for the intervals, with mismatch.
    """
    began = time.perf_counter()
    whole_array = comparison.periphery is not None
    predicted = [_predicted(case, models[case.operation.name], whole=whole_array) for case in todo]
    model_s = time.perf_counter() - began
    if comparison.mismatch:
        drawn = [_ranks(case, models[case.operation.name], rows, draws, comparison.seed) for case in todo]
        predicted = [p.merge(d, on=["sample", "point"]) for p, d in zip(predicted, drawn, strict=True)]
    rows = add_noise(comparison, rows, todo)
    whole = rows.merge(pd.concat(predicted, ignore_index=True), on=["sample", "point"])
    scales = {name: _scales(comparison, name) for name in comparison.operations}
    forms = {name: models[name].forms for name in comparison.operations}
    lines = [
        _line(whole[whole["operation"] == name], name, form, scales[name])
        for name in comparison.operations
        for form in forms[name]
    ]
    covered = (
        tuple(c for name in comparison.operations for c in measure_coverage(whole, name)) if comparison.mismatch else ()
    )
    return ValidationResult(
        rows=whole, summary=pd.DataFrame(lines), coverage=covered, forms=forms, scales=scales, model_s=model_s
    )


def _scales(comparison: Validation, name: str) -> Scales:
    circuit = comparison.circuit(comparison.declared.operation(name))
    t_max = circuit["t_max"]
    return Scales(t_max=t_max, q_full=circuit["n_units"] * circuit["i_bias"] * t_max, lsb=t_max / _OUTPUT_STEPS)


def _predicted(case: Case, model: ModelUnderTest, *, whole: bool) -> pd.DataFrame:
    """Predictions for the columns of a case; with `whole` all columns of its array load the rows and the bias."""
    found: dict[str, object] = {"sample": case.number, "point": list(case.columns)}
    chosen = list(case.columns) if whole else slice(None)
    v_store = case.array if whole else case.v_store
    for form in model.forms:
        charge, swing = model.charge(form, v_store, case.t_pulse), model.swing(form, v_store, case.t_pulse)
        found |= {
            f"q_{form}": charge[chosen],
            f"output_{form}": model.output(form, charge, swing)[chosen],
            f"stated_{form}": model.stated(form, charge, case.t_pulse)[chosen],
        }
    return pd.DataFrame(found)


def _ranks(case: Case, model: ModelUnderTest, rows: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    """Rank of the SPICE result among the drawn outputs, and share of ties, of every column."""
    drawn = model.draw(case.v_store, case.t_pulse, draws, seed + case.number)
    mine = rows[rows["sample"] == case.number].set_index("point")["output"]
    spice = mine.reindex(list(case.columns)).to_numpy(dtype=float)
    ranks = rank_columns(drawn, spice, seed, case.number)
    return ranks.assign(sample=case.number, point=list(case.columns))


def _line(rows: pd.DataFrame, operation: str, form: str, scales: Scales) -> dict[str, object]:
    """Errors of one form; columns without a pulse in SPICE and model would make every rms smaller."""
    good = rows[rows["status"] == OK]
    silent = (good["output"] == 0) & (good[f"output_{form}"] == 0)
    charge = (good[f"q_{form}"] - good["q_bl"]).to_numpy(dtype=float)
    return {
        "operation": operation,
        "form": form,
        "n": int((~silent).sum()),
        "n_silent": int(silent.sum()),
        "failed": len(rows) - len(good),
        "charge_percent": 100 * _rms(charge) / scales.q_full,
        **_measure_pulses(good[~silent], form, scales),
    }


def _measure_pulses(rows: pd.DataFrame, form: str, scales: Scales) -> dict[str, object]:
    spice = rows["output"].to_numpy(dtype=float)
    stated = rows[f"stated_{form}"].to_numpy(dtype=float)
    error = rows[f"output_{form}"].to_numpy(dtype=float) - spice
    noise = _rms(rows[NOISE].to_numpy(dtype=float))
    rms, worst, ratio = _rms(error), float(np.abs(error).max(initial=0.0)), _rms(error / stated)
    spread = float(((spice - spice.mean()) ** 2).sum()) if spice.size else 0.0
    return {
        "rms_ns": 1e9 * rms,
        "noise_ns": 1e9 * noise,
        "worst_ns": 1e9 * worst,
        "rms_lsb": rms / scales.lsb,
        "worst_lsb": worst / scales.lsb,
        "rms_percent": 100 * rms / scales.t_max,
        "worst_percent": 100 * worst / scales.t_max,
        "noise_percent": 100 * noise / scales.t_max,
        "r2": 1 - float((error**2).sum()) / spread if spread > 0 else float("nan"),
        "ratio": ratio,
        "stated_ns": 1e9 * float(np.median(stated)) if stated.size else float("nan"),
        "agrees": bool(len(rows)) and ratio <= ALLOWED,
    }


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")
