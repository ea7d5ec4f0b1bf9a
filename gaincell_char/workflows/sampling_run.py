"""Simulate a campaign: all samples, one part of them, or as many as a goal needs."""

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
    """Work of one call.

    Attributes
    ----------
    planned : Campaign
        The campaign.
    n : int
        Largest number of samples.
    folder : Path
        Folder of the campaign.
    part : (int, int)
        ``(2, 8)`` for the second of eight parts.
    retry_failed : bool
        Whether failed points are simulated again.
    timeout_s : float, optional
        Time limit of one simulation on an executor [s].
    goal : Goal, optional
        Accuracy at which fewer samples suffice.
    specs : sequence of Spec
        Limits whose yield is computed.
    """

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
    """Options of the simulation of a campaign.

    Attributes
    ----------
    specs : sequence of str
        Limits whose yield is computed, for example ``"i_bl > 8u"``.
    until : str, optional
        Accuracy at which fewer samples suffice, for example ``"sigma<2%"``.
    part : (int, int)
        ``(2, 8)`` simulates the second of eight parts.
    retry_failed : bool
        Whether failed points are simulated again.
    timeout_s : float, optional
        Time limit of one simulation on an executor [s]; 60 s by default.
    """

    specs: Sequence[str] = ()
    until: str | None = None
    part: tuple[int, int] = (1, 1)
    retry_failed: bool = False
    timeout_s: float | None = None


def plan_run(planned: Campaign, n: int, folder: Path, how: SamplingOptions) -> SamplingRun:
    """Check the options of a simulation.

    Parameters
    ----------
    planned : Campaign
        The campaign.
    n : int
        Number of samples.
    folder : Path
        Folder of the campaign.
    how : SamplingOptions
        The options.

    Raises
    ------
    RequestError
        If the number of samples or the part is invalid, or a limit refers to no quantity of the campaign.
    ParameterError
        If a limit or a goal cannot be parsed, or a goal needs a limit.
    """
    planned.check_samples(n)
    specs = read_specs(planned, how.specs)
    goal = parse_goal(how.until) if how.until else None
    if goal and goal.statistic == "yield" and not specs:
        raise ParameterError(f"--until {how.until!r} needs a limit: add --spec")
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
    """Simulate all samples, or as many as the goal needs, and write them to the folder.

    Parameters
    ----------
    run : SamplingRun
        The work.
    pool : Pool or Executor
        Simulators.
    watcher : Watcher
        Receives progress and messages.

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
        watcher.note(f"{count} samples: relative half-width of {run.goal.statistic} {100 * width:.3g} %")
        if width < run.goal.limit:
            return done
    return done


def _simulate_first(run: SamplingRun, count: int, pool: Pool | Executor, watcher: Watcher) -> execute.CampaignProgress:
    """Simulate the first `count` samples, without those that are finished."""
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
