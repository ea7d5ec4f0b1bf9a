"""Analysis of a finished campaign: moments, quantiles, contributions, yield, worst samples, random coefficients."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ..declare.bench import Floats
from ..errors import DataError, FitError
from ..fitting import statistics
from ..fitting.fit import Fit
from ..fitting.record import Origin, Record, make_record
from ..fitting.specs import Goal, Spec
from ..fitting.statistics import Proportion
from ..fitting.statistics import describe_censored as describe
from ..fitting.variation import OutputSpread, RandomFit, VariationSummary
from ..spice.pool import Pool
from ..sweeping.run import OK
from . import random_models, results
from .campaign import Campaign
from .quantities import SampledQuantity, Span, list_quantities, pick_shown, spec_passes
from .sampling import PROCESS
from .sensitivity import estimate_contributions
from .verify import Verification

_PROBABILITIES = (0.00135, 0.05, 0.5, 0.95, 0.99865)
_BOUNDED = ("value", "low", "high")


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Tables of a campaign.

    Attributes
    ----------
    n : int
        Number of samples.
    grid : Dataset
        Outputs over sample, corner, temperature and the swept parameters, in SI units.
    quantities : tuple of SampledQuantity
        Every feature, then every output over the grid, in the order of `moments`.
    moments, quantiles, contributions, worst : DataFrame
        Tables with confidence limits.
    yields : tuple of (str, Proportion)
        Yield of each limit.
    typical : Dataset
        Outputs of the circuit without deviations, over the same grid.
    fits : tuple of Fit
        Nominal models of the typical circuit.
    random : tuple of RandomFit
        Fitted random coefficients.
    left_out : tuple of str
        Reasons of results that could not be computed.
    record : Record
        Record of the campaign.
    """

    n: int
    grid: xr.Dataset
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
        """Quantities shown individually on a page: features, or the main output at points spread over the grid."""
        return pick_shown(self.quantities)


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
    campaign : Campaign
        The campaign.
    rows : DataFrame
        Finished points from `results.complete`.
    n : int
        Number of samples.
    pool : Pool
        Simulators for the typical circuit.
    specs : sequence of Spec
        Limits whose yields are computed.
    check : Verification, optional
        Simulation errors to state in the record.
    """
    grid, draws = results.to_grid(campaign, rows, n), campaign.draws(n)
    quantities = list_quantities(campaign, grid)
    typical = random_models.simulate_typical_grid(campaign, pool)
    models = _fit_models(campaign, pool, grid, typical, draws)
    shares, why_not = _contributions(campaign, pick_shown(quantities), draws)
    spread = _spread(campaign, rows, n, quantities, models.random)
    numerics = dict(check.tight) if check else {}
    return Analysis(
        n=n,
        grid=grid,
        quantities=quantities,
        moments=_moments(quantities),
        quantiles=_quantiles(quantities),
        contributions=shares,
        worst=_worst(campaign, pick_shown(quantities)),
        yields=_yields(quantities, specs),
        typical=typical,
        fits=tuple(models.fits),
        random=tuple(models.random),
        left_out=(*models.left_out, *why_not),
        record=_record(campaign, rows, models.fits, spread, pool.provenance, numerics),
    )


@dataclass(frozen=True, kw_only=True)
class _FittedModels:
    """Nominal models of the typical circuit, random coefficients of the samples, and reasons of failed fits."""

    fits: list[Fit]
    random: list[RandomFit]
    left_out: list[str]


def _fit_models(campaign: Campaign, pool: Pool, grid: xr.Dataset, typical: xr.Dataset, draws: Floats) -> _FittedModels:
    fits, left_out = random_models.fit_nominal(campaign, pool)
    random: list[RandomFit] = []
    for model in random_models.declared_models(campaign):
        try:
            random += random_models.fit_random_model(campaign, model, grid, typical, fits, draws)
        except (FitError, DataError) as error:
            left_out.append(str(error))
    return _FittedModels(fits=fits, random=random, left_out=left_out)


def compute_width(campaign: Campaign, rows: pd.DataFrame, n: int, goal: Goal, specs: Sequence[Spec]) -> float:
    """Relative half-width of the 95 % interval of a goal's statistic; the largest over all quantities.

    Parameters
    ----------
    campaign : Campaign
        The campaign.
    rows : DataFrame
        Finished points from `results.complete`.
    n : int
        Number of samples.
    goal : Goal
        The statistic.
    specs : sequence of Spec
        Limits, for a goal on the yield.
    """
    quantities = list_quantities(campaign, results.to_grid(campaign, rows, n))
    if goal.statistic == "yield":
        return max(goal.width(spec_passes(quantities, spec)) for spec in specs)
    return max(goal.width(quantity.values) for quantity in quantities if quantity.main)


def _moments(quantities: Sequence[SampledQuantity]) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for quantity in quantities:
        found = vars(statistics.moments(quantity.values))
        outside = [f"{describe(side, quantity.span)} in {count}" for side, count in quantity.n_outside.items()]
        said = {"censored": "; ".join(outside)}
        rows.append({"name": quantity.name, "unit": quantity.unit, **quantity.where, **found, **said})
    return pd.DataFrame(rows)


def _quantiles(quantities: Sequence[SampledQuantity]) -> pd.DataFrame:
    parts = []
    for quantity in quantities:
        table = _mark_censored(statistics.quantiles(quantity.values, _PROBABILITIES), quantity.span)
        parts.append(table.assign(name=quantity.name, unit=quantity.unit, **quantity.where))
    table = pd.concat(parts, ignore_index=True)
    last = ["probability", *_BOUNDED, "censored"]
    front = ["name", "unit", *(c for c in table if c not in ("name", "unit", *last))]
    return table[[*front, *last]]


def _mark_censored(table: pd.DataFrame, span: Span) -> pd.DataFrame:
    """Quantiles without infinite numbers, and a column that states which of them are censored, and at which value."""
    said = [
        ", ".join(f"{name} {bound}" for name in _BOUNDED if (bound := describe(float(row[name]), span)))
        for row in table.to_dict("records")
    ]
    return table.replace([np.inf, -np.inf], np.nan).assign(censored=said)


def _contributions(
    campaign: Campaign, quantities: Sequence[SampledQuantity], draws: Floats
) -> tuple[pd.DataFrame, list[str]]:
    table = pd.DataFrame(draws, columns=[v.name for v in campaign.variables])
    groups = {v.name: v.name if v.group == PROCESS else v.group for v in campaign.variables}
    parts, left_out = [], []
    for quantity in quantities:
        if outside := sum(quantity.n_outside.values()):
            left_out.append(f"contributions to {quantity.label}: {outside} samples are outside the sweep")
            continue
        try:
            shares = estimate_contributions(table, quantity.values, groups)
        except DataError as error:
            left_out.append(f"contributions to {quantity.label}: {error}")
            continue
        parts.append(shares.assign(quantity=quantity.label))
    columns = ["quantity", "group", "share", "low", "high"]
    found = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    return found, left_out


def _worst(campaign: Campaign, quantities: Sequence[SampledQuantity]) -> pd.DataFrame:
    parts = []
    for quantity in quantities:
        frame = pd.DataFrame({"sample": range(len(quantity.values)), "value": quantity.values})
        frame = statistics.worst(frame, "value", 5).assign(quantity=quantity.label, seed=campaign.sampler.seed)
        point = _point_of(campaign, quantity)
        parts.append(frame.assign(id=[f"{sample}.{point}" for sample in frame["sample"]]))
    return pd.concat(parts, ignore_index=True)[["quantity", "id", "sample", "seed", "value", "distance"]]


def _point_of(campaign: Campaign, quantity: SampledQuantity) -> int:
    """Number of the first grid point at which a quantity is measured."""
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


def _spread(
    campaign: Campaign, rows: pd.DataFrame, n: int, quantities: Sequence[SampledQuantity], random: list[RandomFit]
) -> VariationSummary:
    reasons = rows.loc[rows["status"] != OK, "reason"].value_counts()
    shown = pick_shown(quantities)
    return VariationSummary(
        vary=campaign.vary,
        sampler=campaign.sampler.kind,
        seed=campaign.sampler.seed,
        n_requested=n,
        n_points=len(rows),
        n_ok=int((rows["status"] == OK).sum()),
        failed={reason: int(count) for reason, count in reasons.items()},
        outputs=list(map(_output_spread, quantities)),
        correlated=[q.label for q in shown],
        correlation=_correlation(shown),
        random=random,
    )


def _correlation(quantities: Sequence[SampledQuantity]) -> list[list[float | None]]:
    """Correlation of every pair of quantities; None if it is undefined."""
    columns = pd.DataFrame({q.label: q.values for q in quantities}).replace([np.inf, -np.inf], np.nan)
    table = statistics.correlation(columns)
    return table.astype(object).where(table.notna(), None).to_numpy().tolist()


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
    simulator: Mapping[str, str],
    numerics: dict[str, float],
) -> Record:
    about = results.attrs(campaign, rows, spread.n_requested)
    more = {
        "parameters": json.dumps(dict(campaign.plan.fixed)),
        "options": json.dumps(dict(campaign.plan.options)),
        "plan_digest": campaign.digest,
        **simulator,
    }
    study = f"{campaign.plan.bench.name}_{campaign.vary}"
    origin = Origin.from_attrs({**about, **more})
    return make_record(origin=origin, study=study, fits=list(fits), numerics=numerics, spread=spread)
