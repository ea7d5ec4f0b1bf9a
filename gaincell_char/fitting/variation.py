"""Variation between copies of a circuit: statistics of outputs, and a few random coefficients per copy."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from ..declare.bench import Floats
from ..declare.model import RandomModel
from ..errors import FitError
from ..storage.schema_fields import Conditions, Count, Finite, Known, KnownNotNegative, Label, Name, Text
from .fit import check_ranges
from .log_normal import find_numbers
from .variation_errors import check_errors, find_explained, find_sigma_error, held_out

PARTS = ("process", "mismatch")
_FEWEST_SAMPLES = 16


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RandomCoefficient(_Stored):
    """One random coefficient of a copy: normal, with the mean and sigma over all samples."""

    name: Name
    unit: Text
    doc: Text
    mean: Finite
    sigma: Finite


class RandomFit(_Stored):
    """A nominal model with random coefficients, from which circuits can be drawn.

    Attributes
    ----------
    nominal : str
        Model of the typical circuit; its fit is in the same record.
    covariance : mapping of str to list of lists
        Part (``"process"``: shared by a die; ``"mismatch"``: independent for each circuit) -> covariance of the
        coefficients, in their order.
    process : mapping of str to list of float
        Process parameter -> change of each coefficient per standard deviation.  The numbers of a die are independent:
        with correlated parameters they are those before the correlation, in the order of the technology.
    process_second : mapping of str to mapping
        Process parameter -> this or a later one -> change of each coefficient per product; empty with too few samples.
    explained : float
        Share of the variance between copies that the coefficients explain; if there are enough inputs, at inputs that
        were not used to determine the coefficients.
    sigma_error : float
        Largest relative error of the output's sigma over the inputs.  Sigma of the model is from the first half of
        the samples, sigma of the simulation from the second half.
    n_inputs, n_held_out : int
        Number of grid points used per sample, and of those that were held out for `explained`.
    """

    model: Name
    nominal: Name
    equation: Text
    inputs: tuple[Name, ...]
    output: Name
    conditions: Conditions
    valid_range: dict[Name, tuple[Finite, Finite]]
    coefficients: list[RandomCoefficient]
    covariance: dict[Name, list[list[Finite]]]
    process: dict[Name, list[Finite]] = {}
    process_second: dict[Name, dict[Name, list[Finite]]] = {}
    explained: Finite
    sigma_error: Finite
    n_samples: Count
    n_inputs: Count
    n_held_out: Count

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        size = len(self.coefficients)
        if odd := self.covariance.keys() - set(PARTS):
            raise ValueError(f"covariance of {', '.join(sorted(odd))}: the parts are {', '.join(PARTS)}")
        for part, rows in self.covariance.items():
            if len(rows) != size or any(len(row) != size for row in rows):
                raise ValueError(
                    f"the {part} covariance of {size} coefficients must have {size} rows of {size} numbers"
                )
            if any(row[i] < 0 for i, row in enumerate(rows)):
                raise ValueError(f"a variance on the diagonal of the {part} covariance is negative")
        second = [changes for others in self.process_second.values() for changes in others.values()]
        if any(len(changes) != size for changes in (*self.process.values(), *second)):
            raise ValueError(f"process: every parameter of {size} coefficients must have {size} numbers")
        check_ranges(self.valid_range, self.inputs)
        return self


class OutputSpread(_Stored):
    """Mean and sigma of one output or feature at one point of the grid.

    None if there are too few samples, or if ``n_beyond`` of them lie beyond the swept range.
    """

    name: Text
    unit: Text
    where: dict[Name, Finite | Label]
    n: Count
    n_beyond: Count = 0
    mean: Known
    sigma: KnownNotNegative


class VariationSummary(_Stored):
    """Statistics of one campaign.

    Attributes
    ----------
    correlation : list of lists
        Correlation of the features of the circuit, or of the outputs if it has none, in the order of `correlated`.
    failed : mapping of str to int
        Reason -> number of points that failed for it.
    """

    vary: Name
    sampler: Name
    seed: int
    n_requested: Count
    n_points: Count
    n_ok: Count
    failed: dict[Text, Count]
    outputs: list[OutputSpread]
    correlated: list[Text]
    correlation: list[list[float | None]]
    random: list[RandomFit] = []


def basis(model: RandomModel, nominal: Mapping[str, float], inputs: Sequence[Floats]) -> Floats:
    """Derivative of the output by each random coefficient at the typical circuit.

    It is computed by central differences over twice the coefficient's scale.

    Parameters
    ----------
    model : RandomModel
        Declaration of the random coefficients.
    nominal : mapping of str to float
        Coefficients of the typical circuit.
    inputs : sequence of ndarray, shape (n_inputs,)
        Inputs of the model, in its order [SI units].

    Returns
    -------
    ndarray, shape (n_inputs, n_coefficients)
        Derivatives [unit of the output per unit of the coefficient].
    """

    def output_at(changed: str, step: float) -> Floats:
        """Output with one coefficient changed from its typical value, 0."""
        values = {**dict.fromkeys(model.random, 0.0), changed: step}
        return np.asarray(model(*inputs, **values, **nominal), dtype=float)

    columns = []
    for name, coefficient in model.random.items():
        step = coefficient.scale
        columns.append((output_at(name, step) - output_at(name, -step)) / (2 * step))
    return np.stack(columns, axis=1)


def fit_random(
    model: RandomModel,
    nominal: Mapping[str, float],
    inputs: Mapping[str, Floats],
    deviations: Floats,
    draws: Floats,
    parts: Mapping[str, str],
    conditions: Mapping[str, float | str],
) -> RandomFit:
    """Fit the random coefficients to every sample, and divide their covariance among the parts of the draws.

    Parameters
    ----------
    model : RandomModel
        Declaration of the random coefficients.
    nominal : mapping of str to float
        Coefficients of the typical circuit.
    inputs : mapping of str to ndarray, shape (n_inputs,)
        Grid of every sample [SI units].
    deviations : ndarray, shape (n_samples, n_inputs)
        Output minus output of the typical circuit [SI unit]; rows with NaN are left out.
    draws : ndarray, shape (n_samples, n_variables)
        Standard normal numbers of each sample, dimensionless.
    parts : mapping of str to str
        Variable, in the order of the draws -> "process" or "mismatch".
    conditions : mapping of str to float or str
        Corner, temperature and every other value at which the samples were simulated.

    Raises
    ------
    FitError
        If there are too few samples or inputs, or the inputs do not determine a coefficient.
    """
    good = np.isfinite(deviations).all(axis=1)
    used = np.broadcast_to(np.asarray(model.estimation_mask(*inputs.values(), nominal=nominal)), deviations.shape[1:])
    samples, x = deviations[good][:, used], {name: values[used] for name, values in inputs.items()}
    _check_count(model, samples, draws)
    columns = basis(model, nominal, list(x.values()))
    _check_rank(model, columns)
    return _make_fit(model, x, samples, draws[good], columns, parts, conditions)


def _make_fit(
    model: RandomModel,
    inputs: Mapping[str, Floats],
    samples: Floats,
    draws: Floats,
    columns: Floats,
    parts: Mapping[str, str],
    conditions: Mapping[str, float | str],
) -> RandomFit:
    """Coefficients of the samples, shape (n_samples, n_inputs), and the share of the variance that they explain."""
    found = samples @ np.linalg.pinv(columns).T
    held = held_out(inputs)
    explained, sigma_error = find_explained(columns, samples, held), find_sigma_error(columns, found, samples)
    check_errors(model, explained, sigma_error)
    numbers = find_numbers(model, found)
    return RandomFit(
        model=model.name,
        nominal=model.nominal.name,
        equation=model.equation,
        inputs=model.inputs,
        output=model.output,
        conditions=dict(conditions),
        valid_range={name: (float(values.min()), float(values.max())) for name, values in inputs.items()},
        coefficients=_coefficients(model, numbers),
        covariance=_covariance_by_part(numbers, draws, list(parts.values())),
        **_process_terms(numbers, draws, parts),
        explained=explained,
        sigma_error=sigma_error,
        n_samples=len(samples),
        n_inputs=samples.shape[1],
        n_held_out=int(held.sum()),
    )


def _coefficients(model: RandomModel, found: Floats) -> list[RandomCoefficient]:
    """Mean and sigma of each coefficient over the samples, `found` of shape (n_samples, n_coefficients)."""
    means, sigmas = found.mean(axis=0).tolist(), found.std(axis=0, ddof=1).tolist()
    return [
        RandomCoefficient(name=name, unit=c.unit, doc=c.doc, mean=mean, sigma=sigma)
        for (name, c), mean, sigma in zip(model.random.items(), means, sigmas, strict=True)
    ]


def _check_count(model: RandomModel, samples: Floats, draws: Floats) -> None:
    least = max(_FEWEST_SAMPLES, 2 * (draws.shape[1] + 2))
    if len(samples) < least:
        raise FitError(f"{model.name}: {len(samples)} finished samples are too few; {least} are needed")


def _check_rank(model: RandomModel, columns: Floats) -> None:
    size = np.linalg.norm(columns, axis=0)
    if len(columns) <= columns.shape[1]:
        raise FitError(f"{model.name}: {len(columns)} inputs are too few for {columns.shape[1]} coefficients")
    if not size.all() or np.linalg.matrix_rank(columns / size, tol=1e-6) < columns.shape[1]:
        raise FitError(f"{model.name}: the grid does not determine its coefficients; widen {', '.join(model.inputs)}")


def _process_terms(found: Floats, draws: Floats, parts: Mapping[str, str]) -> dict[str, Any]:
    """Changes of the coefficients by each process parameter and by each product of two."""
    process = [(name, draws[:, i]) for i, (name, part) in enumerate(parts.items()) if part == "process"]
    pairs = [(one, other) for i, one in enumerate(process) for other in process[i:]]
    if len(draws) < 2 * (1 + draws.shape[1] + len(pairs)):
        pairs = []
    slopes = _slopes(found, np.column_stack([draws, *(one[1] * other[1] for one, other in pairs)]))
    linear = dict(zip(parts, slopes[1:], strict=False))
    second: dict[str, dict[str, list[float]]] = {}
    for (one, other), row in zip(pairs, slopes[1 + draws.shape[1] :], strict=True):
        second.setdefault(one[0], {})[other[0]] = row.tolist()
    return {"process": {name: linear[name].tolist() for name, _ in process}, "process_second": second}


def _slopes(found: Floats, draws: Floats) -> Floats:
    """Intercept and slopes of the coefficients, shape (1 + n_variables, n_coefficients)."""
    return np.asarray(np.linalg.lstsq(np.column_stack([np.ones(len(draws)), draws]), found, rcond=None)[0])


def _covariance_by_part(found: Floats, draws: Floats, parts: Sequence[str]) -> dict[str, list[list[float]]]:
    """Covariance of each part: what is linear in its draws; the rest is mismatch, or process if only that varies."""
    design = np.column_stack([np.ones(len(draws)), draws])
    slopes = _slopes(found, draws)
    rest = found - design @ slopes
    rest_covariance = rest.T @ rest / max(len(rest) - design.shape[1], 1)
    own = "mismatch" if "mismatch" in parts else "process"
    covariance = {}
    for part in PARTS:
        of_part = [1 + variable for variable, name in enumerate(parts) if name == part]
        if of_part:
            # The draws are standard normal and independent: their covariance is 1.
            linear = slopes[of_part].T @ slopes[of_part]
            covariance[part] = (linear + rest_covariance if part == own else linear).tolist()
    return covariance
