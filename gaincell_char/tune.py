"""Measure what step control costs and how wrong it is, on random samples of a bench."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from .campaign import Campaign, plan_campaign
from .circuit import Floats, Tran
from .errors import SimulationError
from .mc import sample
from .pool import Pool
from .steps import Pareto, Steps, Trial

_TIGHTER = 100.0
_RELTOL = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5)
_TRTOL = (7.0, 1.0)
_MAX_STEP = (1.0, 2.5, 5.0, 15.0)
_COPIES = (1, 2, 4, 8)
_REPEATS = 3


def tune(
    circuit: str,
    bench: str,
    *,
    pool: Pool,
    samples: int = 16,
    tick: Callable[[int], None] = lambda _: None,
    **request: Any,
) -> Pareto:
    """Try settings of step control and copies per deck on the same random samples.

    Parameters
    ----------
    samples : int
        Samples of each setting, a multiple of 8.
    request
        What else `plan_campaign` takes.

    Raises
    ------
    SimulationError
        If the reference, a hundred times tighter, does not run.
    """

    def planned(steps: Steps) -> Campaign:
        return plan_campaign(circuit, bench, steps=steps, **{"vary": "both", **request})

    base = planned(Steps())
    tight = replace(base, plan=base.plan.tightened(_TIGHTER))
    reference = _outputs(tight, samples, pool)
    if reference is None:
        raise SimulationError(f"{circuit}.{bench}: a sample of the reference failed", deck="", log="")
    tick(1)
    transient = isinstance(base.points[0].deck.analysis, Tran)
    settings = list(_settings()) if transient else [Steps()]
    trials = _tried(planned, settings, reference, samples, pool, tick)
    front = Pareto(**_about(base, pool, samples), trials=trials).front() if transient else trials
    stacked = [t.steps.model_copy(update={"copies": c}) for t in front for c in _COPIES[1:]]
    trials += _tried(planned, stacked, reference, samples, pool, tick)
    return Pareto(**_about(base, pool, samples), trials=sorted(trials, key=lambda t: t.cost_s))


def _settings() -> Iterator[Steps]:
    for reltol, trtol, factor in itertools.product(_RELTOL, _TRTOL, _MAX_STEP):
        yield Steps(options={"reltol": reltol, "trtol": trtol}, max_step=factor)


def _about(campaign: Campaign, pool: Pool, samples: int) -> dict[str, Any]:
    plan = campaign.plan
    return {
        "circuit": plan.circuit.name, "bench": plan.bench.name, "technology": plan.technology.name,
        "technology_digest": plan.technology.digest, "simulator": f"ngspice {pool.version}", "n_samples": samples,
        "seed": campaign.sampler.seed,
    }  # fmt: skip


def _tried(
    planned: Callable[[Steps], Campaign], settings: Sequence[Steps], reference: dict[str, Floats], samples: int,
    pool: Pool, tick: Callable[[int], None],
) -> list[Trial]:  # fmt: skip
    """Run every setting a few times in turn, so that a slow moment of the machine hits them all."""
    campaigns = [planned(steps) for steps in settings]
    costs: list[list[float]] = [[] for _ in settings]
    found: list[dict[str, Floats] | None] = [None] * len(settings)
    for _ in range(_REPEATS):
        for i, campaign in enumerate(campaigns):
            began = time.perf_counter()
            found[i] = _outputs(campaign, samples, pool)
            costs[i].append((time.perf_counter() - began) * pool.workers / (samples * len(campaign.points)))
            tick(1)
    return [
        Trial(steps=s, error=_error(campaigns[i], found[i], reference), cost_s=median(costs[i]))
        for i, s in enumerate(settings)
        if found[i] is not None
    ]


def _outputs(campaign: Campaign, samples: int, pool: Pool) -> dict[str, Floats] | None:
    """Output -> values by sample and point; None if anything failed."""
    items = sample(campaign, samples, pool)
    if any(item.reason for item in items):
        return None
    return {o.name: np.array([item.values[o.name] for item in items]) for o in campaign.plan.bench.outputs}


def _error(campaign: Campaign, found: dict[str, Floats] | None, reference: dict[str, Floats]) -> float:
    assert found is not None  # noqa: S101  asked for above, for the type checker
    return max(
        float(np.abs(found[o.name] - reference[o.name]).max()) / scale
        for o in campaign.plan.bench.outputs
        if (scale := campaign.plan.full_scale(o.name, reference[o.name])) > 0
    )
