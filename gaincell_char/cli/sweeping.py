"""The commands ``list``, ``show``, ``netlist`` and ``sweep``."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from .. import registry
from ..declare.parameters import Value
from ..errors import GaincellError, ParameterError
from ..spice.pool import Pool
from ..storage import tables
from ..sweeping.run import Failure, Result, characterize
from ..workflows.kept_failures import keep_failures
from . import command_options, listings, requests
from .console import OUT, note, say
from .interrupts import Interrupts
from .progress import progress


@click.command("list", cls=command_options.Command)
def list_() -> None:
    """List circuits, their benches and models, and technologies.

    \b
    Example:  gaincell list
    """
    OUT.print(listings.circuits())
    OUT.print(listings.technologies())


@click.command(cls=command_options.Command)
@click.argument("circuit")
@command_options.TECH
def show(circuit: str, tech: str) -> None:
    """Show the parameters, benches and models of CIRCUIT.

    \b
    Example:  gaincell show gain_cell
    """
    for part in listings.describe(circuit, tech):
        OUT.print(part)


@click.command(cls=command_options.Command)
@click.argument("circuit")
@click.argument("bench")
@command_options.SET
@click.option("--corner", default="tt", show_default=True, help="Process corner.")
@click.option("--temp", default="27", show_default=True, help="Temperature in degC.")
@command_options.TECH
@command_options.NETLIST
def netlist(
    circuit: str, bench: str, settings: Mapping[str, str], corner: str, temp: str, tech: str, netlist: Path | None
) -> None:
    """Print the complete deck of one simulation, for ngspice -b.

    \b
    Example:  gaincell netlist gain_cell pulse --set v_store=0.7 --set t_pulse=5n > pulse.cir
              ngspice -b -r pulse.raw pulse.cir
    """
    loaded = registry.load_circuit(circuit)
    params = loaded.params | loaded.bench(bench).params
    chosen = requests.settings(loaded, bench, settings)
    temps = requests.temps(temp)
    if len(temps) > 1:
        raise ParameterError(f"--temp {temp}: a deck has one temperature; give one value")
    values = params.resolve({**registry.load_technology(tech).sizes(circuit, params), **chosen})
    held: dict[str, Value] = {name: values[name] for name in loaded.bench(bench).sweep}
    request = registry.plan_bench(
        circuit,
        bench,
        technology=tech,
        netlist=netlist,
        set_={**held, **chosen},
        corners=[corner],
        temps=temps,
    )
    click.echo(next(request.points()).deck.text, nl=False)


@click.command(cls=command_options.Command)
@click.argument("circuit")
@click.argument("bench")
@command_options.AXIS
@command_options.CORNERS
@command_options.TEMPS
@command_options.SET
@command_options.OPTION
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A .nc, .csv or .parquet file.")
@command_options.TECH
@command_options.NETLIST
@command_options.WORKERS
@command_options.TIMEOUT
@command_options.NGSPICE
@command_options.INTERRUPTS
def sweep(
    interrupts: Interrupts,
    circuit: str,
    bench: str,
    axes: Sequence[str],
    corner: str,
    temp: str,
    settings: Mapping[str, str],
    simulator_options: Mapping[str, str],
    output: Path,
    tech: str,
    netlist: Path | None,
    workers: int | None,
    timeout: float,
) -> None:
    """Simulate BENCH of CIRCUIT over a grid and write a table.

    Other parameters keep the sweep of the bench or their default; see gaincell show CIRCUIT.

    \b
    Example:  gaincell sweep gain_cell dc --axis v_store=0:0.9:91 --axis v_in=450m,900m -o current.csv
              gaincell sweep capacitor_decay decay --temp 27,85 --set write_flavour=uhvt -o decay.nc
    """
    tables.check_target(output)
    loaded = registry.load_circuit(circuit)
    request = registry.plan_bench(
        circuit,
        bench,
        technology=tech,
        netlist=netlist,
        sweep=requests.axes(loaded, bench, axes),
        corners=requests.words(corner, "--corner"),
        temps=requests.temps(temp),
        set_=requests.settings(loaded, bench, settings),
        options=requests.options(simulator_options),
    )
    began = time.perf_counter()
    with Pool(workers, timeout_s=timeout) as pool, interrupts.stopping(pool):
        with progress(f"{circuit}.{bench}", request.size) as tick:
            result = characterize(request, pool=pool, progress=tick)
        tables.write_dataset(result.dataset, output)
    _tell(result, output, time.perf_counter() - began, interrupts)
    interrupts.check()


def _tell(result: Result, output: Path, wall_s: float, interrupts: Interrupts) -> None:
    """Print the number of simulated points and write failed decks; failures raise an error unless a signal came."""
    counts = result.dataset.attrs
    note(f"{counts['n_ok']} of {counts['n_points']} points in {wall_s:.1f} s, in {output}")
    if not result.failures:
        return
    kept = keep_failures(result.failures, Path(f"{output}.failed"))
    failure = describe_failures(result.failures, counts["n_failed"], counts["n_points"], kept)
    if not interrupts.stopped:
        raise failure
    say(str(failure))


def describe_failures(failures: Sequence[Failure], failed: int, total: int, kept: Path) -> GaincellError:
    """Error that reports failed points.

    Parameters
    ----------
    failures : sequence of Failure
        At least the first failed point.
    failed, total : int
        Number of failed points and of all points.
    kept : Path
        Folder with the decks and logs.
    """
    first = failures[0]
    where = ", ".join(f"{name} = {value}" for name, value in first.where.items())
    return GaincellError(
        f"{failed} of {total} points failed; the first, at {where}: {first.reason}; decks and logs are in {kept}"
    )


COMMANDS = (list_, show, netlist, sweep)
