"""Monte Carlo of one bench: every sample, every point of the grid, decided before the first one runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .. import registry
from ..declare.bench import Floats, Grid
from ..declare.parameters import Values
from ..errors import DataError, ParameterError
from ..spice.batch import Batch, program
from ..spice.copies import stack_template, stacked
from ..spice.deck import Deck
from ..spice.hierarchy import Device, find_devices
from ..spice.netlist import Netlist
from ..storage.manifest import MOST_SAMPLES, Manifest
from ..storage.schema_fields import Finite, Label, Name, Text, complaint
from ..storage.untrusted import MOST_NETLIST
from ..sweeping.arguments import check_count, check_mapping, check_values
from ..sweeping.identity import digest, source_digest
from ..sweeping.plan import Point, SweepPlan
from ..sweeping.step_control import MOST_COPIES, Steps
from ..technology.schema import Technology
from . import sampling
from .sampling import Sampler, Variable

_SOURCE = (
    "montecarlo.sampling",
    "montecarlo.campaign",
    "montecarlo.chunks",
    "montecarlo.execute",
    "montecarlo.finished",
    "storage.shards",
)
"""Modules that a sample runs through, beside those of every point."""
_MOST_POINTS = 20_000
_MOST_NUMBERS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """Samples of a bench; how many is not part of it, so more can follow.

    Samples are simulated in groups of `copies` that share a deck; the groups never change, so a result
    depends neither on how many samples are asked for nor on who simulates them, or when.

    Attributes
    ----------
    plan : SweepPlan
        The grid that every sample is measured over, with the options of the campaign.
    vary : {"process", "mismatch", "both"}
        What a sample draws: a die, the devices of a typical die, or a die and its devices.
    request : mapping
        What `plan_campaign` was asked for, as JSON holds it.
    """

    plan: SweepPlan
    vary: str
    sampler: Sampler
    copies: int
    request: Mapping[str, Any]

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The grid, in the order of the dataset: point number -> what it holds."""
        return tuple(self.plan.points())

    @cached_property
    def _devices(self) -> tuple[tuple[Device, ...], ...]:
        """Devices of every point; those of two points differ in their numbers alone."""
        process = tuple(self.plan.technology.process)
        return tuple(find_devices(p.deck.template.netlist, p.deck.params, process) for p in self.points)

    def _variables(self, point: int) -> tuple[Variable, ...]:
        return sampling.variables(self._devices[point], self.plan.technology, self.vary)

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """Every random number of a sample, with its sigma at the first point: a swept size changes it."""
        return self._variables(0)

    @cached_property
    def source(self) -> str:
        """Hash of the source code that decides what a measured number is."""
        return source_digest([self.plan.circuit.name], _SOURCE)

    def manifest(self, n: int, simulator: str = "") -> Manifest:
        """Return what the folder of its first `n` samples says, simulated by `simulator` if that is known."""
        return Manifest(digest=self.digest, source=self.source, simulator=simulator, n=n, request=self.request)

    @cached_property
    def digest(self) -> str:
        """Hash of everything that decides the result, but for the source code and the simulator."""
        block = self.sampler.block if self.sampler.kind == "lhs" else None
        drawn = (self.vary, self.sampler.kind, self.sampler.seed, block, self.copies, self.variables)
        return digest(self.plan.digest, drawn)

    @cached_property
    def most(self) -> int:
        """Largest number of samples that can be held in memory."""
        numbers = len(self.points) * max(1, sum(len(device.hooks) for device in self._devices[0]))
        return max(1, min(MOST_SAMPLES, _MOST_NUMBERS // numbers))

    def check_samples(self, n: int) -> int:
        """Return a number of samples, or raise `ParameterError` if that many cannot be held in memory."""
        most = self.most
        if n < 1:
            raise ParameterError(f"n = {n}: a campaign needs at least one sample")
        if n > most:
            raise ParameterError(
                f"n = {n} samples; the most is {most} for this grid of {len(self.points)} points; "
                "for more, sweep less, or run several campaigns with other seeds"
            )
        return n

    def check_first(self) -> None:
        """Draw one sample; raise `ParameterError` if a Latin hypercube is larger than a campaign, or nothing varies."""
        if self.sampler.kind == "lhs" and self.sampler.block > self.most:
            raise ParameterError(
                f"block = {self.sampler.block}: a Latin hypercube of this grid has at most {self.most} samples"
            )
        self.rows(0, self.draws(1))

    def padded(self, n: int) -> int:
        """Number of samples in the groups that hold the first `n`."""
        return -(-n // self.copies) * self.copies

    def draws(self, n: int) -> Floats:
        """Standard normal numbers of the first `n` samples, shape (n, n_variables)."""
        return self.sampler.draw(0, n, len(self.variables))

    def rows(self, point: int, draws: Floats) -> tuple[tuple[str, ...], Floats]:
        """Numbers of the devices at one point of the grid: targets, and values of shape (n, n_targets)."""
        base = self.plan.technology.corner(str(self.points[point].where["corner"]))
        return sampling.alters(self._devices[point], self._variables(point), base, draws)

    def deck(self, sample: int, point: int, draws: Floats) -> Deck:
        """Return the deck of one sample alone; `draws` is its row."""
        targets, values = self.rows(point, draws[None, :])
        deck = self.points[point].deck
        template = replace(deck.template, title=f"{deck.template.title}, sample {sample}.{point}")
        return replace(deck, template=template, alters=dict(zip(targets, values[0].tolist(), strict=True)))

    @cached_property
    def _program(self) -> bytes:
        return program(self.plan.bench.outputs, [point.values for point in self.points])

    @cached_property
    def _both_decks(self) -> tuple[tuple[Deck, ...], tuple[Deck, ...]]:
        """The decks of every point: for a whole group, and for one sample alone."""
        alone = tuple(point.deck for point in self.points)
        if self.copies == 1:
            return alone, alone
        templates = {id(d.template): stack_template(d.template, self.copies) for d in alone}
        return tuple(replace(stacked(d, self.copies), template=templates[id(d.template)]) for d in alone), alone

    @property
    def grouped_decks(self) -> tuple[Deck, ...]:
        """Deck of every point for a whole group, without the numbers of its devices."""
        return self._both_decks[0]

    def batch(self, rows: Mapping[int, tuple[tuple[str, ...], Floats]], runs: Sequence[tuple[int, int]]) -> Batch:
        """Return runs of groups: (point, first sample of the group) each, point by point.

        Parameters
        ----------
        rows : mapping
            Point -> `rows` of every sample there.
        """
        return self._batch(rows, runs, self._both_decks[0], self.copies)

    def alone(self, rows: Mapping[int, tuple[tuple[str, ...], Floats]], runs: Sequence[tuple[int, int]]) -> Batch:
        """Return runs of single samples: (point, sample) each."""
        return self._batch(rows, runs, self._both_decks[1], 1)

    def _batch(
        self,
        rows: Mapping[int, tuple[tuple[str, ...], Floats]],
        runs: Sequence[tuple[int, int]],
        decks: Sequence[Deck],
        copies: int,
    ) -> Batch:
        where: dict[tuple[int, int], int] = {}
        values: list[Floats] = []
        for point, first in runs:
            where[point, first] = len(values) * copies
            values.append(rows[point][1][first : first + copies])
        return Batch(
            decks=tuple(decks),
            save=self.points[0].deck.template.save,
            copies=copies,
            targets=rows[runs[0][0]][0],
            rows=np.concatenate(values),
            runs=tuple((p, where[p, first]) for p, first in runs),
            program=self._program,
        )


def plan_campaign(
    circuit: str,
    bench: str,
    *,
    vary: str = "both",
    sampler: str = "sobol",
    seed: int = 1,
    block: int = 1024,
    technology: str | Technology = registry.DEFAULT_TECHNOLOGY,
    netlist: Netlist | str | None = None,
    sweep: Mapping[str, Grid] | None = None,
    set_: Values | None = None,
    steps: Steps | None = None,
    **conditions: Any,
) -> Campaign:
    """Check a request and lay out its campaign; what is not named here is that of `plan_bench`.

    Parameters
    ----------
    sweep : mapping of str to Grid, optional
        The grid of every sample; joins what the circuit declares for this bench's statistics.
    block : int
        Samples of one Latin hypercube.
    steps : Steps, optional
        Step control and copies per deck; the bench's own and 1 by default.
    conditions
        ``corners``, ``temps`` and ``options`` of `plan_bench`.

    Raises
    ------
    ParameterError, NetlistError
        If an argument makes no sense, dies are to be drawn around a corner, or something varies out of reach.
    """
    steps, held = _steps(steps), check_values("set_", set_)
    drawn = sampling.make_sampler(sampler, check_count("seed", seed), check_count("block", block, 1))
    conditions["sweep"] = _grid_of_a_sample(circuit, bench, held) | check_mapping("sweep", sweep)
    conditions["options"] = {**steps.options, **check_values("options", conditions.get("options"))}
    named: dict[str, Any] = {"technology": technology, "netlist": netlist, "set_": held, "own_sweep": False}
    plan = replace(registry.plan_bench(circuit, bench, **named, **conditions), max_step=steps.max_step)
    _check(plan, vary, steps.copies)
    request = _asked(plan, drawn) | _sources(technology, netlist)
    request |= {"vary": vary, "set_": held, "steps": steps.model_dump()}
    campaign = Campaign(plan=plan, vary=vary, sampler=drawn, copies=steps.copies, request=request)
    campaign.check_first()
    return campaign


def _steps(steps: Steps | None) -> Steps:
    if steps is None:
        return Steps()
    if not isinstance(steps, Steps):
        raise ParameterError(f"steps is of type {type(steps).__name__}; it takes Steps(...)")
    return steps


def _sources(technology: str | Technology, netlist: Netlist | str | None) -> dict[str, str | None]:
    """What a request says of the technology and of the netlist, as JSON holds it."""
    return {
        "technology": technology if isinstance(technology, str) else technology.name,
        "netlist": netlist.text if isinstance(netlist, Netlist) else netlist,
    }


def _grid_of_a_sample(circuit: str, bench: str, held: Values) -> dict[str, Grid]:
    """What the circuit declares for Monte Carlo of a bench, less what is held."""
    declared = registry.load_circuit(circuit).spread(bench)
    return {name: values for name, values in (declared.sweep if declared else {}).items() if name not in held}


def _asked(plan: SweepPlan, drawn: Sampler) -> dict[str, Any]:
    """What of a request the plan and the sampler have decided, as JSON holds it."""
    curve = {plan.bench.curve.name: plan.curve.tolist()} if plan.bench.curve else {}
    return {
        "circuit": plan.circuit.name,
        "bench": plan.bench.name,
        "sampler": drawn.kind,
        "seed": drawn.seed,
        "block": drawn.block,
        "sweep": {name: list(values) for name, values in plan.sweep.items()} | curve,
        "corners": list(plan.corners),
        "temps": list(plan.temps),
        "options": dict(plan.options),
    }


def _check(plan: SweepPlan, vary: str, copies: int) -> None:
    if plan.size > _MOST_POINTS:
        raise ParameterError(
            f"the grid of every sample has {plan.size} points; the most is {_MOST_POINTS}: "
            "sweep less with --axis or --set"
        )
    if not 1 <= copies <= MOST_COPIES:
        raise ParameterError(f"copies = {copies} is outside [1, {MOST_COPIES}]")
    moved = [name for name in plan.corners if any(plan.technology.corner(name).values())]
    if vary != "mismatch" and moved:
        raise ParameterError(
            f"corner {moved[0]} is a die of its own; draw dies around tt, or vary mismatch alone at {moved[0]}"
        )


class _Request(BaseModel):
    """A `Campaign.request` as a file holds it."""

    model_config = ConfigDict(extra="forbid")

    circuit: Name
    bench: Name
    vary: Name
    sampler: Name
    seed: int
    block: Annotated[int, Field(ge=1, le=sampling.MOST_BLOCK)]
    technology: Text
    netlist: Annotated[str, Field(max_length=MOST_NETLIST)] | None
    set_: dict[Name, Finite | Label]
    steps: Steps
    sweep: dict[Name, list[Finite | Label]]
    corners: list[Label]
    temps: list[Finite]
    options: dict[Name, Finite]


def block_of(request: Mapping[str, Any], where: str) -> int:
    """Return the samples of one Latin hypercube that a `Campaign.request` asks for; errors are those of `again`."""
    return _read(request, where).block


def restore_campaign(request: Mapping[str, Any], where: str = "campaign") -> Campaign:
    """Return the campaign of a `Campaign.request` that was read back from a file.

    Raises
    ------
    DataError
        If the request lacks something or contains something else.
    """
    said = _read(request, where)
    return plan_campaign(**{**said.model_dump(exclude={"steps"}), "steps": said.steps})


def _read(request: Mapping[str, Any], where: str) -> _Request:
    try:
        return _Request.model_validate(dict(request))
    except ValidationError as error:
        raise DataError(f"the campaign in {where} is damaged: request.{complaint(error)}") from None
