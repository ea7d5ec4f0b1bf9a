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
        yield from list_lacks(one, _problems(one, optional=False))
        for bench in campaigns(one.circuit):
            if why := _why_not(one.circuit.name, bench, technology):
                yield one.circuit.name, f"Monte Carlo of bench {bench}", why


def limited(planned: Sequence[CircuitPlan]) -> Iterator[str]:
    """Studies with fewer corners than declared, and studies of ``gaincell run --all`` alone that would be skipped.

    A technology may have few corners and a small range of temperatures, so neither is a fault.
    """
    yield from group_by_reason(_limited(planned))


def _limited(planned: Sequence[CircuitPlan]) -> Iterator[Lack]:
    for one in planned:
        skipped = {key: f"skipped by run --all: {why}" for key, why in _problems(one, optional=True).items()}
        yield from list_lacks(one, {**one.notes, **skipped})


def _problems(planned: CircuitPlan, *, optional: bool) -> dict[str, str]:
    """Reasons of the studies that cannot be run: those that are `optional`, or the others."""
    chosen = [study.key for study in planned.circuit.all_studies if study.optional == optional]
    return {key: why for key, why in planned.problems.items() if key in chosen}


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
