"""The typical circuit of a campaign, its nominal models, and the random coefficients of every sample."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from .. import registry
from ..declare.bench import Floats, Numbers
from ..declare.model import RandomModel
from ..declare.parameters import numbers
from ..errors import DataError, FitError
from ..fitting.fit import Fit, fit_all
from ..fitting.variation import RandomFit, fit_random
from ..spice.pool import Pool
from ..storage.flat import flatten_dataset
from ..sweeping.run import characterize
from . import execute, results
from .campaign import Campaign
from .sampling import PROCESS


def simulate_typical_grid(campaign: Campaign, pool: Pool) -> xr.Dataset:
    """Simulate the circuit without deviations: every output over the grid, NaN after a failure."""
    items = execute.simulate_typical(campaign, pool)
    rows = [{name: np.asarray(value).tolist() for name, value in item.values.items()} for item in items]
    frame = pd.DataFrame(rows, columns=[output.name for output in campaign.plan.bench.outputs])
    return results.to_grid(campaign, frame, 1).isel(sample=0)


def declared_models(campaign: Campaign) -> tuple[RandomModel, ...]:
    """Random models that the circuit declares for this bench and the parameters of the campaign."""
    return campaign.plan.circuit.random_models(campaign.plan.bench.name, campaign.plan.fixed)


def fit_nominal(campaign: Campaign, pool: Pool) -> tuple[list[Fit], list[str]]:
    """Fit the nominal models to the typical circuit over the sweep of the bench.

    Returns
    -------
    fits : list of Fit
        One per model, corner and temperature.
    left_out : list of str
        Reasons of failed fits.
    """
    fits: list[Fit] = []
    left_out: list[str] = []
    request = campaign.request
    for model in (random.nominal for random in declared_models(campaign)):
        plan = registry.plan_bench(
            request["circuit"],
            request["bench"],
            technology=request["technology"],
            netlist=request["netlist"],
            sweep={name: campaign.plan.bench.sweep[name] for name in model.inputs},
            own_sweep=False,
            corners=request["corners"],
            temps=request["temps"],
            set_={name: value for name, value in request["set_"].items() if name not in model.inputs},
        )
        dataset = characterize(plan, pool=pool).dataset
        units = {o.name: o.unit for o in plan.bench.outputs}
        found, why_not = fit_all(
            [model], flatten_dataset(dataset), tuple(map(str, dataset.dims)), numbers(plan.fixed), units
        )
        fits += found
        left_out += map(str, why_not)
    return fits, left_out


def fit_random_model(
    campaign: Campaign, model: RandomModel, grid: xr.Dataset, typical: xr.Dataset, fits: Sequence[Fit], draws: Floats
) -> list[RandomFit]:
    """Fit a random model to the deviations of all samples from the typical circuit, per corner and temperature.

    Parameters
    ----------
    campaign : Campaign
        The campaign.
    model : RandomModel
        The declared model.
    grid, typical : Dataset
        Outputs of every sample, and of the typical circuit, over the same grid, in SI units.
    fits : sequence of Fit
        Fits of the nominal model.
    draws : ndarray, shape (n_samples, n_variables)
        Standard normal numbers of each sample, dimensionless.

    Raises
    ------
    DataError
        If the grid sweeps a parameter that is not an input of the model.
    FitError
        If there is no nominal fit, or the samples do not determine the model.
    """
    deviations = grid[model.output] - typical[model.output]
    inner = [str(dim) for dim in deviations.dims if dim not in ("sample", "corner", "temp")]
    if strange := [name for name in inner if name not in model.inputs and grid.sizes[name] > 1]:
        raise DataError(f"{model.name}: the grid also sweeps {', '.join(strange)}, not an input; do not sweep it")
    inputs = _inputs(model, grid, inner, numbers(campaign.plan.fixed))
    parts = {v.name: "process" if v.group == PROCESS else "mismatch" for v in campaign.variables}
    found = []
    for corner, temp in itertools.product(campaign.plan.corners, campaign.plan.temps):
        at: dict[str, float | str] = {"corner": corner, "temp": float(temp)}
        samples = deviations.sel(at).transpose("sample", *inner).to_numpy()
        samples = samples.reshape(len(samples), -1)
        found.append(fit_random(model, _nominal_at(fits, model.nominal.name, at), inputs, samples, draws, parts, at))
    return found


def _inputs(model: RandomModel, grid: xr.Dataset, inner: Sequence[str], fixed: Numbers) -> dict[str, Floats]:
    """Value of each input at every point of the flattened grid; an input that is not swept has its fixed value."""
    axes = [grid[name].to_numpy() for name in inner]
    swept = dict(zip(inner, np.meshgrid(*axes, indexing="ij"), strict=True))
    size = math.prod(len(axis) for axis in axes)
    inputs = {}
    for name in model.inputs:
        inputs[name] = swept[name].ravel() if name in swept else np.full(size, fixed.get(name, np.nan))
    return inputs


def _nominal_at(fits: Sequence[Fit], name: str, at: Mapping[str, float | str]) -> dict[str, float]:
    for fit in fits:
        if fit.model == name and at.items() <= fit.conditions.items():
            return fit.values()
    raise FitError(f"{name} could not be fitted to the typical circuit at {dict(at)}")
