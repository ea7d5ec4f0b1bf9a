"""The command ``gaincell``: command line -> calls of the package -> printed results; no other package prints.

Input: the words of a command line.  Output: text, files and an exit status.  Start with this file, which lists the
commands; each has a module of its own.  `requests` and `assignments` read the values of options.
"""

import errno
import signal
import sys
from pathlib import Path

import click

from .. import __version__
from ..errors import GaincellError, RequestError, SimulationError
from ..storage import tables
from ..storage.scratch import remove_leftovers
from ..sweeping.run import Failure
from ..workflows.kept_failures import keep_failures
from . import command_options, comparing, exporting, fitting, main_job, merging, montecarlo, sweeping, technologies
from .console import UNEXPECTED, flush, make_printable, report_of, say
from .interrupts import Interrupted, Interrupts


def main() -> None:
    """Run the command line; report a failure as one sentence and an exit status."""
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
    """Print the reason of a failure as one sentence and return the exit status."""
    match error:
        case SimulationError():
            kept = keep_failures(
                [Failure(where={}, reason=str(error), deck=error.deck, log=error.log)], Path("gaincell-failed")
            )
            say(f"{error}; deck and log are in {kept}")
            return error.exit_status
        case GaincellError():
            say(str(error))
            return error.exit_status
        case BrokenPipeError():
            return 0
        case OSError():
            say(f"{error.filename or 'output'}: {tables.explain_error(error)}")
            return RequestError.exit_status if error.errno == errno.ENAMETOOLONG else 1
        case MemoryError():
            say("not enough memory for this request; use fewer points, samples or tokens at a time")
            return 1
        case _:
            say(f"unexpected error ({type(error).__name__}), a bug in gaincell; {report_of(error)}")
            return UNEXPECTED


@click.group(
    cls=command_options.Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="gaincell")
@click.pass_context
def cli(context: click.Context, /) -> None:
    """Characterize gain-cell circuits in ngspice and fit compact models.

    \b
    gaincell run                                   characterize all circuits, report in results/
    gaincell sweep gain_cell dc -o current.csv     simulate one bench, table in current.csv
    gaincell show gain_cell                        parameters, benches and models of a circuit
    """
    if context.obj is None:
        context.obj = context.with_resource(Interrupts())


for _module in (sweeping, fitting, main_job, montecarlo, merging, comparing, technologies, exporting):
    for _command in _module.COMMANDS:
        cli.add_command(_command)
