"""The command ``mc``."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import click
import numpy as np

from .. import registry
from ..errors import GaincellError, ParameterError, RequestError
from ..fitting.specs import Goal, Spec, parse_goal
from ..montecarlo import analysis, campaign, execute, results, sampling
from ..montecarlo.campaign import Campaign
from ..montecarlo.replay import parse_id, replay
from ..spice.files import read_netlist_file
from ..spice.pool import Pool
from ..storage import manifest, tables
from ..sweep.run import FAILED
from ..sweep.step_control import Steps
from . import command_options, requests
from .campaigns import failed_points, failure, finish, finished_rows, read_specs, technology_of
from .console import keep, note, say
from .interrupts import Interrupts
from .progress import progress

_FIRST_CHECKPOINT = 64
_ACCURACY = 5e-4


@click.command("mc", cls=command_options.Command)
@click.argument("circuit")
@click.argument("bench")
@click.option("-n", "--samples", type=int, default=256, show_default=True, help="Samples; more can follow later.")
@click.option("--vary", default="both", show_default=True, help=f"What a sample draws: {', '.join(sampling.VARY)}.")
@click.option("--sampler", default="sobol", show_default=True, help=f"How it is drawn: {', '.join(sampling.SAMPLERS)}.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same samples.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder of the campaign.")
@command_options.AXIS
@command_options.CORNERS
@command_options.TEMPS
@command_options.SET
@command_options.OPTION
@click.option(
    "--accuracy", metavar="PERCENT", help="Step control is the cheapest measured to be this accurate; 0.05% if it was."
)
@click.option("--spec", "specs", multiple=True, metavar="LIMIT", help="Report the yield of a limit, as 'i_bl > 8u'.")
@click.option("--until", metavar="GOAL", help="Stop before -n samples once 'sigma<2%', 'mean<1%' or 'yield<1%' holds.")
@click.option("--shard", metavar="I/N", help="Simulate part I of N, for arrays of jobs that share DIR; then merge.")
@click.option("--retry-failed", is_flag=True, help="Simulate again what failed.")
@click.option(
    "--replay", "replay_id", metavar="ID", help="Print the deck of one point, run it, and show what it gives."
)
@click.option("--dask", metavar="ADDRESS", help="Simulate on a Dask cluster, as tcp://host:8786.")
@command_options.TECH
@command_options.NETLIST
@command_options.WORKERS
@command_options.TIMEOUT
@click.pass_context
def monte_carlo(
    context: click.Context,
    /,
    circuit: str,
    bench: str,
    samples: int,
    out: Path,
    specs: Sequence[str],
    until: str | None,
    shard: str | None,
    retry_failed: bool,
    replay_id: str | None,
    dask: str | None,
    workers: int | None,
    timeout: float,
    **request: Any,
) -> None:
    """Monte Carlo of BENCH of CIRCUIT: simulate samples, and say how copies of the circuit differ.

    What is finished is kept: after a crash, Ctrl-C or a power cut the same command continues.

    \b
    Example:  gaincell mc gain_cell dc -n 1000 --vary mismatch -o cell
              gaincell mc relu_c2p transfer -n 256 --spec "offset < 600p" -o relu
              gaincell mc gain_cell dc -n 1000 --vary mismatch -o cell --replay 17.36
    """
    interrupts: Interrupts = context.obj
    tables.check_folder(out)
    _check_effect(context)
    if replay_id is not None:
        _replay(_again(context, circuit, bench, samples, out, request), out, replay_id, timeout)
        return
    planned = _planned(circuit, bench, samples, out, **request)
    planned.check_samples(samples)
    wanted = read_specs(planned, specs)
    goal = parse_goal(until) if until else None
    if goal and goal.statistic == "yield" and not wanted:
        raise ParameterError(f"--until {until!r} needs a --spec to take the yield of")
    part = execute.check_part(_part(shard))
    manifest.check_campaign_folder(out, planned.manifest(samples))
    with Pool(workers, timeout_s=timeout) as pool, _executor(dask) as executor:
        with interrupts.stopping(pool):
            done = _simulate(
                planned,
                samples,
                out,
                pool=pool,
                executor=executor,
                timeout=timeout,
                part=part,
                retry=retry_failed,
                goal=goal,
                specs=wanted,
            )
        _tell(planned, done, out)
        interrupts.check()
        rows = finished_rows(planned, done.n, out)
        failed = failed_points(planned, rows, done.failures)
        kept = keep(failed, out / "failed") if failed else out
        if part[1] == 1:
            finish(planned, rows, done.n, out, pool, wanted, failed)
    if failed:
        raise failure(rows, kept)


def _check_effect(context: click.Context) -> None:
    """Refuse options that another one makes useless."""
    given = context.params
    if given["replay_id"] is not None:
        only = ("specs", "until", "shard", "retry_failed", "dask", "workers")
        requests.refuse(context, only, "--replay runs one point")
    if given["shard"] is not None:
        requests.refuse(context, ("specs", "until"), "--shard simulates a part; gaincell merge looks at the whole")


_REQUEST = (
    "axes",
    "corner",
    "temp",
    "settings",
    "simulator_options",
    "accuracy",
    "netlist",
    "vary",
    "sampler",
    "seed",
)
"""Options that say which campaign it is."""


def _again(
    context: click.Context, circuit: str, bench: str, samples: int, out: Path, request: dict[str, Any]
) -> Campaign:
    """Return the campaign to replay a point of: that of the folder, unless the options say which one."""
    if not (out / manifest.MANIFEST).exists() or requests.is_given(context, _REQUEST):
        return _planned(circuit, bench, samples, out, **request)
    there = manifest.read_manifest(out)
    tech = request["tech"] if requests.is_given(context, ("tech",)) else None
    planned = campaign.again({**there.request, "technology": technology_of(out, there, tech)}, str(out))
    if (planned.plan.circuit.name, planned.plan.bench.name) != (circuit, bench):
        raise RequestError(
            f"{out} contains a campaign of {planned.plan.circuit.name} {planned.plan.bench.name}, not {circuit} {bench}"
        )
    return planned


COMMANDS = (monte_carlo,)


def _planned(
    circuit: str,
    bench: str,
    n: int,
    out: Path,
    *,
    axes: Sequence[str],
    corner: str,
    temp: str,
    settings: Sequence[str],
    simulator_options: Sequence[str],
    accuracy: str | None,
    tech: str,
    netlist: Path | None,
    vary: str,
    sampler: str,
    seed: int,
) -> Campaign:
    loaded = registry.load_circuit(circuit)
    loaded.bench(bench)
    given = requests.options(simulator_options)
    return campaign.plan_campaign(
        circuit,
        bench,
        vary=vary,
        sampler=sampler,
        seed=seed,
        block=_block(out, n),
        technology=tech,
        netlist=read_netlist_file(netlist) if netlist else None,
        sweep=requests.axes(loaded, bench, axes),
        corners=requests.words(corner, "--corner"),
        temps=requests.temps(temp),
        set_=requests.settings(loaded, bench, settings),
        options=given,
        steps=_steps(tech, circuit, bench, accuracy),
    )


def _block(out: Path, n: int) -> int:
    """Samples of one Latin hypercube: those of the first call, so that more can follow."""
    if (out / manifest.MANIFEST).exists():
        return campaign.block_of(manifest.read_manifest(out).request, str(out))
    return min(max(n, 1), sampling.MOST_BLOCK)


def _steps(tech: str, circuit: str, bench: str, accuracy: str | None) -> Steps:
    measured = registry.load_steps(tech, circuit, bench)
    if measured is None and accuracy is not None:
        raise RequestError(
            f"no step-control measurement exists for {circuit}.{bench} in {tech}; run gaincell tune, "
            "or leave --accuracy out"
        )
    if measured is None:
        return Steps()
    return measured.choose(requests.percent(accuracy) if accuracy else _ACCURACY).steps


def _part(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    match = re.fullmatch(r" ?([0-9]{1,9}) ?/ ?([0-9]{1,9}) ?", text)
    if match is None:
        raise ParameterError(f"--shard {text!r}: write I/N, for example 2/8")
    return int(match[1]), int(match[2])


@contextlib.contextmanager
def _executor(address: str | None) -> Iterator[Executor | None]:
    if address is None:
        yield None
        return
    try:
        from distributed import Client  # an optional extra
    except ImportError:
        raise RequestError("--dask needs the package distributed: pip install gaincell-char[dask]") from None
    try:
        client: Any = Client(address, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise RequestError(f"--dask {address}: no scheduler answers there: {error}") from None
    with client:
        yield client.get_executor()


def _simulate(
    planned: Campaign,
    n: int,
    out: Path,
    *,
    pool: Pool,
    executor: Executor | None,
    timeout: float,
    part: tuple[int, int],
    retry: bool,
    goal: Goal | None,
    specs: Sequence[Spec],
) -> execute.CampaignProgress:
    """Run all samples, or as many as the goal needs."""
    for count in _checkpoints(n) if goal else [n]:
        with progress(f"{planned.plan.circuit.name}.{planned.plan.bench.name}", count * len(planned.points)) as tick:
            done = execute.run_campaign(
                planned,
                count,
                out,
                pool=pool if executor is None else executor,
                timeout_s=timeout if executor else None,
                part=part,
                retry_failed=retry,
                listener=execute.Listener(tick=tick, say=say),
            )
        if done.stopped or goal is None or part[1] > 1:
            return done
        rows = results.complete(planned, finished_rows(planned, count, out), count)
        width = analysis.compute_width(planned, rows, count, goal, specs)
        note(f"{count} samples: {goal.statistic} is known to {100 * width:.3g} %")
        if width < goal.limit:
            return done
    return done


def _checkpoints(n: int) -> list[int]:
    counts = [_FIRST_CHECKPOINT]
    while counts[-1] < n:
        counts.append(2 * counts[-1])
    return [*(c for c in counts if c < n), n]


def _tell(planned: Campaign, done: execute.CampaignProgress, out: Path) -> None:
    rate = f", {done.simulated / done.wall_s:.0f} points/s" if done.simulated > 0 and done.wall_s > 0 else ""
    kept = f", {done.kept} were there already" if done.kept else ""
    label = Steps.model_validate(planned.request["steps"]).label
    note(f"{done.simulated} points simulated in {done.wall_s:.1f} s{rate}{kept}, in {out} ({label})")


def _replay(planned: Campaign, out: Path, text: str, timeout: float) -> None:
    sample, point = parse_id(planned, text)
    if (out / manifest.MANIFEST).exists():
        manifest.compare(out, planned.manifest(0))
    again = replay(planned, sample, point, timeout_s=timeout)
    click.echo(again.deck.text, nl=False)
    where = f" (its copy in the deck is {again.instance})" if again.instance else ""
    for name, value in again.values.items():
        say(f"{sample}.{point}{where}: {name} = {value.tolist()!r}")
    rows = finished_rows(planned, sample + 1, out)
    stored = rows[(rows["sample"] == sample) & (rows["point"] == point)]
    if stored.empty:
        return
    if stored.iloc[0]["status"] == FAILED:
        say(f"in the campaign it failed: {stored.iloc[0]['reason']}")
        return
    same = all(np.asarray(stored.iloc[0][name]).tolist() == value.tolist() for name, value in again.values.items())
    say("the same as in the campaign" if same else "NOT the same as in the campaign")
    if not same:
        raise GaincellError(f"sample {text} gave other numbers than the campaign contains")
