"""The command ``mc``."""

import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..errors import GaincellError
from ..montecarlo import execute, sampling
from ..montecarlo.campaign import Campaign
from ..montecarlo.chunks import start_anywhere
from ..montecarlo.replay import parse_id, replay
from ..spice.pool import Pool
from ..storage import manifest, tables
from ..sweeping.run import FAILED
from ..sweeping.step_control import Steps
from ..workflows.campaign_folder import collect_samples, finished_rows
from ..workflows.sampled import analyse_samples
from ..workflows.sampling_run import plan_run, simulate_run
from ..workflows.watcher import Watcher
from . import command_options, requests
from .campaign_request import plan_again, read_request
from .campaign_run import connect, read_options
from .campaigns import failure, finish
from .console import note, say
from .interrupts import Interrupts
from .progress import progress


@click.command("mc", cls=command_options.Command)
@click.argument("circuit")
@click.argument("bench")
@click.option("-n", "--samples", type=int, default=256, show_default=True, help="Samples; later calls can add more.")
@click.option("--vary", default="both", show_default=True, help=f"Variation: {', '.join(sampling.VARY)}.")
@click.option("--sampler", default="sobol", show_default=True, help=f"Sampler: {', '.join(sampling.SAMPLERS)}.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the random samples.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder of the campaign.")
@command_options.AXIS
@command_options.CORNERS
@command_options.TEMPS
@command_options.SET
@command_options.OPTION
@click.option(
    "--accuracy",
    metavar="PERCENT",
    help="Use the cheapest step control with at most this measured error; 0.05% by default, where measured.",
)
@click.option("--spec", "specs", multiple=True, metavar="LIMIT", help="Report the yield of a limit, as 'i_bl > 8u'.")
@click.option(
    "--until", metavar="GOAL", help="Stop early once 'sigma<2%', 'mean<1%' or 'yield<1%' (relative half-width) is met."
)
@click.option("--shard", metavar="I/N", help="Simulate part I of N, for job arrays that share a folder; then merge.")
@click.option("--retry-failed", is_flag=True, help="Simulate failed points again.")
@click.option(
    "--replay", "replay_id", metavar="ID", help="Print the deck of one point, simulate it, and show its outputs."
)
@click.option("--dask", metavar="ADDRESS", help="Simulate on a Dask cluster, for example tcp://host:8786.")
@command_options.TECH
@command_options.NETLIST
@command_options.WORKERS
@command_options.TIMEOUT
@command_options.NGSPICE
@click.pass_context
def monte_carlo(context: click.Context, /, replay_id: str | None, **given: Any) -> None:
    """Monte Carlo of BENCH of CIRCUIT: simulate random samples and analyse the variation of the outputs.

    Finished points are kept: after a crash, Ctrl-C or a power failure, the same command resumes.

    \b
    Example:  gaincell mc gain_cell dc -n 1000 --vary mismatch -o cell
              gaincell mc relu_c2p transfer -n 256 --spec "offset < 600p" -o relu
              gaincell mc gain_cell dc -n 1000 --vary mismatch -o cell --replay 17.36
    """
    interrupts: Interrupts = context.obj
    out: Path = given["out"]
    tables.check_folder(out)
    _check_effect(context)
    if replay_id is not None:
        _replay(plan_again(context, given), out, replay_id, given["timeout"])
        return
    run = plan_run(read_request(given).plan(), given["samples"], out, read_options(given))
    manifest.check_campaign_folder(out, run.planned.manifest(run.n))
    with Pool(given["workers"], timeout_s=given["timeout"]) as pool, connect(given["dask"]) as executor:
        with interrupts.stopping(pool):
            done = simulate_run(run, executor or pool, Watcher(progress=progress, say=say, note=note))
        _tell(run.planned, done, out)
        interrupts.check()
        finished = collect_samples(run.planned, done.n, out, done.failures, say)
        if run.is_whole:
            began = time.perf_counter()
            finish(analyse_samples(run.planned, finished, done.n, out, pool=pool, specs=run.specs), out, began)
    if finished.failures:
        raise failure(finished)


def _check_effect(context: click.Context) -> None:
    """Reject options without effect."""
    given = context.params
    if given["replay_id"] is not None:
        only = ("specs", "until", "shard", "retry_failed", "dask", "workers")
        requests.refuse(context, only, "--replay simulates one point")
    if given["dask"] is not None:
        why = "the workers of the cluster load their own libraries; set NGSPICE_LIBRARY_PATH where they are started"
        requests.refuse(context, ("ngspice",), why)
    if given["shard"] is not None:
        requests.refuse(context, ("specs", "until"), "--shard simulates one part; gaincell merge analyses all parts")


def _tell(planned: Campaign, done: execute.CampaignProgress, out: Path) -> None:
    rate = f", {done.simulated / done.wall_s:.0f} points/s" if done.simulated > 0 and done.wall_s > 0 else ""
    kept = f", {done.kept} already finished" if done.kept else ""
    label = Steps.model_validate(planned.request["steps"]).label
    note(f"{done.simulated} points simulated in {done.wall_s:.1f} s{rate}{kept}, in {out} ({label})")


def _replay(planned: Campaign, out: Path, text: str, timeout: float) -> None:
    sample, point = parse_id(planned, text)
    if (out / manifest.MANIFEST).exists():
        manifest.compare(out, planned.manifest(0, start_anywhere(planned.plan.technology.compiled_files)))
    again = replay(planned, sample, point, timeout_s=timeout)
    click.echo(again.deck.text, nl=False)
    where = f" (its copy in the deck is {again.instance})" if again.instance else ""
    for name, value in again.values.items():
        say(f"{sample}.{point}{where}: {name} = {value.tolist()!r}")
    rows = finished_rows(planned, sample + 1, out, say)
    stored = rows[(rows["sample"] == sample) & (rows["point"] == point)]
    if stored.empty:
        return
    if stored.iloc[0]["status"] == FAILED:
        say(f"this point failed in the campaign: {stored.iloc[0]['reason']}")
        return
    same = all(np.asarray(stored.iloc[0][name]).tolist() == value.tolist() for name, value in again.values.items())
    say("identical to the campaign" if same else "NOT identical to the campaign")
    if not same:
        raise GaincellError(f"sample {text} gives other results than the campaign")


COMMANDS = (monte_carlo,)
