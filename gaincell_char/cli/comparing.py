"""The command ``compare``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from .. import registry
from ..declare.periphery import FINITE
from ..errors import GaincellError, ParameterError
from ..fitting.at_conditions import NOMINAL
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
    "--head", default=registry.DEFAULT_HEAD, show_default=True, help="Attention head: the circuits it is built from."
)
@click.option(
    "--records",
    help="Records of the software model: name or folder; by default the records of the technology.",
)
@click.option(
    "--operation",
    "operations",
    multiple=True,
    metavar="NAME",
    help="Operation, scores or values; both by default.",
)
@click.option("--inputs", type=click.Path(path_type=Path), help="An .npz file with Q, K, V instead of random tensors.")
@click.option("--instances", default=1, show_default=True, help="Number of random heads.")
@click.option("--tokens", default=64, show_default=True, help="Tokens of a random head.")
@click.option("--dim", default=64, show_default=True, help="Dimension of a random head.")
@click.option(
    "--continuous", is_flag=True, help="Draw tensors from their whole ranges instead of 16 input and 8 stored levels."
)
@click.option("--seed", default=1, show_default=True, help="Seed of tensors, columns and device mismatch.")
@click.option("--columns", default=8, show_default=True, help="Simulated columns of each array; 0 for all.")
@click.option("--queries", default=1, show_default=True, help="Queries of each head, the last ones; 0 for all.")
@click.option("--clamp", type=click.Choice(CLAMPS), default="ideal", show_default=True, help="Clamp of the bitlines.")
@click.option("--r-clamp", default=300.0, show_default=True, help="Resistance of the clamp [ohm].")
@click.option("--c-wire", default=0.8e-15, show_default=True, help="Bitline wire capacitance per cell [F].")
@click.option("--r-wire", default=0.0, show_default=True, help="Bitline wire resistance per cell [ohm].")
@click.option(
    "--periphery",
    type=click.Choice(("ideal", "finite")),
    default="ideal",
    show_default=True,
    help="Resistances of row drivers, wires and supply; finite simulates whole arrays.",
)
@click.option("--write", is_flag=True, help="K and V are voltages of the DAC: simulate the write of the cells.")
@click.option("--hold", default=0.0, show_default=True, help="Idle time between write and read [s].")
@click.option("--mismatch", is_flag=True, help="Draw mismatch for every device, and test the model's intervals.")
@click.option("--draws", default=400, show_default=True, help="Random arrays per interval of the software model.")
@click.option("--corner", default=NOMINAL.corner, show_default=True, help="Process corner.")
@click.option("--temp", default=NOMINAL.temp, show_default=True, help="Temperature [degC].")
@click.option("--vdd", type=float, help="Supply [V]; that of the technology by default.")
@click.option("--form", help="Form of the software model that must agree; the best form by default.")
@click.option(
    "--gate", is_flag=True, help="Exit with status 1 if the difference exceeds the error stated in the records."
)
@command_options.TECH
@command_options.WORKERS
@command_options.TIMEOUT
@command_options.NGSPICE
@click.pass_context
def compare_(
    context: click.Context,
    /,
    out: Path,
    draws: int,
    form: str | None,
    gate: bool,
    periphery: str,
    workers: int | None,
    timeout: float,
    **request: Any,
) -> None:
    """Compare ngspice and the PyTorch model on the same tensors.

    One column contains the cells of one score or of one output.  An existing output folder is resumed: missing columns
    are simulated, failed ones again.  With --gate the exit status depends on the agreement.

    \b
    Example:  gaincell compare -o compare --instances 24 --columns 1
              gaincell compare -o codes --write --periphery finite --timeout 3600
              gaincell compare -o swing --head attention_switched --clamp passive --gate
    """
    _check_effect(context)
    tables.check_folder(out)
    from .. import reporting  # imports matplotlib, which takes a second

    interrupts: Interrupts = context.obj
    around = FINITE if periphery == "finite" else None
    plan = plan_comparison(
        draws, path=request.pop("inputs"), technology=request.pop("tech"), periphery=around, **request
    )
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
    """Print undecided comparisons and disagreements; with `gate` a disagreement raises `GaincellError`."""
    for sentence in judged.undecided():
        say(sentence)
    if sentences := judged.disagreements(form):
        message = f"SPICE and the software model disagree: {'; '.join(sentences)}"
        if gate:
            raise GaincellError(message)
        say(message)


def _check_effect(context: click.Context) -> None:
    """Reject options without effect."""
    given = context.params
    if given["inputs"] is not None:
        requests.refuse(context, ("instances", "tokens", "dim", "continuous"), "--inputs specifies the tensors")
    if not given["mismatch"]:
        requests.refuse(context, ("draws",), "it needs --mismatch")
    if given["clamp"] != "resistor":
        requests.refuse(context, ("r_clamp",), "it needs --clamp resistor")


def _check_form(form: str | None, models: Mapping[str, score.ModelUnderTest]) -> None:
    known = dict.fromkeys(name for model in models.values() for name in model.forms)
    if form is not None and form not in known:
        raise ParameterError(f"no form {form!r} in these records; have {', '.join(known)}")


def _failure(rows: pd.DataFrame, failures: Sequence[Failure], out: Path) -> GaincellError:
    """Error that reports the failed columns, of this call and of earlier ones."""
    failed = rows.loc[rows["status"] == FAILED, "reason"]
    reason = failures[0].reason if failures else failed.iloc[0]
    kept = f"; decks and logs are in {out / 'failed'}" if failures else ""
    return GaincellError(
        f"{len(failed)} of {len(rows)} columns failed; the first: {reason}{kept}; the same command simulates them again"
    )


COMMANDS = (compare_,)
