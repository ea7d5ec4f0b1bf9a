"""How copies of a circuit differ: statistics of outputs, and a few random coefficients per copy."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from ..declare.bench import Floats
from ..declare.model import RandomModel
from ..errors import FitError
from ..storage.untrusted import Conditions, Count, Finite, Known, KnownNotNegative, Label, Name, Text
from .fit import held_out

PARTS = ("process", "mismatch")
_FEWEST_SAMPLES = 16


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RandomCoefficient(_Stored):
    """One random coefficient of a copy: normal, with the mean and sigma of all parts together."""

    name: Name
    unit: Text
    doc: Text
    mean: Finite
    sigma: Finite


class RandomFit(_Stored):
    """A nominal model with random coefficients: what is needed to draw whole circuits.

    Attributes
    ----------
    nominal : str
        Model of the typical circuit; its fit is in the same record.
    covariance : mapping of str to list of lists
        Part (``"process"``: shared by a die, ``"mismatch"``: each circuit's own) -> covariance of the
        coefficients, in their order.
    explained : float
        Share of the variance between copies that the coefficients explain, at inputs their values were not
        read off from if there are enough.
    sigma_error : float
        Largest relative error of the output's sigma over the inputs, sigma of the model from the first half of
        the samples, of the simulation from the second.
    n_inputs, n_held_out : int
        Points of the grid used per sample, and those kept from it for `explained`.
    """

    model: Name
    nominal: Name
    equation: Text
    inputs: tuple[Name, ...]
    output: Name
    conditions: Conditions
    box: dict[Name, tuple[Finite, Finite]]
    coefficients: list[RandomCoefficient]
    covariance: dict[Name, list[list[Finite]]]
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
                raise ValueError(f"the {part} covariance of {size} coefficients takes {size} rows of {size} numbers")
            if any(row[i] < 0 for i, row in enumerate(rows)):
                raise ValueError(f"a variance on the diagonal of the {part} covariance is negative")
        if set(self.box) != set(self.inputs):
            raise ValueError(
                f"the box names {', '.join(self.box) or 'nothing'}; the inputs are {', '.join(self.inputs)}"
            )
        return self


class OutputSpread(_Stored):
    """Mean and sigma of one output or feature at one place of the grid.

    None where there are too few samples, or ``n_beyond`` of them lie beyond the end of what was swept.
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
        Of the features of the circuit, or of the outputs if it has none, in the order of `correlated`.
    failed : mapping of str to int
        Reason -> points that failed for it.
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
    """Change of the output per random coefficient at the typical circuit, shape (n_inputs, n_coefficients)."""

    def at(changed: str, step: float) -> Any:
        values = {name: step if name == changed else 0.0 for name in model.random}
        return np.asarray(model.function(*inputs, **values, **nominal), dtype=float)

    columns = [(at(name, c.scale) - at(name, -c.scale)) / (2 * c.scale) for name, c in model.random.items()]
    return np.stack(columns, axis=1)


def fit_random(
    model: RandomModel,
    nominal: Mapping[str, float],
    inputs: Mapping[str, Floats],
    deviations: Floats,
    draws: Floats,
    parts: Sequence[str],
    conditions: Mapping[str, float | str],
) -> RandomFit:
    """Read the random coefficients off every sample, and how much of it each part of the draws explains.

    Parameters
    ----------
    inputs : mapping of str to ndarray, shape (n_inputs,)
        Grid every sample was measured on.
    deviations : ndarray, shape (n_samples, n_inputs)
        Output less that of the typical circuit; rows with NaN are left out.
    draws : ndarray, shape (n_samples, n_variables)
        Standard normal numbers of each sample.
    parts : sequence of str
        Variable -> "process" or "mismatch".

    Raises
    ------
    FitError
        If there are too few samples or inputs, or the inputs do not determine a coefficient.
    """
    good = np.isfinite(deviations).all(axis=1)
    used = np.broadcast_to(np.asarray(model.estimation_mask(*inputs.values())), deviations.shape[1:])
    y, z = deviations[good][:, used], draws[good]
    x = {name: values[used] for name, values in inputs.items()}
    _check_count(model, y, z)
    columns = basis(model, nominal, list(x.values()))
    _check_rank(model, columns)
    found = y @ np.linalg.pinv(columns).T
    held = held_out(x)
    explained, sigma_error = _explained(columns, y, held), _sigma_error(columns, found, y)
    _check_variation(model, explained, sigma_error)
    return RandomFit(
        model=model.name,
        nominal=model.nominal,
        equation=model.equation,
        inputs=model.inputs,
        output=model.output,
        conditions=dict(conditions),
        box={name: (float(v.min()), float(v.max())) for name, v in x.items()},
        coefficients=[
            RandomCoefficient(name=name, unit=c.unit, doc=c.doc, mean=float(m), sigma=float(s))
            for (name, c), m, s in zip(model.random.items(), found.mean(axis=0), found.std(axis=0, ddof=1), strict=True)
        ],
        covariance=_by_part(found, z, parts),
        explained=explained,
        sigma_error=sigma_error,
        n_samples=len(y),
        n_inputs=y.shape[1],
        n_held_out=int(held.sum()),
    )


def _check_count(model: RandomModel, samples: Floats, draws: Floats) -> None:
    least = max(_FEWEST_SAMPLES, 2 * (draws.shape[1] + 2))
    if len(samples) < least:
        raise FitError(f"{model.name}: {len(samples)} finished samples are too few; {least} are needed")


def _check_variation(model: RandomModel, *figures: float) -> None:
    if not np.isfinite(figures).all():
        raise FitError(f"{model.name}: {model.output} does not vary from sample to sample at some input")


def _check_rank(model: RandomModel, columns: Floats) -> None:
    size = np.linalg.norm(columns, axis=0)
    if len(columns) <= columns.shape[1]:
        raise FitError(f"{model.name}: {len(columns)} inputs are too few for {columns.shape[1]} coefficients")
    if not size.all() or np.linalg.matrix_rank(columns / size, tol=1e-6) < columns.shape[1]:
        raise FitError(f"{model.name}: the grid does not determine its coefficients; widen {', '.join(model.inputs)}")


def _by_part(found: Floats, draws: Floats, parts: Sequence[str]) -> dict[str, list[list[float]]]:
    """Covariance by what was drawn: linear in the draws, which are known; the rest counts as the circuit's own."""
    design = np.column_stack([np.ones(len(draws)), draws])
    slopes, *_ = np.linalg.lstsq(design, found, rcond=None)
    rest = found - design @ slopes
    own = "mismatch" if "mismatch" in parts else "process"
    covariance = {}
    for part in PARTS:
        columns = [1 + i for i, name in enumerate(parts) if name == part]
        if columns:
            linear = slopes[columns].T @ slopes[columns]
            extra = rest.T @ rest / max(len(rest) - design.shape[1], 1) if part == own else 0.0
            covariance[part] = np.asarray(linear + extra).tolist()
    return covariance


def _explained(columns: Floats, y: Floats, held: Any) -> float:
    read, shown = (~held, held) if held.any() else (slice(None), slice(None))
    found = y[:, read] @ np.linalg.pinv(columns[read]).T
    spread = y[:, shown] - y[:, shown].mean(axis=0)
    rest = (y - found @ columns.T)[:, shown]
    rest = rest - rest.mean(axis=0)
    return float(1 - np.sum(rest**2) / np.sum(spread**2))


def _sigma_error(columns: Floats, found: Floats, y: Floats) -> float:
    # First and second half: every second Sobol point lies on the same side of the first variables.
    half = len(y) // 2
    model = np.sqrt(np.einsum("ij,jk,ik->i", columns, np.atleast_2d(np.cov(found[:half].T)), columns))
    simulated = y[half:].std(axis=0, ddof=1)
    return float(np.abs(model / simulated - 1).max())
