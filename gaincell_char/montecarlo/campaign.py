"""Monte Carlo of one bench: every sample and every grid point, planned before the first simulation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .. import registry
from ..declare.bench import Floats, Grid, Noise
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
"""Modules that affect the result of a sample, in addition to those of every point."""
_MOST_POINTS = 20_000
_MOST_NUMBERS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """Monte Carlo samples of a bench; the number of samples is not part of it, so samples can be added later.

    Samples are simulated in fixed groups of `copies` that share a deck, so a result does not depend on the number of
    samples, the machine, or the time.

    Attributes
    ----------
    plan : SweepPlan
        Grid at which every sample is measured, with the options of the campaign.
    vary : {"process", "mismatch", "both"}
        Random parameters of a sample: a die, the devices of a typical die, or both.
    request : mapping
        Arguments of `plan_campaign` in JSON form.
    """

    plan: SweepPlan
    vary: str
    sampler: Sampler
    copies: int
    request: Mapping[str, Any]

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Grid points, in the order of the dataset."""
        return tuple(self.plan.points())

    @cached_property
    def _devices(self) -> tuple[tuple[Device, ...], ...]:
        """Devices of every point; between points only their values differ."""
        process = tuple(self.plan.technology.process)
        return tuple(find_devices(p.deck.template.netlist, p.deck.params, process) for p in self.points)

    def _variables(self, point: int) -> tuple[Variable, ...]:
        return sampling.variables(self._devices[point], self.plan.technology, self.vary)

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """Every random variable of a sample, with its sigma at the first point; a swept size changes sigma."""
        return self._variables(0)

    @cached_property
    def source(self) -> str:
        """Hash of the source code that determines a result."""
        return source_digest([self.plan.circuit.name], _SOURCE)

    def manifest(self, n: int, simulator: str = "") -> Manifest:
        """Manifest of a folder with the first `n` samples; `simulator` is name and version, if known."""
        return Manifest(digest=self.digest, source=self.source, simulator=simulator, n=n, request=self.request)

    @cached_property
    def digest(self) -> str:
        """Hash of everything that determines a result, except source code and simulator."""
        block = self.sampler.block if self.sampler.kind == "lhs" else None
        drawn = (self.vary, self.sampler.kind, self.sampler.seed, block, self.copies, self.variables)
        return digest(self.plan.digest, drawn)

    @cached_property
    def most(self) -> int:
        """Largest number of samples that fits into memory."""
        numbers = len(self.points) * max(1, sum(len(device.hooks) for device in self._devices[0]))
        return max(1, min(MOST_SAMPLES, _MOST_NUMBERS // numbers))

    def check_samples(self, n: int) -> int:
        """Return a number of samples, or raise `ParameterError` if it is below 1 or too large for memory."""
        most = self.most
        if n < 1:
            raise ParameterError(f"n = {n}: a campaign needs at least one sample")
        if n > most:
            raise ParameterError(
                f"n = {n} samples; the maximum is {most} for this grid of {len(self.points)} points; "
                "use a smaller sweep, or several campaigns with different seeds"
            )
        return n

    def check_first(self) -> None:
        """Draw one sample, or raise `ParameterError` if a Latin hypercube is too large, or nothing varies."""
        if self.sampler.kind == "lhs" and self.sampler.block > self.most:
            raise ParameterError(
                f"block = {self.sampler.block}: a Latin hypercube of this grid has at most {self.most} samples"
            )
        self.rows(0, self.draws(1))

    def padded(self, n: int) -> int:
        """Number of samples in all groups that contain the first `n` samples."""
        return -(-n // self.copies) * self.copies

    def draws(self, n: int) -> Floats:
        """Standard normal numbers of the first `n` samples, dimensionless, shape (n, n_variables)."""
        return self.sampler.draw(0, n, len(self.variables))

    def rows(self, point: int, draws: Floats) -> tuple[tuple[str, ...], Floats]:
        """Device values at a grid point: targets, and values in SI units, shape (n, n_targets); `draws` as `draws`."""
        corner = str(self.points[point].where["corner"])
        return sampling.alters(self._devices[point], self._variables(point), self.plan.technology, corner, draws)

    def deck(self, sample: int, point: int, draws: Floats) -> Deck:
        """Deck of one `sample` at one grid `point`, alone; `draws`, dimensionless, of shape (n_variables,)."""
        targets, values = self.rows(point, draws[None, :])
        deck = self.points[point].deck
        template = replace(deck.template, title=f"{deck.template.title}, sample {sample}.{point}")
        return replace(deck, template=template, alters=dict(zip(targets, values[0].tolist(), strict=True)))

    @cached_property
    def _program(self) -> bytes:
        return program(self.plan.bench.outputs, [point.values for point in self.points])

    @cached_property
    def _both_decks(self) -> tuple[tuple[Deck, ...], tuple[Deck, ...]]:
        """Decks of every point, for a whole group and for a single sample."""
        alone = tuple(point.deck for point in self.points)
        if self.copies == 1:
            return alone, alone
        templates = {id(d.template): stack_template(d.template, self.copies) for d in alone}
        return tuple(replace(stacked(d, self.copies), template=templates[id(d.template)]) for d in alone), alone

    @property
    def grouped_decks(self) -> tuple[Deck, ...]:
        """Deck of every point for a whole group, without device values."""
        return self._both_decks[0]

    def batch(self, rows: Mapping[int, tuple[tuple[str, ...], Floats]], runs: Sequence[tuple[int, int]]) -> Batch:
        """Batch of groups; `runs` are pairs (point, first sample of the group), ordered by point.

        Parameters
        ----------
        rows : mapping
            Point -> result of `rows` for all samples: values in SI units, shape (n, n_targets).
        """
        return self._batch(rows, runs, self._both_decks[0], self.copies)

    def alone(self, rows: Mapping[int, tuple[tuple[str, ...], Floats]], runs: Sequence[tuple[int, int]]) -> Batch:
        """Batch of single samples; `runs` are pairs (point, sample), `rows` of shape (n, n_targets) in SI units."""
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
    """Plan a Monte Carlo campaign; `circuit`, `bench`, `technology`, `netlist` and `set_` are as of `plan_bench`.

    Parameters
    ----------
    vary, sampler, seed, block
        As of `Campaign` and `Sampler`.
    sweep : mapping of str to Grid, optional
        Grid of every sample; added to the grid that the circuit declares for the statistics of this bench.
    steps : Steps, optional
        Step control, and copies per deck; those of the bench, and 1, by default.
    conditions
        ``corners``, ``temps`` and ``options`` of `plan_bench`.

    Raises
    ------
    ParameterError, NetlistError
        If an argument is invalid, process variation is requested at a corner, or a random parameter cannot be varied.
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
        raise ParameterError(f"steps is of type {type(steps).__name__}; it must be Steps(...)")
    return steps


def _sources(technology: str | Technology, netlist: Netlist | str | None) -> dict[str, str | None]:
    """Technology and netlist of a request, in JSON form."""
    return {
        "technology": technology if isinstance(technology, str) else technology.name,
        "netlist": netlist.text if isinstance(netlist, Netlist) else netlist,
    }


def _grid_of_a_sample(circuit: str, bench: str, held: Values) -> dict[str, Grid]:
    """Grid that the circuit declares for Monte Carlo of a bench, without the parameters in `held`."""
    declared = registry.load_circuit(circuit).spread(bench)
    return {name: values for name, values in (declared.sweep if declared else {}).items() if name not in held}


def _asked(plan: SweepPlan, drawn: Sampler) -> dict[str, Any]:
    """Part of a request that plan and sampler determine, in JSON form."""
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
            f"the grid of every sample has {plan.size} points; the maximum is {_MOST_POINTS}: "
            "use a smaller sweep with --axis or --set"
        )
    if not 1 <= copies <= MOST_COPIES:
        raise ParameterError(f"copies = {copies} is outside [1, {MOST_COPIES}]")
    if copies > 1 and isinstance(plan.bench.analysis, Noise):
        raise ParameterError(f"copies = {copies}: a deck of the noise bench {plan.bench.name} simulates one sample")
    moved = [name for name in plan.corners if any(plan.technology.corner(name).values())]
    if vary != "mismatch" and moved:
        raise ParameterError(
            f"corner {moved[0]} fixes the process; use process variation at tt, or --vary mismatch at {moved[0]}"
        )


class _Request(BaseModel):
    """A `Campaign.request` in a file."""

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
    """Samples of one Latin hypercube in a `Campaign.request`; raises as `restore_campaign`."""
    return _read(request, where).block


def restore_campaign(request: Mapping[str, Any], where: str = "campaign") -> Campaign:
    """Plan the campaign of a `Campaign.request` read from a file; `where` names the file in errors.

    Raises
    ------
    DataError
        If the request is incomplete or contains an unknown entry.
    """
    said = _read(request, where)
    return plan_campaign(**{**said.model_dump(exclude={"steps"}), "steps": said.steps})


def _read(request: Mapping[str, Any], where: str) -> _Request:
    try:
        return _Request.model_validate(dict(request))
    except ValidationError as error:
        raise DataError(f"the campaign in {where} is damaged: request.{complaint(error)}") from None
