"""What a finished campaign says: moments, quantiles, contributions, yield, worst samples, random coefficients."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..declare.bench import Floats
from ..errors import DataError, FitError, ParameterError
from ..fitting import statistics
from ..fitting.fit import Fit
from ..fitting.record import Origin, Record, make_record
from ..fitting.statistics import Goal, Proportion, Spec
from ..fitting.variation import OutputSpread, RandomFit, VariationSummary
from ..spice.pool import Pool
from ..sweep.run import OK
from . import random_models, results
from .campaign import Campaign
from .sampling import PROCESS
from .sensitivity import contributions
from .verify import Verification

_MOST_SHOWN, _FEW = 9, 8
_PROBABILITIES = (0.00135, 0.05, 0.5, 0.95, 0.99865)


@dataclass(frozen=True, kw_only=True)
class SampledQuantity:
    """One number per sample: an output at one place of the grid, or a feature; ``main`` ones are shown one by one.

    An infinite value lies beyond ``end`` [unit].
    """

    name: str
    unit: str
    doc: str
    where: Mapping[str, Any]
    values: Floats
    main: bool
    end: float = float("inf")

    @property
    def label(self) -> str:
        """Name and place."""
        at = ", ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in self.where.items())
        return f"{self.name} at {at}" if at else self.name


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Tables of a campaign.

    Attributes
    ----------
    quantities : tuple of SampledQuantity
        Every feature, then every output over the grid, in the order of `moments`.
    random : tuple of RandomFit
        Fitted random coefficients.
    left_out : tuple of str
        What could not be computed, and why.
    """

    n: int
    cube: xr.Dataset
    quantities: tuple[SampledQuantity, ...]
    moments: pd.DataFrame
    quantiles: pd.DataFrame
    contributions: pd.DataFrame
    worst: pd.DataFrame
    yields: tuple[tuple[str, Proportion], ...]
    typical: xr.Dataset
    fits: tuple[Fit, ...]
    random: tuple[RandomFit, ...]
    left_out: tuple[str, ...]
    record: Record

    @property
    def shown(self) -> list[SampledQuantity]:
        """What a page shows one by one: features, or else the main output spread evenly over the grid."""
        return _some(self.quantities)


def analyse(
    campaign: Campaign,
    rows: pd.DataFrame,
    n: int,
    *,
    pool: Pool,
    specs: Sequence[Spec] = (),
    check: Verification | None = None,
) -> Analysis:
    """Compute every table of a finished campaign; simulates the typical circuit for its nominal models.

    Parameters
    ----------
    rows : DataFrame
        From `results.complete`.
    specs : sequence of Spec
        Limits whose yield is wanted.
    check : Verification, optional
        What the record states as the error of the simulation.
    """
    cube = results.cube(campaign, rows, n)
    features = _features(campaign, cube)
    quantities = (*features, *_outputs(campaign, cube, main=not features))
    draws = campaign.draws(n)
    typical = random_models.typical(campaign, pool)
    fits, left_out = random_models.nominal_fits(campaign, pool)
    random: list[RandomFit] = []
    for model in random_models.random_models(campaign):
        try:
            random += random_models.random_fits(campaign, model, cube, typical, fits, draws)
        except (FitError, DataError) as error:
            left_out.append(str(error))
    shown = _some(quantities)
    shares, why_not = _contributions(campaign, shown, draws)
    spread = _spread(campaign, rows, n, quantities, random)
    return Analysis(
        n=n,
        cube=cube,
        quantities=quantities,
        moments=_moments(quantities),
        quantiles=_quantiles(quantities),
        contributions=shares,
        worst=_worst(campaign, shown),
        yields=_yields(quantities, specs),
        typical=typical,
        fits=tuple(fits),
        random=tuple(random),
        left_out=(*left_out, *why_not),
        record=_record(campaign, rows, fits, spread, pool.version, dict(check.tight) if check else {}),
    )


def width(campaign: Campaign, rows: pd.DataFrame, n: int, goal: Goal, specs: Sequence[Spec]) -> float:
    """How well a goal's statistic is known: its half-width, of the quantity where it is widest."""
    cube = results.cube(campaign, rows, n)
    features = _features(campaign, cube)
    quantities = (*features, *_outputs(campaign, cube, main=not features))
    if goal.statistic == "yield":
        return max(goal.width(spec_passes(quantities, spec)) for spec in specs)
    return max(goal.width(quantity.values) for quantity in quantities if quantity.main)


