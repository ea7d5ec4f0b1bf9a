"""How ``mc`` simulates a campaign: all samples, a part of them, or as many as a goal needs."""

import contextlib
import re
import sys
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
    """Options of ``mc`` that say how a campaign is simulated, as they were typed."""

    specs: Sequence[str]
    until: str | None
    shard: str | None
    retry_failed: bool
    dask: str | None
    workers: int | None
    timeout: float


@dataclass(frozen=True, kw_only=True)
class CampaignRun:
    """What one call of ``mc`` simulates: at most `n` samples of a campaign, or part I of N of them."""

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
        """Whether all parts are simulated in this call."""
        return self.part[1] == 1


def plan_run(planned: Campaign, request: CampaignRequest, how: SimulationOptions) -> CampaignRun:
    """Read the options of a call.

    Raises
    ------
    RequestError
        If the number of samples or the part makes no sense, or a limit names nothing of the campaign.
    ParameterError
        If a limit, a goal or a part has another form, or a goal needs a limit.
    """
    planned.check_samples(request.samples)
    specs = read_specs(planned, how.specs)
    goal = parse_goal(how.until) if how.until else None
    if goal and goal.statistic == "yield" and not specs:
        raise ParameterError(f"--until {how.until!r} needs a --spec to take the yield of")
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
        raise ParameterError(f"--shard {text!r}: write I/N, for example 2/8")
    return int(match[1]), int(match[2])


@contextlib.contextmanager
def connect(address: str | None) -> Iterator[Executor | None]:
    """The executor of a Dask cluster; None without an address.

    Raises
    ------
    RequestError
        If the package for it is not installed, or no scheduler answers.
    """
    if address is None:
        yield None
        return
    if sys.modules.get("dask", sys) is None:  # hidden by __main__
        del sys.modules["dask"]
    try:
        from distributed import Client  # an optional extra
    except ImportError:
        raise RequestError("--dask needs the package distributed: pip install gaincell-char[dask]") from None
    try:
        client: Any = Client(address, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise RequestError(f"--dask {address}: no scheduler answers there: {error}") from None
    with client:
        yield client.get_executor()


def simulate(run: CampaignRun, pool: Pool, executor: Executor | None) -> execute.CampaignProgress:
    """Run all samples, or as many as the goal needs; on the executor if there is one.

    Raises
    ------
    RequestError
        If the folder contains another campaign.
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
    """Run the first `count` samples, less those that the folder has."""
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
