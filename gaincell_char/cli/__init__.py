"""The command ``gaincell``.  Nothing else prints."""

import errno
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from .. import __version__, registry, report
from ..declare.parameters import Value
from ..errors import FitError, GaincellError, ParameterError, RequestError, SimulationError
from ..spice.pool import Pool
from ..storage import tables
from ..storage.scratch import remove_leftovers
from ..sweep.run import Failure, characterize
from ..workflows import characterize_all, fit_table
from . import command_options, comparing, exporting, foreign, listings, merging, montecarlo, requests, technologies
from .console import OUT, UNEXPECTED, flush, keep, make_printable, note, report_of, say
from .interrupts import Interrupted, Interrupts
from .progress import progress


def main() -> None:
    """Run the command line and turn failures into one sentence and an exit status."""
    try:
        with Interrupts() as interrupts:
            status = _status(interrupts)
    except Interrupted as error:
        say(error.words)
        status = error.status
    flush()
    sys.exit(status)


def _status(interrupts: Interrupts) -> int:
    """Run the command line and return its exit status."""
    try:
        make_printable()
        remove_leftovers()
        found = cli.main(standalone_mode=False, obj=interrupts)
        return found if isinstance(found, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        interrupts.leave()
        cause = error.__cause__ if isinstance(error, click.Abort) else error
        ended = cause if isinstance(cause, Interrupted) else Interrupted(signal.SIGINT)
        say(ended.words)
        return ended.status
    except Exception as error:
        interrupts.leave()
        return _explained(error)


def _explained(error: Exception) -> int:
    """Say in one sentence what went wrong and return the exit status."""
    match error:
        case SimulationError():
            kept = keep([Failure(where={}, reason=str(error), deck=error.deck, log=error.log)], Path("gaincell-failed"))
            say(f"{error}; deck and log are in {kept}")
            return error.exit_status
        case GaincellError():
            say(str(error))
            return error.exit_status
        case BrokenPipeError():
            return 0
        case OSError():
            say(f"{error.filename or 'output'}: {tables.why(error)}")
            return RequestError.exit_status if error.errno == errno.ENAMETOOLONG else 1
        case MemoryError():
            say("there is not enough memory for this; ask for fewer points, samples or tokens at a time")
            return 1
        case _:
            say(f"unexpected error ({type(error).__name__}), a fault of gaincell; {report_of(error)}")
            return UNEXPECTED


@click.group(
    cls=command_options.Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="gaincell")
@click.pass_context
def cli(context: click.Context, /) -> None:
    """Characterize gain-cell circuits in ngspice and fit compact models.

    \b
    gaincell run                                   everything, to a page in results/
    gaincell sweep gain_cell dc -o current.csv     one bench, to a table
    gaincell show gain_cell                        parameters, benches and models of a circuit
    """
    if context.obj is None:
        context.obj = context.with_resource(Interrupts())


@cli.command("list")
def list_() -> None:
    """List circuits, their benches and models, and technologies.

    \b
    Example:  gaincell list
    """
    OUT.print(listings.circuits())
    OUT.print(listings.technologies())


@cli.command()
@click.argument("circuit")
@command_options.TECH
def show(circuit: str, tech: str) -> None:
    """Show the parameters, benches and models of CIRCUIT.

    \b
    Example:  gaincell show gain_cell
    """
    for part in listings.describe(circuit, tech):
        OUT.print(part)


@cli.command()
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
    """Print the complete deck of one run, ready for ngspice -b.

    \b
    Example:  gaincell netlist gain_cell pulse --set v_store=0.7 --set t_pulse=5n > pulse.cir
              ngspice -b -r pulse.raw pulse.cir
    """
    loaded = registry.load_circuit(circuit)
    params = loaded.params | loaded.bench(bench).params
    chosen = requests.settings(loaded, bench, settings)
    temps = requests.temps(temp)
    if len(temps) > 1:
        raise ParameterError(f"--temp {temp}: one deck has one temperature; give one")
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


@cli.command()
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
    """Run BENCH of CIRCUIT over a grid and write a table.

    Parameters that are not named keep the bench's own sweep or their default; see gaincell show CIRCUIT.

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
    counts = result.dataset.attrs
    note(f"{counts['n_ok']} of {counts['n_points']} points in {time.perf_counter() - began:.1f} s, in {output}")
    if result.failures:
        kept = keep(result.failures, Path(f"{output}.failed"))
        failure = _failure(result.failures, counts["n_failed"], counts["n_points"], kept)
        if not interrupts.stopped:
            raise failure
        say(str(failure))
    interrupts.check()


def _failure(failures: Sequence[Failure], failed: int, total: int, kept: Path) -> GaincellError:
    first = failures[0]
    where = ", ".join(f"{name} = {value}" for name, value in first.where.items())
    return GaincellError(
        f"{failed} of {total} points failed; the first, at {where}: {first.reason}; decks and logs are in {kept}"
    )


@cli.command("fit")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The record to write, a .json file."
)
@click.option("--model", "models", multiple=True, help="Model to fit; every one that the data determine by default.")
@click.option("--circuit", help="Circuit the data belong to, if the file does not say.")
@click.option("--bench", help="Bench the data belong to, if the file does not say.")
@foreign.OPTIONS
@click.pass_context
def fit_(
    context: click.Context,
    /,
    data: Path,
    output: Path,
    models: Sequence[str],
    circuit: str | None,
    bench: str | None,
    **elsewhere: Any,
) -> None:
    """Fit compact models to DATA: a table that gaincell sweep wrote, or one from elsewhere.

    Measurements and other simulators' tables need --circuit, --model and --map: which of their columns is what.
    CSV, Parquet, .npz and .npy, raw files of ngspice and LTspice.

    \b
    Example:  gaincell fit current.csv -o current.json
              gaincell fit lab.csv -o lab.json --circuit gain_cell --model cubic \\
                --map v_store=Vst,i_bl=Id --units v_store=mV,i_bl=uA
    """
    if output.suffix != ".json":
        raise RequestError(f"{output}: a record is a .json file")
    tables.check_writable(output)
    if foreign.is_meant(context, data, elsewhere):
        foreign.fit(data, output, models, circuit, bench, elsewhere)
        return
    table = tables.read_table(data)
    record, left_out = fit_table.fit_table(table, data, circuit=circuit, bench=bench, models=models)
    for reason in left_out:
        say(f"left out: {reason}")
    tables.write_text(output, record.to_json())
    OUT.print(listings.fits(record))
    note(f"record in {output}")


@cli.command()
@click.option(
    "-o", "--out", default="results", show_default=True, type=click.Path(path_type=Path), help="Folder to write."
)
@click.option("--circuit", "circuits", multiple=True, help="Only this circuit; may be repeated.")
@click.option(
    "--records", type=click.Path(path_type=Path), help="Also write the records here, as <circuit>.<study>.json."
)
@command_options.TECH
@command_options.WORKERS
@command_options.TIMEOUT
@command_options.INTERRUPTS
def run(
    interrupts: Interrupts,
    out: Path,
    circuits: Sequence[str],
    records: Path | None,
    tech: str,
    workers: int | None,
    timeout: float,
) -> None:
    """Characterize every circuit: simulate all benches, fit all models, write page, pictures and records.

    \b
    Example:  gaincell run --out results
    """
    began = time.perf_counter()
    names = list(dict.fromkeys(circuits)) or registry.circuit_names()
    chosen = [registry.load_circuit(name) for name in names]
    technology = registry.load_technology(tech)
    planned = [characterize_all.plan_circuit(circuit, tech) for circuit in chosen]
    characterize_all.check_plans(planned)
    results: list[characterize_all.CircuitResult] = []
    with Pool(workers, timeout_s=timeout) as pool, interrupts.stopping(pool):
        folders = characterize_all.prepare(out, records, technology.name)
        for problem in characterize_all.problems(planned):
            say(f"left out: {problem}")
        with progress("characterizing", sum(one.size for one in planned)) as tick:
            for one in planned:
                results.append(
                    characterize_all.run_circuit(
                        one, pool, progress=tick, finished=lambda r: characterize_all.keep(r, folders)
                    )
                )
        simulator = f"ngspice {pool.version}"
    wall_s = time.perf_counter() - began
    page = report.write_report(out, technology, results, simulator=simulator, wall_s=wall_s)
    wall_s = time.perf_counter() - began
    tables.write_text(
        out / "run.json", characterize_all.describe(results, technology.name, simulator, pool.workers, wall_s)
    )
    OUT.print(listings.frame(report.headline(results)))
    note(f"{wall_s:.1f} s; open {page.path}")
    for part in page.missing:
        say(f"the page lacks {part}")
    interrupts.check()
    if failure := _what_failed(planned, results, out):
        raise failure


def _what_failed(
    planned: Sequence[characterize_all.CircuitPlan], results: Sequence[characterize_all.CircuitResult], out: Path
) -> GaincellError | None:
    """What of the main job failed: points before models before studies that could not be planned."""
    studies = [study for result in results for study in result.studies.values()]
    if failures := [failure for study in studies for failure in study.failures]:
        failed = sum(int(s.dataset.attrs["n_failed"]) for s in studies)
        return _failure(failures, failed, sum(one.size for one in planned), out / "failed")
    if left_out := [reason for study in studies for reason in study.left_out]:
        return FitError(f"{_many(len(left_out), 'model')} could not be fitted; the first: {left_out[0]}")
    if problems := list(characterize_all.problems(planned)):
        count = f"{len(problems)} {'study' if len(problems) == 1 else 'studies'}"
        return GaincellError(f"{count} could not be run in this technology; the first: {problems[0]}")
    return None


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


for _command in (
    *montecarlo.COMMANDS,
    *merging.COMMANDS,
    *comparing.COMMANDS,
    *technologies.COMMANDS,
    *exporting.COMMANDS,
):
    cli.add_command(_command)
