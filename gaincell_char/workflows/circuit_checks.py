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
from .characterize_all import plan_circuit


def unplanned(technology: Technology) -> Iterator[str]:
    """Studies of ``gaincell run`` and campaigns that cannot be planned, grouped by reason."""
    for name in registry.circuit_names():
        circuit = registry.load_circuit(name)
        reasons: dict[str, list[str]] = {}
        for study, why in plan_circuit(circuit, technology).problems.items():
            reasons.setdefault(why, []).append(f"study {study}")
        for bench in campaigns(circuit):
            if why := _why_not(name, bench, technology):
                reasons.setdefault(why, []).append(f"Monte Carlo of {bench}")
        for why, what in reasons.items():
            yield f"{name}, {', '.join(what)}: {why}"


def failing(technology: Technology, pool: Pool) -> Iterator[str]:
    """Campaigns whose first sample cannot be simulated, with the reasons."""
    for name in registry.circuit_names():
        for bench in campaigns(registry.load_circuit(name)):
            if _why_not(name, bench, technology):
                yield f"{name}, Monte Carlo of {bench}: not simulated, because it cannot be planned"
            else:
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
            f"{circuit}, Monte Carlo of {bench}: {done.failed} of {len(campaign.points)} points of a sample failed: "
            f"{reasons[0]}"
        )
