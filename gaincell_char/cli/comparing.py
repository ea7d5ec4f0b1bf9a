"""The command ``compare``."""

import io
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from .. import agreement, compare, registry, report, shards, store
from ..array_deck import CLAMPS
from ..comparison import Case, Comparison, cases, make_comparison
from ..errors import CharError
from ..pool import Pool
from ..run import FAILED
from . import options, tables
from .console import OUT, note, say
from .progress import progress, stoppable


@click.command("compare")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder of the comparison.")
@click.option(
    "--head", default=registry.DEFAULT_HEAD, show_default=True, help="Which circuits make the attention head."
)
@click.option(
    "--records",
    default=registry.DEFAULT_TECHNOLOGY,
    show_default=True,
    help="Records of the software model: a name or a folder.",
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
@options.TECH
@options.WORKERS
@options.TIMEOUT
def compare_(
    out: Path, inputs: Path | None, instances: int, tokens: int, dim: int, draws: int, form: str | None, gate: bool,
    tech: str, operations: Sequence[str], workers: int | None, timeout: float, **request: Any,
) -> None:  # fmt: skip
    """Send the same tensors through ngspice and through the PyTorch model, and say how far they are apart.

    One column holds the cells of a score or of an output; a folder that holds some of the columns already is gone on
    with.  --gate makes it a test.

    \b
    Example:  gaincell compare -o compare --instances 24 --columns 1
              gaincell compare -o swing --head attention_switched --clamp passive --gate
    """
    from ..twins import pulses_of, twins  # needs PyTorch, which takes seconds to import

    comparison = make_comparison(
        path=inputs, instances=instances, tokens=tokens, dim=dim, technology=tech, operations=operations, **request
    )
    models = twins(comparison)
    todo = list(cases(comparison, pulses_of(models[comparison.declared.operations[0].name])))
    began = time.perf_counter()
    with Pool(workers, timeout_s=timeout) as pool, stoppable(pool), progress("comparing", len(todo)) as tick:
        done = compare.run_comparison(comparison, todo, out, pool, tick=tick, say=say)
        _keep_inputs(comparison, out)
        if done.stopped:
            raise KeyboardInterrupt
        waves = {c.operation.name: compare.waveforms(comparison, c, pool) for c in _first(todo)}
        simulator = f"ngspice {pool.version}"
    rows = shards.read_shards(out, say)
    assert rows is not None  # noqa: S101  just written
    judged = agreement.judge(comparison, models, rows, todo, draws)
    about = {
        "simulator": simulator, "technology": tech, "spice_s": float(rows["spent_s"].sum()), "model_s": judged.model_s,
        "wall_s": time.perf_counter() - began, "columns": len(rows),
    }  # fmt: skip
    page = report.write_comparison(out, comparison, judged, waves, about)
    store.write_text(out / "compare.json", _described(comparison, judged, about))
    OUT.print(tables.frame(report.comparison_headline(judged)))
    note(f"{done.simulated} of {len(todo)} passes simulated in {about['wall_s']:.1f} s; open {page}")
    if failed := int((rows["status"] == FAILED).sum()):
        raise CharError(f"{failed} of {len(rows)} columns failed; the first: {_reason(rows)}")
    if sentences := judged.disagreements(form):
        message = f"SPICE and the software model disagree: {'; '.join(sentences)}"
        if gate:
            raise CharError(message)
        say(message)


def _first(todo: Sequence[Case]) -> list[Case]:
    """The first case of each operation."""
    return list({case.operation.name: case for case in reversed(todo)}.values())


def _reason(rows: Any) -> str:
    return str(rows.loc[rows["status"] == FAILED, "reason"].iloc[0])


def _keep_inputs(comparison: Comparison, out: Path) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, Q=comparison.inputs.q, K=comparison.inputs.k, V=comparison.inputs.v)
    store.write_bytes(out / "inputs.npz", buffer.getvalue())


def _described(comparison: Comparison, judged: Any, about: dict[str, Any]) -> str:
    coverage = [
        {"operation": c.operation, "level": c.level, **vars(c.share), "left_out": c.left_out} for c in judged.coverage
    ]
    told = {
        "request": comparison.request, "digest": comparison.digest, "about": about, "coverage": coverage,
        "summary": judged.summary.to_dict("records"), "disagreements": judged.disagreements(),
    }  # fmt: skip
    return json.dumps(told, indent=1) + "\n"


COMMANDS = (compare_,)
