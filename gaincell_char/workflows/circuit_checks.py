"""Checks of a technology with every circuit: studies and campaigns can be planned, and one sample simulated."""

from collections.abc import Iterator

from .. import registry
from ..declare.circuit import Circuit
from ..errors import RequestError
from ..montecarlo.campaign import plan_campaign
from ..montecarlo.execute import run_campaign
from ..spice.pool import Pool
from ..storage.scratch import Scratch
from ..technology.schema import Technology
from .study_plans import Lack, group_by_reason, list_lacks, plan_circuit


def unplanned(technology: Technology) -> Iterator[str]:
    """Studies of ``gaincell run`` and campaigns that cannot be planned, grouped by reason."""
    yield from group_by_reason(_unplanned(technology))


def _unplanned(technology: Technology) -> Iterator[Lack]:
    for name in registry.circuit_names():
        planned = plan_circuit(registry.load_circuit(name), technology)
        yield from list_lacks(planned, planned.problems)
        for bench in campaigns(planned.circuit):
            if why := _why_not(name, bench, technology):
                yield name, f"Monte Carlo of bench {bench}", why


def limited(technology: Technology) -> Iterator[str]:
    """Studies with fewer corners than declared, and studies of ``gaincell run --all`` that would be skipped.

    A technology may have few corners and a small range of temperatures, so neither is a fault.
    """
    yield from group_by_reason(_limited(technology))


def _limited(technology: Technology) -> Iterator[Lack]:
    for name in registry.circuit_names():
        circuit = registry.load_circuit(name)
        planned = plan_circuit(circuit, technology, optional=True)
        optional = {study.key for study in circuit.all_studies if study.optional}
        skipped = {key: f"skipped by run --all: {why}" for key, why in planned.problems.items() if key in optional}
        yield from list_lacks(planned, {**planned.notes, **skipped})


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
