"""The commands ``mc``, ``merge`` and ``tune``."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import click
import pandas as pd

from .. import analysis, campaign, check, mc, registry, report, results, sampling, shards, statistics, store
from ..campaign import Campaign
from ..errors import CharError, ParameterError, RequestError
from ..netlist import Deck
from ..pool import Pool
from ..replay import parse_id, replay
from ..run import Failure
from ..statistics import Goal, Spec
from ..steps import Steps
from ..tune import tune
from . import options, requests, tables
from .console import OUT, keep, note, say
from .progress import progress, stoppable

_FIRST_CHECKPOINT = 64
_ACCURACY = 5e-4


@click.command("mc")
@click.argument("circuit")
@click.argument("bench")
@click.option("-n", "--samples", type=int, default=256, show_default=True, help="Samples; more can follow later.")
@click.option("--vary", default="both", show_default=True, help=f"What a sample draws: {', '.join(sampling.VARY)}.")
@click.option("--sampler", default="sobol", show_default=True, help=f"How it is drawn: {', '.join(sampling.SAMPLERS)}.")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same samples.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder of the campaign.")
@options.AXIS
@options.CORNERS
@options.TEMPS
@options.SET
@options.OPTION
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
@options.TECH
@options.NETLIST
@options.WORKERS
@options.TIMEOUT
def monte_carlo(
    circuit: str, bench: str, samples: int, out: Path, specs: Sequence[str], until: str | None, shard: str | None,
    retry_failed: bool, replay_id: str | None, dask: str | None, workers: int | None, timeout: float, **request: Any,
) -> None:  # fmt: skip
    """Monte Carlo of BENCH of CIRCUIT: simulate samples, and say how copies of the circuit differ.

    What is finished is kept: after a crash, Ctrl-C or a power cut the same command goes on where it stopped.

    \b
    Example:  gaincell mc gain_cell dc -n 1000 --vary mismatch -o cell
              gaincell mc relu_c2p transfer -n 256 --spec "offset < 600p" -o relu
              gaincell mc gain_cell dc -n 1000 --vary mismatch -o cell --replay 17.36
    """
    planned = _planned(circuit, bench, samples, out, **request)
    if replay_id is not None:
        _replay(planned, out, replay_id, timeout)
        return
    wanted = _specs(planned, specs)
    goal = statistics.parse_goal(until) if until else None
    if goal and goal.statistic == "yield" and not wanted:
        raise ParameterError(f"--until {until!r} needs a --spec to take the yield of")
    part = _part(shard)
    with _pool(workers, timeout) as pool, stoppable(pool), _executor(dask) as executor:
        done = _simulate(
            planned, samples, out, pool=pool, executor=executor, timeout=timeout, part=part, retry=retry_failed,
            goal=goal, specs=wanted,
        )  # fmt: skip
        _tell(planned, done, out)
        if done.stopped:
            raise KeyboardInterrupt
        if part[1] == 1:
            _finish(planned, done.n, out, pool, wanted)
    if done.failed:
        raise _failure(planned, done, out)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--spec", "specs", multiple=True, metavar="LIMIT", help="Report the yield of a limit, as 'i_bl > 8u'.")
@options.WORKERS
@options.TIMEOUT
def merge(folder: Path, specs: Sequence[str], workers: int | None, timeout: float) -> None:
    """Put the shards in FOLDER together: results.parquet, tables, pictures and record.

    \b
    Example:  for i in 1 2 3 4; do gaincell mc gain_cell dc -n 4096 -o cell --shard $i/4; done
              gaincell merge cell
    """
    there = shards.read_manifest(folder)
    planned = campaign.again(there.request)
    if planned.digest != there.digest:
        raise RequestError(f"{folder}: the technology, a netlist or this package has changed since; simulate it again")
    with _pool(workers, timeout) as pool:
        _finish(planned, there.n, folder, pool, _specs(planned, specs))


@click.command("tune")
@click.argument("circuit")
@click.argument("bench")
@click.option(
    "-n", "--samples", type=click.IntRange(8, 1024), default=16, show_default=True, help="Samples per setting."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .json file to write.")
@options.AXIS
@options.SET
@options.TECH
@options.WORKERS
@options.TIMEOUT
def tune_(
    circuit: str, bench: str, samples: int, output: Path, axes: Sequence[str], settings: Sequence[str], tech: str,
    workers: int | None, timeout: float,
) -> None:  # fmt: skip
    """Measure what step control of BENCH costs and how wrong it is: the choice of gaincell mc --accuracy.

    \b
    Example:  gaincell tune gain_cell pulse -o gain_cell.pulse.json
    """
    store.check_writable(output)
    loaded = registry.load_circuit(circuit)
    with Pool(workers or 1, timeout_s=timeout) as pool, stoppable(pool):
        found = tune(
            circuit, bench, pool=pool, samples=samples - samples % 8, technology=tech,
            sweep=requests.axes(loaded, bench, axes), set_=requests.settings(loaded, bench, settings),
        )  # fmt: skip
    store.write_text(output, found.to_json())
    OUT.print(tables.frame(_front(found.front())))
    note(f"{len(found.trials)} settings in {output}")


COMMANDS = (monte_carlo, merge, tune_)


def _front(trials: Sequence[Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {"setting": t.steps.label, "error": f"{100 * t.error:.4f} %", "cost": f"{1e3 * t.cost_s:.3f} ms"}
        for t in trials
    )


def _planned(
    circuit: str, bench: str, n: int, out: Path, *, axes: Sequence[str], corner: str, temp: str,
    settings: Sequence[str], simulator_options: Sequence[str], accuracy: str | None, tech: str, netlist: Path | None,
    vary: str, sampler: str, seed: int,
) -> Campaign:  # fmt: skip
    loaded = registry.load_circuit(circuit)
    loaded.bench(bench)
    given = requests.options(simulator_options)
    return campaign.plan_campaign(
        circuit, bench, vary=vary, sampler=sampler, seed=seed, block=_block(out, n), technology=tech,
        netlist=registry.read_netlist(netlist) if netlist else None, sweep=requests.axes(loaded, bench, axes),
        corners=requests.words(corner), temps=requests.temps(temp), set_=requests.settings(loaded, bench, settings),
        options=given, steps=_steps(tech, circuit, bench, accuracy),
    )  # fmt: skip


def _block(out: Path, n: int) -> int:
    """Samples of one Latin hypercube: those of the first call, so that more can follow."""
    if (out / shards.MANIFEST).exists():
        return int(shards.read_manifest(out).request["block"])
    return max(n, 1)


def _steps(tech: str, circuit: str, bench: str, accuracy: str | None) -> Steps:
    measured = registry.load_steps(tech, circuit, bench)
    if measured is None and accuracy is not None:
        raise RequestError(
            f"nobody measured the accuracy of {circuit}.{bench} in {tech}; run gaincell tune, or leave --accuracy out"
        )
    if measured is None:
        return Steps()
    return measured.choose(requests.percent(accuracy) if accuracy else _ACCURACY).steps


def _specs(planned: Campaign, texts: Sequence[str]) -> list[Spec]:
    declared = planned.plan.circuit.spread(planned.plan.bench.name)
    units = {o.name: o.unit for o in planned.plan.bench.outputs}
    units |= {f.name: f.unit for f in (declared.features if declared else ())}
    return [statistics.parse_spec(text, units) for text in texts]


def _part(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    first, slash, last = text.partition("/")
    if not (slash and first.strip().isdecimal() and last.strip().isdecimal()):
        raise ParameterError(f"--shard {text!r}: write I/N, for example 2/8")
    return int(first), int(last)


@contextlib.contextmanager
def _pool(workers: int | None, timeout: float) -> Iterator[Pool]:
    with Pool(workers, timeout_s=timeout) as pool:
        yield pool


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
    planned: Campaign, n: int, out: Path, *, pool: Pool, executor: Executor | None, timeout: float,
    part: tuple[int, int], retry: bool, goal: Goal | None, specs: Sequence[Spec],
) -> mc.Progress:  # fmt: skip
    """Run all samples, or as many as the goal needs."""
    for count in _checkpoints(n) if goal else [n]:
        with progress(f"{planned.plan.circuit.name}.{planned.plan.bench.name}", count * len(planned.points)) as tick:
            done = mc.run_campaign(
                planned, count, out, pool=None if executor else pool, executor=executor, timeout_s=timeout, part=part,
                retry_failed=retry, tick=tick, say=say,
            )  # fmt: skip
        if done.stopped or goal is None or part[1] > 1:
            return done
        rows = results.complete(planned, shards.read_shards(out), count)
        width = analysis.width(planned, rows, count, goal, specs)
        note(f"{count} samples: {goal.statistic} is known to {100 * width:.3g} %")
        if width < goal.limit:
            return done
    return done


def _checkpoints(n: int) -> list[int]:
    counts = [_FIRST_CHECKPOINT]
    while counts[-1] < n:
        counts.append(2 * counts[-1])
    return [*(c for c in counts if c < n), n]


def _tell(planned: Campaign, done: mc.Progress, out: Path) -> None:
    rate = f", {done.simulated / done.wall_s:.0f} points/s" if done.simulated > 0 and done.wall_s > 0 else ""
    kept = f", {done.kept} were there already" if done.kept else ""
    label = Steps.model_validate(planned.request["steps"]).label
    note(f"{done.simulated} points simulated in {done.wall_s:.1f} s{rate}{kept}, in {out} ({label})")


def _finish(planned: Campaign, n: int, out: Path, pool: Pool, specs: Sequence[Spec]) -> None:
    began = time.perf_counter()
    rows = results.complete(planned, shards.read_shards(out, say), n)
    store.write_frame(results.flat_results(planned, rows, n), out / "results.parquet")
    store.write_frame(results.drawn(planned, n), out / "draws.parquet")
    found = check.check(planned, rows, n, timeout_s=pool.timeout_s)
    analysed = analysis.analyse(planned, rows, n, pool=pool, specs=specs, check=found)
    page = report.write_campaign(out, planned, analysed, found)
    OUT.print(tables.frame(report.campaign_headline(analysed)))
    for fit in analysed.random:
        note(f"{fit.model}: {100 * fit.explained:.3f} % of the variance, sigma within {100 * fit.sigma_error:.1f} %")
    for text, share in analysed.yields:
        note(f"{text}: yield {100 * share.value:.2f} % ({100 * share.low:.2f} to {100 * share.high:.2f} %)")
    for reason in analysed.left_out:
        say(f"left out: {reason}")
    note(f"analysed in {time.perf_counter() - began:.1f} s; open {page}")


def _failure(planned: Campaign, done: mc.Progress, out: Path) -> CharError:
    decks = [_failed(planned, item, done.n) for item in done.failures]
    kept = keep(decks, out / "failed")
    first = done.failures[0]
    return CharError(
        f"{done.failed} of {done.n * len(planned.points)} points failed and are rows of the results; the first, "
        f"{first.sample}.{first.point}: {first.reason}; decks and logs are in {kept}; --retry-failed tries them again"
    )


def _failed(planned: Campaign, item: mc.Finished, n: int) -> Failure:
    deck: Deck = planned.deck(item.sample, item.point, planned.draws(planned.padded(n))[item.sample])
    return Failure(
        where={"sample": item.sample, **planned.points[item.point].where}, reason=item.reason, deck=deck.text,
        log=item.log,
    )  # fmt: skip


def _replay(planned: Campaign, out: Path, text: str, timeout: float) -> None:
    sample, point = parse_id(planned, text)
    if (out / shards.MANIFEST).exists():
        shards.compare(out, shards.Manifest(digest=planned.digest, n=0, request=planned.request))
    again = replay(planned, sample, point, timeout_s=timeout)
    click.echo(again.deck.text, nl=False)
    where = f" (its copy in the deck is {again.instance})" if again.instance else ""
    for name, value in again.values.items():
        say(f"{sample}.{point}{where}: {name} = {value.tolist()!r}")
    stored = shards.find(out, sample, point)
    if stored is not None:
        same = all(stored[name] == value.tolist() for name, value in again.values.items())
        say("the same as in the campaign" if same else "NOT the same as in the campaign")
        if not same:
            raise CharError(f"sample {text} gave other numbers than the campaign holds")
