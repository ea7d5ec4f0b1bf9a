"""The typical circuit of a campaign, its nominal models, and the random coefficients of every sample."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from .. import registry
from ..declare.bench import Floats
from ..declare.model import RandomModel
from ..declare.parameters import numbers
from ..errors import DataError, FitError
from ..fitting.fit import Fit, fit_all
from ..fitting.variation import RandomFit, fit_random
from ..spice.pool import Pool
from ..storage.flat import flat
from ..sweep.run import characterize
from . import execute, results
from .campaign import Campaign
from .sampling import PROCESS


def typical(campaign: Campaign, pool: Pool) -> xr.Dataset:
    """Every output of the circuit with all deviations at 0, over the grid."""
    items = execute.typical(campaign, pool)
    frame = pd.DataFrame(
        {
            output.name: [np.asarray(i.values[output.name]).tolist() if i.values else None for i in items]
            for output in campaign.plan.bench.outputs
        }
    )
    return results.cube(campaign, frame, 1).isel(sample=0)


def random_models(campaign: Campaign) -> tuple[RandomModel, ...]:
    """What the circuit declares for this bench."""
    declared = campaign.plan.circuit.spread(campaign.plan.bench.name)
    return declared.models if declared else ()


def nominal_fits(campaign: Campaign, pool: Pool) -> tuple[list[Fit], list[str]]:
    """Fits of the nominal models to the typical circuit over the bench's own sweep."""
    fits: list[Fit] = []
    left_out: list[str] = []
    request, circuit = campaign.request, campaign.plan.circuit
    for model in (circuit.model(random.nominal) for random in random_models(campaign)):
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
        found, why_not = fit_all([model], flat(dataset), tuple(map(str, dataset.dims)), numbers(plan.fixed), units)
        fits += found
        left_out += map(str, why_not)
    return fits, left_out


def random_fits(
    campaign: Campaign, model: RandomModel, cube: xr.Dataset, typical: xr.Dataset, fits: Sequence[Fit], draws: Floats
) -> list[RandomFit]:
    """One fit per corner and temperature."""
    inner = [str(d) for d in cube[model.output].dims if d not in ("sample", "corner", "temp")]
    if strange := [name for name in inner if name not in model.inputs and cube.sizes[name] > 1]:
        raise DataError(f"{model.name}: the grid also sweeps {', '.join(strange)}; leave that out")
    values = numbers(campaign.plan.fixed)
    grid = np.meshgrid(*(cube[name].to_numpy() for name in inner), indexing="ij")
    axes = {name: axis.ravel() for name, axis in zip(inner, grid, strict=True)}
    size = next(iter(axes.values())).size if axes else 1
    inputs = {name: axes.get(name, np.full(size, values.get(name, np.nan))) for name in model.inputs}
    parts = ["process" if v.group == PROCESS else "mismatch" for v in campaign.variables]
    found = []
    for corner in campaign.plan.corners:
        for temp in campaign.plan.temps:
            at: dict[str, float | str] = {"corner": corner, "temp": float(temp)}
            samples = (
                cube[model.output].sel(at).transpose("sample", *inner).to_numpy().reshape(cube.sizes["sample"], -1)
            )
            centre = typical[model.output].sel(at).transpose(*inner).to_numpy().reshape(-1)
            nominal = _nominal_at(fits, model.nominal, at)
            found.append(fit_random(model, nominal, inputs, samples - centre, draws, parts, at))
    return found


def _nominal_at(fits: Sequence[Fit], name: str, at: Mapping[str, float | str]) -> dict[str, float]:
    for fit in fits:
        if fit.model == name and at.items() <= fit.conditions.items():
            return fit.values()
    raise FitError(f"{name} could not be fitted to the typical circuit at {dict(at)}")
