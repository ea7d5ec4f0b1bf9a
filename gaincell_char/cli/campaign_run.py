"""Simulation of a campaign by ``mc``: all samples, one part of them, or as many as a goal requires."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ParameterError, RequestError
from ..fitting.specs import Goal, Spec, parse_goal
from ..montecarlo import analysis, execute, results
from ..montecarlo.campaign import Campaign
from ..spice.pool import Pool
from .campaign_request import CampaignRequest
from .campaigns import finished_rows, read_specs
from .console import note, say
from .progress import progress

_FIRST_CHECKPOINT = 64


@dataclass(frozen=True, kw_only=True)
class SimulationOptions:
    """Options of ``mc`` that control the simulation of a campaign, as typed."""

    specs: Sequence[str]
    until: str | None
    shard: str | None
    retry_failed: bool
    dask: str | None
    workers: int | None
    timeout: float


@dataclass(frozen=True, kw_only=True)
class CampaignRun:
    """Simulations of one call of ``mc``: at most `n` samples of a campaign, or part I of N of these samples."""

    planned: Campaign
    n: int
    out: Path
    part: tuple[int, int]
    retry_failed: bool
    timeout: float
    goal: Goal | None
    specs: Sequence[Spec]

    @property
    def is_whole(self) -> bool:
        """Whether this call simulates all parts."""
        return self.part[1] == 1


def plan_run(planned: Campaign, request: CampaignRequest, how: SimulationOptions) -> CampaignRun:
    """Read the options of one call.

    Parameters
    ----------
    planned : Campaign
        The campaign.
    request : CampaignRequest
        Number of samples and folder.
    how : SimulationOptions
        Options of the simulation, as typed.

    Raises
    ------
    RequestError
        If the number of samples or the part is invalid, or a limit names no output of the campaign.
    ParameterError
        If a limit, a goal or a part cannot be parsed, or a goal on the yield is given without a limit.
    """
    planned.check_samples(request.samples)
    specs = read_specs(planned, how.specs)
    goal = parse_goal(how.until) if how.until else None
    if goal and goal.statistic == "yield" and not specs:
        raise ParameterError(f"--until {how.until!r} needs a limit: add --spec")
    return CampaignRun(
        planned=planned,
        n=request.samples,
        out=request.out,
        part=execute.check_part(_read_part(how.shard)),
        retry_failed=how.retry_failed,
        timeout=how.timeout,
        goal=goal,
        specs=specs,
    )


def _read_part(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    match = re.fullmatch(r" ?([0-9]{1,9}) ?/ ?([0-9]{1,9}) ?", text)
    if match is None:
        raise ParameterError(f"--shard {text!r} is not a part: write I/N, for example 2/8")
    return int(match[1]), int(match[2])


@contextlib.contextmanager
def connect(address: str | None) -> Iterator[Executor | None]:
    """Connect to a Dask cluster and yield its executor; yield None if there is no address.

    Raises
    ------
    RequestError
        If the package `distributed` is not installed, or no scheduler answers.
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client  # an optional extra
    except ImportError:
        raise RequestError("--dask needs the package distributed: pip install gaincell-char[dask]") from None
    try:
        client: Any = Client(address, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise RequestError(f"--dask {address}: no scheduler answers at this address: {error}") from None
    with client:
        yield client.get_executor()


def simulate(run: CampaignRun, pool: Pool, executor: Executor | None) -> execute.CampaignProgress:
    """Simulate all samples, or as many as the goal requires.

    Parameters
    ----------
    run : CampaignRun
        The samples to simulate.
    pool : Pool
        Local simulators.
    executor : Executor or None
        Executor of a cluster, used instead of the pool if given.

    Raises
    ------
    RequestError
        If the folder contains a different campaign.
    StorageError
        If a shard cannot be written.
    """
    for count in _checkpoints(run.n) if run.goal else [run.n]:
        done = _simulate_first(run, count, pool, executor)
        if done.stopped or run.goal is None or not run.is_whole:
            return done
        rows = results.complete(run.planned, finished_rows(run.planned, count, run.out), count)
        width = analysis.compute_width(run.planned, rows, count, run.goal, run.specs)
        note(f"{count} samples: {run.goal.statistic} is known to {100 * width:.3g} %")
        if width < run.goal.limit:
            return done
    return done


def _simulate_first(run: CampaignRun, count: int, pool: Pool, executor: Executor | None) -> execute.CampaignProgress:
    """Simulate the first `count` samples, except those already in the folder."""
    plan = run.planned.plan
    with progress(f"{plan.circuit.name}.{plan.bench.name}", count * len(run.planned.points)) as tick:
        return execute.run_campaign(
            run.planned,
            count,
            run.out,
            pool=executor or pool,
            timeout_s=run.timeout if executor else None,
            part=run.part,
            retry_failed=run.retry_failed,
            listener=execute.Listener(tick=tick, say=say),
        )


def _checkpoints(n: int) -> list[int]:
    counts = [_FIRST_CHECKPOINT]
    while counts[-1] < n:
        counts.append(2 * counts[-1])
    return [*(c for c in counts if c < n), n]