def _features(campaign: Campaign, cube: xr.Dataset) -> list[SampledQuantity]:
    declared = campaign.plan.circuit.spread(campaign.plan.bench.name)
    found: list[SampledQuantity] = []
    for feature in declared.features if declared else ():
        if cube.sizes.get(feature.along, 0) > 1:
            end = float(cube[feature.along].max()) if feature.censored else float("inf")
            found += _split(feature.name, feature.unit, feature.doc, feature.compute(cube), main=True, end=end)
    return found


def _outputs(campaign: Campaign, cube: xr.Dataset, *, main: bool) -> list[SampledQuantity]:
    outputs = campaign.plan.bench.outputs
    declared = campaign.plan.circuit.spread(campaign.plan.bench.name)
    chosen = declared.output if declared else outputs[0].name
    return [
        quantity
        for output in outputs
        for quantity in _split(output.name, output.unit, output.doc, cube[output.name], main and output.name == chosen)
    ]


def _split(
    name: str, unit: str, doc: str, array: xr.DataArray, main: bool, end: float = float("inf")
) -> list[SampledQuantity]:
    """One quantity per place of the grid; a dimension of one value names no place."""
    others = [str(dim) for dim in array.dims if dim != "sample"]
    stacked = array.transpose("sample", *others)
    told = [dim for dim in others if array.sizes[dim] > 1]
    return [
        SampledQuantity(
            name=name,
            unit=unit,
            doc=doc,
            where={d: array[d].to_numpy()[i] for d, i in zip(others, index, strict=True) if d in told},
            values=stacked.to_numpy()[(slice(None), *index)],
            main=main,
            end=end,
        )
        for index in np.ndindex(*(array.sizes[dim] for dim in others))
    ]


def _some(quantities: Sequence[SampledQuantity]) -> list[SampledQuantity]:
    """What a page shows one by one: features, or else the main output spread evenly over the grid."""
    chosen = [q for q in quantities if q.main]
    picked = np.unique(np.linspace(0, len(chosen) - 1, min(len(chosen), _MOST_SHOWN)).round().astype(int))
    return [chosen[i] for i in picked]


def _moments(quantities: Sequence[SampledQuantity]) -> pd.DataFrame:
    rows = []
    for quantity in quantities:
        rows.append(
            {
                "name": quantity.name,
                "unit": quantity.unit,
                **quantity.where,
                **vars(statistics.moments(quantity.values)),
            }
        )
    return pd.DataFrame(rows)


def _quantiles(quantities: Sequence[SampledQuantity]) -> pd.DataFrame:
    parts = []
    for quantity in quantities:
        table = statistics.quantiles(quantity.values, _PROBABILITIES)
        parts.append(table.assign(name=quantity.name, unit=quantity.unit, **quantity.where))
    table = pd.concat(parts, ignore_index=True)
    front = ["name", "unit", *(c for c in table if c not in ("name", "unit", "probability", "value", "low", "high"))]
    return table[[*front, "probability", "value", "low", "high"]]


def _contributions(
    campaign: Campaign, quantities: Sequence[SampledQuantity], draws: Floats
) -> tuple[pd.DataFrame, list[str]]:
    table = pd.DataFrame(draws, columns=[v.name for v in campaign.variables])
    groups = {v.name: v.name if v.group == PROCESS else v.group for v in campaign.variables}
    parts, left_out = [], []
    for quantity in quantities:
        if beyond := int(np.isinf(quantity.values).sum()):
            left_out.append(f"contributions to {quantity.label}: {beyond} samples are beyond the end of what was swept")
            continue
        try:
            found = contributions(table, quantity.values, groups)
        except DataError as error:
            left_out.append(f"contributions to {quantity.label}: {error}")
            continue
        parts.append(found.assign(quantity=quantity.label))
    columns = ["quantity", "group", "share", "low", "high"]
    return (pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)), left_out


def _worst(campaign: Campaign, quantities: Sequence[SampledQuantity]) -> pd.DataFrame:
    parts = []
    for quantity in quantities:
        frame = pd.DataFrame({"sample": range(len(quantity.values)), "value": quantity.values})
        frame = statistics.worst(frame, "value", 5).assign(quantity=quantity.label, seed=campaign.sampler.seed)
        point = _point_of(campaign, quantity)
        parts.append(frame.assign(id=[f"{sample}.{point}" for sample in frame["sample"]]))
    return pd.concat(parts, ignore_index=True)[["quantity", "id", "sample", "seed", "value", "distance"]]


def _point_of(campaign: Campaign, quantity: SampledQuantity) -> int:
    """Number of the first point of the grid that a quantity is measured at."""
    for number, point in enumerate(campaign.points):
        if all(point.where.get(name, value) == value for name, value in quantity.where.items()):
            return number
    return 0


