"""Checks of a technology with every circuit: studies and campaigns can be planned, and one sample simulated."""

from collections.abc import Iterator, Sequence

from .. import registry
from ..declare.circuit import Circuit
from ..errors import RequestError
from ..montecarlo.campaign import plan_campaign
from ..montecarlo.execute import run_campaign
from ..spice.pool import Pool
from ..storage.scratch import Scratch
from ..technology.schema import Technology
from .study_plans import CircuitPlan, Lack, group_by_reason, list_lacks, plan_circuit


def plan_circuits(technology: Technology) -> tuple[CircuitPlan, ...]:
    """Plans of all studies of every circuit, those of ``gaincell run --all`` included."""
    return tuple(
        plan_circuit(registry.load_circuit(name), technology, optional=True) for name in registry.circuit_names()
    )


def unplanned(technology: Technology, planned: Sequence[CircuitPlan]) -> Iterator[str]:
    """Studies of ``gaincell run`` and campaigns that cannot be planned, grouped by reason."""
    yield from group_by_reason(_unplanned(technology, planned))


def _unplanned(technology: Technology, planned: Sequence[CircuitPlan]) -> Iterator[Lack]:
    for one in planned:
        dispensable = _dispensable(technology, one)
        yield from list_lacks(one, {key: why for key, why in one.problems.items() if key not in dispensable})
        for bench in campaigns(one.circuit):
            if why := _why_not(one.circuit.name, bench, technology):
                yield one.circuit.name, f"Monte Carlo of bench {bench}", why


def limited(technology: Technology, planned: Sequence[CircuitPlan]) -> Iterator[str]:
    """Studies with fewer corners than declared, and studies that a technology need not be able to run.

    A technology may have few corners and a small range of temperatures, so neither is a fault.
    """
    yield from group_by_reason(_limited(technology, planned))


def _limited(technology: Technology, planned: Sequence[CircuitPlan]) -> Iterator[Lack]:
    for one in planned:
        by = _dispensable(technology, one)
        skipped = {key: f"skipped by {by[key]}: {why}" for key, why in one.problems.items() if key in by}
        yield from list_lacks(one, {**one.notes, **skipped})


def _dispensable(technology: Technology, planned: CircuitPlan) -> dict[str, str]:
    """Studies that a technology need not be able to run, and the command that runs them.

    They are those of ``gaincell run --all`` alone, and those at a temperature outside its range.
    """
    found: dict[str, str] = {}
    for study in planned.circuit.all_studies:
        inside = all(technology.temp.low <= temp <= technology.temp.high for temp in study.temps)
        if study.optional or not inside:
            found[study.key] = "run --all" if study.optional else "run"
    return found


def failing(technology: Technology, pool: Pool) -> Iterator[str]:
    """Campaigns that can be planned, and whose first sample cannot be simulated, with the reasons."""
    for name in registry.circuit_names():
        for bench in campaigns(registry.load_circuit(name)):
            if _why_not(name, bench, technology):
                continue  # `unplanned` has the reason
            yield from _one_sample(name, bench, technology, pool)


def campaigns(circuit: Circuit) -> list[str]:
    """Names of the benches of a circuit that declare a grid for Monte Carlo."""
    return [bench.name for bench in circuit.benches if circuit.spread(bench.name) is not None]


def _why_not(circuit: str, bench: str, technology: Technology) -> str:
    """Reason why a campaign cannot be planned; empty if it can."""
    try:
        plan_campaign(circuit, bench, technology=technology)
    except RequestError as error:
        return str(error)
    return ""


def _one_sample(circuit: str, bench: str, technology: Technology, pool: Pool) -> Iterator[str]:
    campaign = plan_campaign(circuit, bench, technology=technology)
    with Scratch() as scratch:
        done = run_campaign(campaign, 1, scratch.path / "campaign", pool=pool)
    if done.failures:
        reasons = sorted({failure.reason for failure in done.failures})
        yield (
            f"{circuit}, Monte Carlo of bench {bench}: {done.failed} of {len(campaign.points)} points of a sample "
            f"failed: {reasons[0]}"
        )
