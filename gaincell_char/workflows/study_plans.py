"""Circuits -> plans of their studies in a technology, and the reasons of studies that it cannot run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .. import registry
from ..declare.circuit import Circuit
from ..declare.datasheet import Study
from ..errors import RequestError, TechnologyError
from ..sweeping.plan import SweepPlan
from ..technology.schema import Technology

Lack = tuple[str, str, str]
"""Circuit, what of it is affected (with the bench), and the reason."""


@dataclass(frozen=True, kw_only=True)
class CircuitPlan:
    """The studies of one circuit in a technology.

    ``plans`` contains the studies that can be run, ``problems`` the reasons of those that cannot, and ``notes`` the
    reasons why a study of ``plans`` has fewer corners than declared.
    """

    circuit: Circuit
    plans: Mapping[str, SweepPlan]
    problems: Mapping[str, str]
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of runs, without checks."""
        return sum(plan.size for plan in self.plans.values())


def plan_study(circuit: Circuit, study: Study, technology: str | Technology) -> SweepPlan:
    """Plan the grid of a `study` of a `circuit`, at those of its corners that the `technology` has.

    Raises
    ------
    RequestError
        If the technology has none of the corners, or lacks a flavour or a device of the circuit; the message names the
        entry of technology.toml that adds it.
    """
    loaded = registry.load_technology(technology) if isinstance(technology, str) else technology
    corners = [corner for corner in study.corners if corner in loaded.corners]
    if not corners:
        raise TechnologyError(
            f"technology {loaded.name} has none of the corners {', '.join(study.corners)}; {_add(study.corners)}"
        )
    plan = registry.plan_bench(
        circuit.name,
        study.bench,
        technology=loaded,
        sweep=study.sweep,
        corners=corners,
        temps=study.temps,
        set_=study.fixed,
        options=study.options,
        own_sweep=study.own_sweep,
    )
    plan.check_decks()
    return plan


def plan_circuit(circuit: Circuit, technology: str | Technology, *, optional: bool = False) -> CircuitPlan:
    """Plan the studies of a `circuit` in a `technology`; those that are `optional` on request.

    A study that cannot be run does not stop the others.
    """
    plans: dict[str, SweepPlan] = {}
    problems: dict[str, str] = {}
    notes: dict[str, str] = {}
    for study in circuit.all_studies:
        try:
            if optional or not study.optional:
                plans[study.key] = plan = plan_study(circuit, study, technology)
                if lacking := [corner for corner in study.corners if corner not in plan.corners]:
                    notes[study.key] = (
                        f"only at {', '.join(plan.corners)}, because technology {plan.technology.name} has no corner "
                        f"{', '.join(lacking)}; {_add(lacking)}"
                    )
        except RequestError as error:
            problems[study.key] = str(error)
    return CircuitPlan(circuit=circuit, plans=plans, problems=problems, notes=notes)


def _add(corners: Sequence[str]) -> str:
    """What adds corners to a technology."""
    return f"add {', '.join(f'[corners.{corner}]' for corner in corners)} to technology.toml"


def group_by_reason(lacks: Iterable[Lack]) -> Iterator[str]:
    """One sentence for each reason, with all circuits, studies and benches that it concerns."""
    reasons: dict[str, dict[str, list[str]]] = {}
    for circuit, what, reason in lacks:
        reasons.setdefault(reason, {}).setdefault(circuit, []).append(what)
    for reason, circuits in reasons.items():
        yield f"{'; '.join(', '.join([name, *what]) for name, what in circuits.items())}: {reason}"


def list_lacks(planned: CircuitPlan, reasons: Mapping[str, str]) -> Iterator[Lack]:
    """Studies of a plan with `reasons`, which are its ``problems`` or its ``notes``."""
    for study in planned.circuit.all_studies:
        if study.key in reasons:
            yield planned.circuit.name, f"study {study.key} (bench {study.bench})", reasons[study.key]


def problems(planned: Sequence[CircuitPlan]) -> list[str]:
    """Every study that cannot be planned, with the reason; studies with the same reason share a line."""
    return list(group_by_reason(lack for one in planned for lack in list_lacks(one, one.problems)))


def notes(planned: Sequence[CircuitPlan]) -> list[str]:
    """Every study with fewer corners than declared, with the reason; studies with the same reason share a line."""
    return list(group_by_reason(lack for one in planned for lack in list_lacks(one, one.notes)))


def check_plans(planned: Sequence[CircuitPlan]) -> None:
    """Raise `RequestError` if no study can be run."""
    if not any(one.plans for one in planned):
        raise RequestError(f"nothing can be run: {'; '.join(problems(planned)) or 'no circuit has a study'}")
