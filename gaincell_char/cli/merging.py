"""The commands ``merge`` and ``tune``."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import pandas as pd

from .. import registry
from ..errors import RequestError
from ..montecarlo import campaign
from ..montecarlo.tune import check_samples, tune
from ..spice.pool import Pool
from ..storage import manifest, tables
from ..sweeping.step_control import MeasuredSetting
from ..workflows.campaign_folder import collect_samples, read_specs, restore_folder
from ..workflows.sampled import analyse_samples
from . import command_options, listings, requests
from .campaigns import failure, finish
from .console import OUT, note, say


@click.command(cls=command_options.Command)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--spec", "specs", multiple=True, metavar="LIMIT", help="Report the yield of a limit, as 'i_bl > 8u'.")
@click.option("--tech", help="Folder of the technology, if the campaign was not run in a built-in one.")
@command_options.WORKERS
@command_options.TIMEOUT
@command_options.NGSPICE
def merge(folder: Path, specs: Sequence[str], tech: str | None, workers: int | None, timeout: float) -> None:
    """Merge the shards in FOLDER into results.parquet, tables, pictures and record.

    \b
    Example:  for i in 1 2 3 4; do gaincell mc gain_cell dc -n 4096 -o cell --shard $i/4; done
              gaincell merge cell
    """
    planned, n = restore_folder(folder, tech)
    wanted = read_specs(planned, specs)
    manifest.check_places(folder, *manifest.FOLDERS)
    with Pool(workers, timeout_s=timeout) as pool:
        manifest.check_simulator(folder, pool.start(planned.plan.technology.compiled_files))
        began = time.perf_counter()
        finished = collect_samples(planned, n, folder, (), say)
        finish(analyse_samples(planned, finished, n, folder, pool=pool, specs=wanted), folder, began)
    if finished.failures:
        raise failure(finished)


@click.command("tune", cls=command_options.Command)
@click.argument("circuit")
@click.argument("bench")
@click.option(
    "-n",
    "--samples",
    type=click.IntRange(8, 1024),
    default=16,
    show_default=True,
    help="Samples per setting, a multiple of 8.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .json file to write.")
@command_options.AXIS
@command_options.SET
@command_options.TECH
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    help="Simulator processes, 1 by default: several would disturb the measured times.",
)
@command_options.TIMEOUT
@command_options.NGSPICE
def tune_(
    circuit: str,
    bench: str,
    samples: int,
    output: Path,
    axes: Sequence[str],
    settings: Mapping[str, str],
    tech: str,
    workers: int,
    timeout: float,
) -> None:
    """Measure cost and error of the step-control settings of BENCH, for gaincell mc --accuracy.

    \b
    Example:  gaincell tune gain_cell pulse -o gain_cell.pulse.json
    """
    check_samples(samples)
    if output.suffix != ".json":
        raise RequestError(
            f"{output}: step-control measurements are written as .json; choose a name that ends in .json"
        )
    tables.check_writable(output)
    loaded = registry.load_circuit(circuit)
    sweep, set_ = requests.axes(loaded, bench, axes), requests.settings(loaded, bench, settings)
    campaign.plan_campaign(circuit, bench, technology=tech, sweep=sweep, set_=set_)
    with Pool(workers, timeout_s=timeout) as pool:
        found = tune(circuit, bench, pool=pool, samples=samples, technology=tech, sweep=sweep, set_=set_)
    tables.write_text(output, found.to_json())
    OUT.print(listings.frame(_front(found.front())))
    note(f"{len(found.trials)} settings in {output}")


def _front(trials: Sequence[MeasuredSetting]) -> pd.DataFrame:
    return pd.DataFrame(
        {"setting": t.steps.label, "error": f"{100 * t.error:.4f} %", "cost": f"{1e3 * t.cost_s:.3f} ms"}
        for t in trials
    )


COMMANDS = (merge, tune_)
