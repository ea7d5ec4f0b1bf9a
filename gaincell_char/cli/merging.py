"""The commands ``merge`` and ``tune``."""

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
from . import command_options, listings, requests
from .campaigns import failed_points, failure, finished_rows, read_specs, technology_of
from .console import OUT, keep, note


@click.command(cls=command_options.Command)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--spec", "specs", multiple=True, metavar="LIMIT", help="Report the yield of a limit, as 'i_bl > 8u'.")
@click.option("--tech", help="Folder of the technology, if the campaign was not run in a built-in one.")
@command_options.WORKERS
@command_options.TIMEOUT
def merge(folder: Path, specs: Sequence[str], tech: str | None, workers: int | None, timeout: float) -> None:
    """Merge the shards in FOLDER into results.parquet, tables, pictures and record.

    \b
    Example:  for i in 1 2 3 4; do gaincell mc gain_cell dc -n 4096 -o cell --shard $i/4; done
              gaincell merge cell
    """
    there = manifest.read_manifest(folder)
    planned = campaign.restore_campaign(
        {**there.request, "technology": technology_of(folder, there, tech)}, str(folder)
    )
    if (planned.digest, planned.source) != (there.digest, there.source):
        raise RequestError(
            f"{folder}: technology, netlist or source code of this package has changed since the simulation; "
            "simulate again"
        )
    planned.check_samples(there.n)
    wanted = read_specs(planned, specs)
    manifest.check_places(folder, *manifest.FOLDERS)
    from .campaign_results import finish  # imports matplotlib, which takes a second

    with Pool(workers, timeout_s=timeout) as pool:
        rows = finished_rows(planned, there.n, folder)
        failed = failed_points(planned, rows, ())
        kept = keep(failed, folder / "failed") if failed else folder
        finish(planned, rows, there.n, folder, pool, wanted, failed)
    if failed:
        raise failure(rows, kept)


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
