"""The studies of the main job, two at a time: while one is fitted, which takes one core, the other is simulated."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ..declare.circuit import Circuit
from ..declare.datasheet import Merit, Study
from ..declare.parameters import numbers
from ..spice.pool import Pool
from ..sweeping.run import OK
from .characterize_all import CircuitPlan, CircuitResult, StudyResult, run_study

AT_ONCE = 2
"""Number of studies that are in progress at the same time."""
_POLL_S = 0.2
"""Time [s] after which signal handlers can run in the main thread."""
Key = tuple[str, str]


def run_circuits(
    planned: Sequence[CircuitPlan],
    pool: Pool,
    *,
    progress: Callable[[], None] = lambda: None,
    finished: Callable[[StudyResult], None] = lambda _: None,
) -> list[CircuitResult]:
    """Run every study that could be planned.

    Results do not depend on how many studies are in progress.

    Parameters
    ----------
    planned : sequence of CircuitPlan
        Circuits with their plans.
    pool : Pool
        The simulators; if it is stopped, studies that have not begun are left out.
    progress : callable
        Called after each point, from several threads.
    finished : callable
        Called with the result of each study when it is finished, from the calling thread.

    Returns
    -------
    list of CircuitResult
        Results in the order of `planned`; studies in the order of their circuit.
    """
    done: dict[Key, StudyResult] = {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="study") as executor:
        pending = dict(_submit(executor, planned, pool, progress))
        try:
            for key, result in _as_completed(pending):
                if result is not None:
                    done[key] = result
                    finished(result)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
    return [_collect(one, done) for one in planned]


def _submit(
    executor: ThreadPoolExecutor, planned: Sequence[CircuitPlan], pool: Pool, progress: Callable[[], None]
) -> Iterator[tuple[Future[StudyResult | None], Key]]:
    for one in planned:
        for study in one.circuit.all_studies:
            if study.key in one.plans:
                yield executor.submit(_run, one, study, pool, progress), (one.circuit.name, study.key)


def _run(planned: CircuitPlan, study: Study, pool: Pool, progress: Callable[[], None]) -> StudyResult | None:
    """Result of a study; None if it is not begun because the simulators have been stopped."""
    if pool.stop.is_set():
        return None
    return run_study(planned.circuit, study, planned.plans[study.key], pool, progress)


def _as_completed(
    pending: Mapping[Future[StudyResult | None], Key],
) -> Iterator[tuple[Key, StudyResult | None]]:
    """Results as they are finished; an error in one of them is raised."""
    left = set(pending)
    while left:
        finished, left = wait(left, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        for future in finished:
            yield pending[future], future.result()


def _collect(planned: CircuitPlan, done: Mapping[Key, StudyResult]) -> CircuitResult:
    """Result of a circuit from those of its studies."""
    circuit = planned.circuit
    keys = [(circuit.name, study.key) for study in circuit.all_studies]
    studies = {key[1]: done[key] for key in keys if key in done}
    params = numbers(next(iter(studies.values())).plan.fixed) if studies else {}
    merits = _merits(circuit, studies)
    return CircuitResult(circuit=circuit, params=params, studies=studies, merits=merits, problems=planned.problems)


def _merits(circuit: Circuit, studies: Mapping[str, StudyResult]) -> tuple[tuple[Merit, float], ...]:
    return tuple((merit, _merit(merit, studies[merit.study])) for merit in circuit.merits if merit.study in studies)


def _merit(merit: Merit, result: StudyResult) -> float:
    """Value of a figure of merit, or NaN if it cannot be computed because points failed."""
    try:
        return float(merit.compute(result.dataset, numbers(result.plan.fixed)))
    except (ArithmeticError, LookupError, ValueError):
        if result.failures or OK not in result.dataset.status:
            return float("nan")
        raise
