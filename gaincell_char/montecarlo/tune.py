"""Measurement of cost and error of step-control settings, on random samples of a bench."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from ..declare.bench import Floats, Noise, Tran
from ..errors import ParameterError, SimulationError
from ..spice.pool import Pool
from ..sweeping.step_control import MeasuredSetting, StepControlSurvey, Steps
from ..sweeping.tight_runs import TIGHTER
from .campaign import Campaign, plan_campaign
from .execute import simulate_samples

_RELTOL = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5)
_TRTOL = (7.0, 1.0)
_MAX_STEP = (1.0, 2.5, 5.0, 15.0)
_COPIES = (1, 2, 4, 8)
_REPEATS = 3
_MOST_FAILED = 0.5


def tune(
    circuit: str,
    bench: str,
    *,
    pool: Pool,
    samples: int = 16,
    tick: Callable[[int], None] = lambda _: None,
    **request: Any,
) -> StepControlSurvey:
    """Measure settings of step control and copies per deck on the same random samples.

    The reference uses tolerances a hundred times tighter.

    Parameters
    ----------
    circuit, bench : str
        Names of circuit and bench.
    pool : Pool
        Simulators; one worker gives the most accurate times.
    samples : int
        Samples of each setting, a multiple of 8.
    tick : callable
        Called with 1 after every simulated setting.
    request
        Other arguments of `plan_campaign`.

    Raises
    ------
    ParameterError
        If `samples` is not a multiple of 8.
    SimulationError
        If more than half of the samples of the reference fail.
    """
    check_samples(samples)

    def planned(steps: Steps) -> Campaign:
        """The campaign with these settings."""
        return plan_campaign(circuit, bench, steps=steps, **{"vary": "both", **request})

    base = planned(Steps())
    tight = replace(base, plan=base.plan.tightened(TIGHTER))
    reference = _simulate_outputs(tight, samples, pool)
    first = next(iter(reference.values()))
    if np.isnan(first).reshape(len(first), -1).any(axis=1).mean() > _MOST_FAILED:
        raise SimulationError(
            f"{circuit}.{bench}: more than half of the samples failed with tight tolerances", deck="", log=""
        )
    tick(1)
    transient = isinstance(base.points[0].deck.analysis, Tran)
    settings = list(_settings()) if transient else [Steps()]
    trials = _try_settings(planned, settings, reference, samples, pool, tick)
    front = StepControlSurvey(**_about(base, pool, samples), trials=trials).front() if transient else trials
    more = () if isinstance(base.plan.bench.analysis, Noise) else _COPIES[1:]
    stacked = [t.steps.model_copy(update={"copies": c}) for t in front for c in more]
    trials += _try_settings(planned, stacked, reference, samples, pool, tick)
    return StepControlSurvey(**_about(base, pool, samples), trials=sorted(trials, key=lambda t: t.cost_s))


def check_samples(samples: int) -> int:
    """Return a number of samples, or raise `ParameterError` unless it is a multiple of the copies per deck."""
    most = _COPIES[-1]
    if samples < most or samples % most:
        low = max(samples - samples % most, most)
        other = f" or {low + most}" if samples > most else ""
        raise ParameterError(f"n = {samples} samples is not a multiple of {most}; write {low}{other}")
    return samples


def _settings() -> Iterator[Steps]:
    for reltol, trtol, factor in itertools.product(_RELTOL, _TRTOL, _MAX_STEP):
        yield Steps(options={"reltol": reltol, "trtol": trtol}, max_step=factor)


def _about(campaign: Campaign, pool: Pool, samples: int) -> dict[str, Any]:
    plan = campaign.plan
    return {
        "circuit": plan.circuit.name,
        "bench": plan.bench.name,
        "technology": plan.technology.name,
        "technology_digest": plan.technology.digest,
        "simulator": f"ngspice {pool.version}",
        "n_samples": samples,
        "seed": campaign.sampler.seed,
    }


def _try_settings(
    planned: Callable[[Steps], Campaign],
    settings: Sequence[Steps],
    reference: dict[str, Floats],
    samples: int,
    pool: Pool,
    tick: Callable[[int], None],
) -> list[MeasuredSetting]:
    """Simulate all settings in turn, several times, so that a slow phase of the machine affects all of them."""
    campaigns = [planned(steps) for steps in settings]
    costs: list[list[float]] = [[] for _ in settings]
    found: list[dict[str, Floats]] = [{} for _ in settings]
    for _ in range(_REPEATS):
        for i, campaign in enumerate(campaigns):
            began = time.perf_counter()
            found[i] = _simulate_outputs(campaign, samples, pool)
            costs[i].append((time.perf_counter() - began) * pool.workers / (samples * len(campaign.points)))
            tick(1)
    errors = [_largest_error(campaign, f, reference) for campaign, f in zip(campaigns, found, strict=True)]
    return [
        MeasuredSetting(steps=steps, error=error, cost_s=median(cost))
        for steps, error, cost in zip(settings, errors, costs, strict=True)
        if np.isfinite(error)
    ]


def _simulate_outputs(campaign: Campaign, samples: int, pool: Pool) -> dict[str, Floats]:
    """Output -> values, ordered by sample and point; NaN if failed."""
    items = simulate_samples(campaign, samples, pool)
    inner = campaign.plan.curve.shape if campaign.plan.bench.curve else ()
    return {
        o.name: np.array([item.values.get(o.name, np.full(inner, np.nan)) for item in items])
        for o in campaign.plan.bench.outputs
    }


def _largest_error(campaign: Campaign, found: dict[str, Floats], reference: dict[str, Floats]) -> float:
    """Largest deviation of any output at the points of the reference, relative to full scale; NaN if a point failed."""
    worst = 0.0
    for output in campaign.plan.bench.outputs:
        ran = np.isfinite(reference[output.name])
        scale = campaign.plan.full_scale(output.name, reference[output.name])
        if scale > 0:
            deviation = np.abs(found[output.name] - reference[output.name])[ran].max() / scale
            worst = float(np.maximum(worst, deviation))
    return worst
