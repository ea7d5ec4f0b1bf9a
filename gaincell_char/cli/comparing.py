"""The command ``compare``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from .. import registry
from ..errors import GaincellError, ParameterError
from ..spice.pool import Pool
from ..storage import tables
from ..storage.manifest import check_campaign_folder
from ..sweeping.run import FAILED, Failure
from ..validation import score
from ..validation.array_netlist import CLAMPS
from ..workflows.comparison import plan_comparison, run_comparison
from ..workflows.watcher import Watcher
from . import command_options, listings, requests
from .console import OUT, note, say
from .interrupts import Interrupts
from .progress import progress

if TYPE_CHECKING:
    from ..reporting.parts import Written


@click.command("compare", cls=command_options.Command)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder of the comparison.")
@click.option(
    "--head", default=registry.DEFAULT_HEAD, show_default=True, help="Which circuits make the attention head."
)
@click.option(
    "--records",
    help="Records of the software model: a name or a folder; those of the technology by default.",
)
@click.option(
    "--operation",
    "operations",
    multiple=True,
    metavar="NAME",
    help="scores or values; both by default.",
)
@click.option("--inputs", type=click.Path(path_type=Path), help="An .npz file with Q, K, V instead of drawn tensors.")
@click.option("--instances", default=1, show_default=True, help="Heads to draw.")
@click.option("--tokens", default=64, show_default=True, help="Tokens of a drawn head.")
@click.option("--dim", default=64, show_default=True, help="Dimension of a drawn head.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same tensors, columns and devices.")
@click.option("--columns", default=8, show_default=True, help="Columns of each array to simulate; 0 for all.")
@click.option("--queries", default=1, show_default=True, help="Queries of each head, the last ones; 0 for all.")
@click.option("--clamp", type=click.Choice(CLAMPS), default="ideal", show_default=True, help="How bitlines are held.")
@click.option("--r-clamp", default=300.0, show_default=True, help="Resistance of the clamp [ohm].")
@click.option("--c-wire", default=0.8e-15, show_default=True, help="A cell's share of its bitline's wire [F].")
@click.option("--r-wire", default=0.0, show_default=True, help="The same as a resistance [ohm].")
@click.option("--mismatch", is_flag=True, help="Draw every device, and count what the model's intervals cover.")
@click.option("--draws", default=400, show_default=True, help="Arrays the model draws for its intervals.")
@click.option("--form", help="Form of the software model that has to agree; the best by default.")
@click.option("--gate", is_flag=True, help="Exit with status 1 if they disagree by more than the records state.")
@command_options.TECH
@command_options.WORKERS
@command_options.TIMEOUT
@click.pass_context
def compare_(
    context: click.Context,
    /,
    out: Path,
    draws: int,
    form: str | None,
    gate: bool,
    workers: int | None,
    timeout: float,
    **request: Any,
) -> None:
    """Send the same tensors through ngspice and through the PyTorch model, and say how far they are apart.

    One column contains the cells of a score or of an output.  The same command goes on where it ended: it simulates
    what is missing, and again what failed.  --gate makes it a test.

    \b
    Example:  gaincell compare -o compare --instances 24 --columns 1
              gaincell compare -o swing --head attention_switched --clamp passive --gate
    """
    _check_effect(context)
    tables.check_folder(out)
    from .. import reporting  # imports matplotlib, which takes a second

    interrupts: Interrupts = context.obj
    plan = plan_comparison(draws, path=request.pop("inputs"), technology=request.pop("tech"), **request)
    _check_form(form, plan.models)
    check_campaign_folder(out, plan.comparison.manifest(plan.todo))
    watcher = Watcher(progress=progress, say=say, note=note, stopping=interrupts.stopping, check=interrupts.check)
    with Pool(workers, timeout_s=timeout) as pool:
        run = run_comparison(plan, out, pool, watcher)
    found, judged = run.cases, run.judged
    page = reporting.write_comparison(
        out, plan.comparison, judged, found.waves, run.about, found.missing, found.failures
    )
    OUT.print(listings.frame(reporting.tabulate_comparison(judged)))
    _tell(judged, page, f"{found.simulated} of {len(plan.todo)} passes simulated in {run.about['wall_s']:.1f} s")
    if (found.rows["status"] == FAILED).any():
        raise _failure(found.rows, found.failures, out)
    _say_whether_they_agree(judged, form, gate=gate)


def _tell(judged: score.ValidationResult, page: "Written", simulated: str) -> None:
    for sentence in judged.explained():
        note(sentence)
    note(f"{simulated}; open {page.path}")
    for part in page.missing:
        say(f"the page lacks {part}")


def _say_whether_they_agree(judged: score.ValidationResult, form: str | None, *, gate: bool) -> None:
    """Say what is not decided and what disagrees; with a gate, to disagree is an error."""
    for sentence in judged.undecided():
        say(sentence)
    if sentences := judged.disagreements(form):
        message = f"SPICE and the software model disagree: {'; '.join(sentences)}"
        if gate:
            raise GaincellError(message)
        say(message)


def _check_effect(context: click.Context) -> None:
    """Refuse options that another one makes useless."""
    given = context.params
    if given["inputs"] is not None:
        requests.refuse(context, ("instances", "tokens", "dim"), "--inputs says what the tensors are")
    if not given["mismatch"]:
        requests.refuse(context, ("draws",), "only --mismatch draws arrays")
    if given["clamp"] != "resistor":
        requests.refuse(context, ("r_clamp",), "only --clamp resistor has one")


def _check_form(form: str | None, models: Mapping[str, score.ModelUnderTest]) -> None:
    known = dict.fromkeys(name for model in models.values() for name in model.forms)
    if form is not None and form not in known:
        raise ParameterError(f"no form {form!r} in these records; have {', '.join(known)}")


def _failure(rows: pd.DataFrame, failures: Sequence[Failure], out: Path) -> GaincellError:
    """What failed in this call, or failed before and was not tried."""
    failed = rows.loc[rows["status"] == FAILED, "reason"]
    reason = failures[0].reason if failures else failed.iloc[0]
    kept = f"; decks and logs are in {out / 'failed'}" if failures else ""
    return GaincellError(
        f"{len(failed)} of {len(rows)} columns failed; the first: {reason}{kept}; the same command simulates them again"
    )


COMMANDS = (compare_,)
