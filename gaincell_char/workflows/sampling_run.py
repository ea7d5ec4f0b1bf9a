"""Simulate a campaign: all samples, a part of them, or as many as a goal needs."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from ..errors import ParameterError
from ..fitting.specs import Goal, Spec, parse_goal
from ..montecarlo import analysis, execute, results
from ..montecarlo.campaign import Campaign
from ..spice.pool import Pool
from .campaign_folder import finished_rows, read_specs
from .watcher import Watcher

_FIRST_CHECKPOINT = 64


@dataclass(frozen=True, kw_only=True)
class SamplingRun:
    """What one call simulates: at most `n` samples of a campaign, or part I of N of them."""

    planned: Campaign
    n: int
    folder: Path
    part: tuple[int, int]
    retry_failed: bool
    timeout_s: float | None
    goal: Goal | None
    specs: Sequence[Spec]

    @property
    def is_whole(self) -> bool:
        """Whether all parts are simulated in this call."""
        return self.part[1] == 1


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How a campaign is simulated.

    Attributes
    ----------
    specs : sequence of str
        Limits whose yield is wanted, as ``"i > 8u"``.
    until : str, optional
        Goal at which fewer samples suffice, as ``"sigma<2%"``.
    part : (int, int)
        ``(2, 8)`` simulates the second of eight parts.
    """

    specs: Sequence[str] = ()
    until: str | None = None
    part: tuple[int, int] = (1, 1)
    retry_failed: bool = False
    timeout_s: float | None = None


def plan_run(planned: Campaign, n: int, folder: Path, how: SamplingOptions) -> SamplingRun:
    """Check how a campaign is to be simulated.

    Raises
    ------
    RequestError
        If the number of samples or the part makes no sense, or a limit names nothing of the campaign.
    ParameterError
        If a limit or a goal has another form, or a goal needs a limit.
    """
    planned.check_samples(n)
    specs = read_specs(planned, how.specs)
    goal = parse_goal(how.until) if how.until else None
    if goal and goal.statistic == "yield" and not specs:
        raise ParameterError(f"--until {how.until!r} needs a --spec to take the yield of")
    return SamplingRun(
        planned=planned,
        n=n,
        folder=folder,
        part=execute.check_part(how.part),
        retry_failed=how.retry_failed,
        timeout_s=how.timeout_s,
        goal=goal,
        specs=specs,
    )


def simulate_run(run: SamplingRun, pool: Pool | Executor, watcher: Watcher) -> execute.CampaignProgress:
    """Run all samples, or as many as the goal needs, and keep them in the folder.

    Raises
    ------
    RequestError
        If the folder contains another campaign.
    StorageError
        If a shard cannot be written.
    """
    for count in _checkpoints(run.n) if run.goal else [run.n]:
        done = _simulate_first(run, count, pool, watcher)
        if done.stopped or run.goal is None or not run.is_whole:
            return done
        rows = results.complete(run.planned, finished_rows(run.planned, count, run.folder, watcher.say), count)
        width = analysis.compute_width(run.planned, rows, count, run.goal, run.specs)
        watcher.note(f"{count} samples: {run.goal.statistic} is known to {100 * width:.3g} %")
        if width < run.goal.limit:
            return done
    return done


def _simulate_first(run: SamplingRun, count: int, pool: Pool | Executor, watcher: Watcher) -> execute.CampaignProgress:
    """Run the first `count` samples, less those that the folder has."""
    plan = run.planned.plan
    with watcher.progress(f"{plan.circuit.name}.{plan.bench.name}", count * len(run.planned.points)) as tick:
        return execute.run_campaign(
            run.planned,
            count,
            run.folder,
            pool=pool,
            timeout_s=None if isinstance(pool, Pool) else run.timeout_s,
            part=run.part,
            retry_failed=run.retry_failed,
            listener=execute.Listener(tick=tick, say=watcher.say),
        )


def _checkpoints(n: int) -> list[int]:
    counts = [_FIRST_CHECKPOINT]
    while counts[-1] < n:
        counts.append(2 * counts[-1])
    return [*(c for c in counts if c < n), n]