def _yields(quantities: Sequence[SampledQuantity], specs: Sequence[Spec]) -> tuple[tuple[str, Proportion], ...]:
    found = []
    for spec in specs:
        passes = spec_passes(quantities, spec)
        found.append((spec.text, statistics.wilson(int(passes.sum()), len(passes))))
    return tuple(found)


def spec_passes(quantities: Sequence[SampledQuantity], spec: Spec) -> Any:
    """Sample -> whether it meets a spec everywhere the spec holds; one that failed does not.

    Raises
    ------
    DataError
        If the spec holds nowhere.
    """
    chosen = [q for q in quantities if q.name == spec.output and _holds(q.where, spec.where)]
    if not chosen:
        raise DataError(f"spec {spec.text!r} holds nowhere; have {'; '.join(q.label for q in quantities[:8])}")
    return np.logical_and.reduce([spec.passes(q.values) for q in chosen])


def check_spec(campaign: Campaign, spec: Spec) -> None:
    """Raise `ParameterError` if a spec names a place that the grid of a campaign does not have."""
    plan = campaign.plan
    places: dict[str, Sequence[Any]] = dict(plan.dims)
    if plan.bench.curve is not None:
        places[plan.bench.curve.name] = plan.curve.tolist()
    declared = plan.circuit.spread(plan.bench.name)
    for feature in declared.features if declared else ():
        if feature.name == spec.output:
            axis = places.pop(feature.along, [])
            if feature.censored and len(axis) and spec.limit > max(axis):
                raise ParameterError(
                    f"spec {spec.text!r}: {spec.output} is only known up to {max(axis):g} {feature.unit}, the end of "
                    f"{feature.along}; sweep further with --axis {feature.along}=..."
                )
    places = {name: values for name, values in places.items() if len(values) > 1}
    for name, value in spec.where.items():
        if name not in places:
            raise ParameterError(
                f"spec {spec.text!r}: {spec.output} does not vary over {name}; "
                f"it does over {', '.join(places) or 'nothing'}"
            )
        if not any(_holds({name: there}, {name: value}) for there in places[name]):
            shown = ", ".join(v if isinstance(v, str) else f"{v:g}" for v in places[name][:_FEW]) + (
                ", ..." if len(places[name]) > _FEW else ""
            )
            raise ParameterError(f"spec {spec.text!r}: {name} = {value:g} is not in the grid; have {shown}")


def _holds(where: Mapping[str, Any], wanted: Mapping[str, float]) -> bool:
    return all(
        name in where and not isinstance(where[name], str) and np.isclose(float(where[name]), value, rtol=1e-6)
        for name, value in wanted.items()
    )


def _spread(
    campaign: Campaign, rows: pd.DataFrame, n: int, quantities: Sequence[SampledQuantity], random: list[RandomFit]
) -> VariationSummary:
    failed = rows.loc[rows["status"] != OK, "reason"].value_counts()
    shown = _some(quantities)
    table = statistics.correlation(pd.DataFrame({q.label: q.values for q in shown}).replace(np.inf, np.nan))
    return VariationSummary(
        vary=campaign.vary,
        sampler=campaign.sampler.kind,
        seed=campaign.sampler.seed,
        n_requested=n,
        n_points=len(rows),
        n_ok=int((rows["status"] == OK).sum()),
        failed={k: int(v) for k, v in failed.items()},
        outputs=[_output_spread(q) for q in quantities],
        correlated=[q.label for q in shown],
        correlation=[[None if np.isnan(c) else float(c) for c in row] for row in table.to_numpy()],
        random=random,
    )


def _output_spread(quantity: SampledQuantity) -> OutputSpread:
    found = statistics.moments(quantity.values)
    where = {k: v if isinstance(v, str) else float(v) for k, v in quantity.where.items()}
    return OutputSpread(
        name=quantity.name,
        unit=quantity.unit,
        where=where,
        n=found.n,
        n_beyond=found.n_beyond,
        mean=found.mean,
        sigma=found.sigma,
    )


def _record(
    campaign: Campaign,
    rows: pd.DataFrame,
    fits: Sequence[Fit],
    spread: VariationSummary,
    version: str,
    numerics: dict[str, float],
) -> Record:
    about = results.attrs(campaign, rows, spread.n_requested)
    more = {
        "parameters": json.dumps(dict(campaign.plan.fixed)),
        "options": json.dumps(dict(campaign.plan.options)),
        "plan_digest": campaign.digest,
        "simulator": f"ngspice {version}",
    }
    study = f"{campaign.plan.bench.name}_{campaign.vary}"
    origin = Origin.from_attrs({**about, **more})
    return make_record(origin=origin, study=study, fits=list(fits), numerics=numerics, spread=spread)
