"""Report page of a validation: SPICE against the software model, and the waveforms of one column."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from .. import __version__
from ..declare.bench import Floats
from ..spice.deck import Deck
from ..storage import tables
from ..sweeping.run import OK, Failure
from ..validation.cases import Validation
from ..validation.score import ALLOWED, ValidationResult
from . import page
from .canvas import FITTED, INK, PUBLISHED, SMALL, render
from .parts import Drawn, PageParts, Written, describe_failures

_NANO, _MILLI, _PICO = 1e9, 1e3, 1e12
_BINS = 15


def write_comparison(
    out: Path,
    comparison: Validation,
    agreement: ValidationResult,
    waves: Mapping[str, tuple[pd.DataFrame, Deck]],
    about: Mapping[str, str | float],
    missing: Sequence[str] = (),
    failed: Sequence[Failure] = (),
) -> Written:
    """Write pictures, tables and page of a validation to its folder.

    Parameters
    ----------
    out : Path
        Output folder.
    comparison : Validation
        The validation.
    agreement : ValidationResult
        Its result.
    waves : mapping of str to (DataFrame, Deck)
        Operation -> waveforms of one column, and their deck.
    about : mapping of str to str or float
        Simulator and times [s].
    missing : sequence of str
        Missing parts of the page, with the reasons.
    failed : sequence of Failure
        The first few failed columns; their decks and logs are in ``failed/``.

    Raises
    ------
    StorageError
        If a file cannot be written.
    """
    tables.make_inside(out, "figures", "tables", "decks")
    parts = PageParts(out=out, missing=list(missing))
    for name in comparison.operations:
        doc = comparison.declared.operation(name).doc
        parts.add_picture(
            f"scatter_{name}", f"{doc}: software model against SPICE", partial(draw_scatter, agreement, name)
        )
        parts.add_picture(f"error_{name}", f"{doc}: error of the best form", partial(draw_errors, agreement, name))
        if name in waves:
            _write_waves(parts, name, doc, *waves[name])
    tables.write_frame(agreement.rows.drop(columns=["sample", "point", "key"]), out / "tables" / "outcomes.csv")
    tables.write_frame(agreement.summary, out / "tables" / "summary.csv")
    tables.write_text(out / "index.html", _fill_page(out, comparison, agreement, parts, about, failed))
    return parts.finish()


def _write_waves(parts: PageParts, name: str, doc: str, table: pd.DataFrame, deck: Deck) -> None:
    """Write picture, table and deck of the waveforms of one column."""
    parts.add_picture(f"waves_{name}", f"{doc}: one column over a conversion", partial(draw_waveforms, table, doc))
    tables.write_frame(table, parts.out / "tables" / f"waves_{name}.csv")
    tables.write_text(parts.out / "decks" / f"column_{name}.cir", deck.text)


def _fill_page(
    out: Path,
    comparison: Validation,
    agreement: ValidationResult,
    parts: PageParts,
    about: Mapping[str, str | float],
    failed: Sequence[Failure],
) -> str:
    lost = agreement.rows[agreement.rows["status"] != OK]
    docs = {name: comparison.declared.operation(name).doc for name in comparison.operations}
    best = {name: forms[-1] for name, forms in agreement.forms.items()}
    return page.fill(
        "compare.html.j2",
        title=comparison.declared.title,
        version=__version__,
        pictures=parts.pictures,
        rows=agreement.summary.to_dict("records"),
        coverage=agreement.coverage,
        request=comparison.request,
        docs=docs,
        allowed=ALLOWED,
        disagreements=agreement.disagreements(),
        reasons=lost["reason"].value_counts().to_dict(),
        about=about,
        columns=len(agreement.rows),
        best=best,
        explained=[*agreement.explained(), *agreement.undecided()],
        missing=parts.missing,
        failures=describe_failures(failed, out),
        lost=len(lost),
        waves=_list_waves(out, comparison),
    )


def _list_waves(out: Path, comparison: Validation) -> dict[str, tuple[str, str]]:
    """Paths of table and deck of the waveforms of each operation, if both exist."""
    found = {}
    for name in comparison.operations:
        files = (f"tables/waves_{name}.csv", f"decks/column_{name}.cir")
        if all((out / place).is_file() for place in files):
            found[name] = files
    return found


def draw_scatter(agreement: ValidationResult, operation: str) -> Drawn:
    """Draw the outputs of the worst and of the best form over those of SPICE, in nanoseconds."""
    rows = _select_finished(agreement, operation)
    forms = agreement.forms[operation]

    def draw(canvas: Canvas) -> None:
        panels = canvas.subplots(
            1,
            2,
            sharex=True,
            sharey=True,
            gridspec_kw={"left": 0.11, "right": 0.98, "top": 0.85, "bottom": 0.2, "wspace": 0.08},
        )
        spice = _NANO * rows["output"].to_numpy(dtype=float)
        for ax, form, colour in zip(panels, (forms[0], forms[-1]), (PUBLISHED, FITTED), strict=True):
            model = _NANO * rows[f"output_{form}"].to_numpy(dtype=float)
            ends = [min(spice.min(), model.min()), max(spice.max(), model.max())] if spice.size else [0, 1]
            ax.plot(ends, ends, color=INK, lw=1, zorder=1)
            ax.plot(spice, model, "o", ms=4, mew=0, color=colour, alpha=0.7, zorder=2)
            line = agreement.summary[(agreement.summary.operation == operation) & (agreement.summary.form == form)]
            ax.set_title(f"{form}: rms {float(line['rms_percent'].iloc[0]):.3g} % of t_max", fontsize=SMALL + 0.5)
            ax.set_xlabel("SPICE [ns]")
        panels[0].set_ylabel("software model [ns]")

    return render(draw, (6.4, 3.4))


def draw_errors(agreement: ValidationResult, operation: str) -> Drawn:
    """Draw the error of the best form over the charge, and its histogram, in picoseconds."""
    rows = _select_finished(agreement, operation)
    form = agreement.forms[operation][-1]
    error = _PICO * (rows[f"output_{form}"] - rows["output"]).to_numpy(dtype=float)
    stated = _PICO * float(rows[f"stated_{form}"].median()) if len(rows) else 0.0

    def draw(canvas: Canvas) -> None:
        left, right = canvas.subplots(
            1,
            2,
            sharey=True,
            width_ratios=[2, 1],
            gridspec_kw={"left": 0.12, "right": 0.98, "top": 0.85, "bottom": 0.2, "wspace": 0.06},
        )
        left.axhspan(-ALLOWED * stated, ALLOWED * stated, color="#d6e8f5", lw=0, label=f"{ALLOWED:g} x stated")
        left.plot(_PICO * rows["q_bl"], error, "o", ms=4, mew=0, color=FITTED, alpha=0.7, label=form)
        left.axhline(0, color=INK, lw=0.8)
        left.set_xlabel("charge on the bitline by SPICE [pC]")
        left.set_ylabel("model \N{MINUS SIGN} SPICE [ps]")
        left.legend(frameon=False, fontsize=SMALL, loc="best")
        right.hist(error, bins=_BINS, orientation="horizontal", color=FITTED)
        right.set_xlabel("columns")
        canvas.suptitle(f"Error of {form} by charge", fontsize=SMALL + 1.5)

    return render(draw, (6.4, 3.4))


def draw_waveforms(waves: pd.DataFrame, title: str) -> Drawn:
    """Draw word lines, bitline and capacitor, output pulse and sign bit over one conversion."""
    time = _NANO * waves["time"].to_numpy(dtype=float)
    words = {name: name[2:-1] for name in map(str, waves.columns) if name.startswith("v(wlr")}
    panels = [("word lines [V]", words), ("bitline [mV]", _BITLINES), ("output [V]", _OUTPUTS)]

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots(
            len(panels),
            1,
            sharex=True,
            gridspec_kw={"left": 0.12, "right": 0.98, "top": 0.91, "bottom": 0.11, "hspace": 0.15},
        )
        for ax, (label, names) in zip(axes, panels, strict=True):
            lines = {name: told for name, told in names.items() if name in waves}
            _draw_lines(ax, time, waves, lines, label, left=names is _OUTPUTS)
        axes[-1].set_xlabel("time [ns]")
        canvas.suptitle(f"One column of {title}", fontsize=SMALL + 1.5)

    return render(draw, (6.4, 5.4))


_BITLINES = {"v(cbl0)": "bitline", "v(bl0)": "capacitor"}
_OUTPUTS = {"v(out0)": "pulse", "v(sgn0)": "sign bit"}
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


def _draw_lines(
    ax: Axes, time: Floats, waves: pd.DataFrame, lines: Mapping[str, str], label: str, *, left: bool
) -> None:
    factor = _MILLI if "[mV]" in label else 1.0
    for (name, told), colour in zip(lines.items(), _COLOURS, strict=False):
        ax.plot(time, factor * waves[name], lw=1.4, color=colour, label=told)
    ax.set_ylabel(label)
    if factor == 1.0:
        ax.set_ylim(-0.08, 1.02)
    ax.legend(frameon=False, fontsize=SMALL, loc="center left" if left else "center right", handlelength=1.2)


def _select_finished(agreement: ValidationResult, operation: str) -> pd.DataFrame:
    rows = agreement.rows
    return rows[(rows["operation"] == operation) & (rows["status"] == OK)]


def tabulate_comparison(agreement: ValidationResult) -> pd.DataFrame:
    """Table of the errors of every form and the noise floor of the same columns, for a terminal."""
    return pd.DataFrame(
        {
            "operation": row["operation"],
            "form": row["form"],
            "rms ps": f"{1e3 * row['rms_ns']:.3g}",
            "noise floor ps": f"{1e3 * row['noise_ns']:.3g}" if np.isfinite(row["noise_ns"]) else "none",
            "worst ps": f"{1e3 * row['worst_ns']:.3g}",
            "rms LSB": f"{row['rms_lsb']:.2g}",
            "rms % t_max": f"{row['rms_percent']:.2g}",
            "R2": f"{row['r2']:.7f}",
            "stated ps, median": f"{1e3 * row['stated_ns']:.3g}",
            "error / stated": f"{row['ratio']:.3g}",
            "columns": str(row["n"]),
            "without pulse": str(row["n_silent"]),
        }
        for row in agreement.summary.to_dict("records")
    )
