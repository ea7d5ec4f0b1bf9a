"""Write docs/refit.md: every coefficient and error of the packaged records compared with those of an older revision.

    python tools/refit_table.py OLD_REV

The older records are read from git.  A model that only one revision contains is listed separately.  No number of the
page is typed by hand.
"""

import argparse
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gaincell_char import registry, units
from gaincell_char.fitting.accuracy import Errors
from gaincell_char.fitting.fit import Fit
from gaincell_char.fitting.record import Record, read_record
from gaincell_char.workflows.noise_floors import find_packaged_noise

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "refit.md"
_POINTS = {1: 401, 2: 61}
_FEW = 21
_DIGITS = 6
Function = Callable[..., object]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One model at one condition in the older and in the present record.

    ``moved`` is the largest change of a prediction over the valid range of both, and ``noise`` the rms noise of the
    output, both in its unit; None if the noise is not known.
    """

    record: str
    old: Fit
    new: Fit
    moved: float
    noise: float | None = None

    @property
    def name(self) -> str:
        """Record, model and conditions of the fit."""
        at = ", ".join(f"{value:g}" if isinstance(value, float) else value for value in self.new.conditions.values())
        return f"`{self.record}` {self.new.model} ({at})" if at else f"`{self.record}` {self.new.model}"

    @property
    def share(self) -> float:
        """The change divided by the largest error that the older record states; infinite if it states none."""
        stated = largest(self.old)
        return self.moved / stated if stated else float("inf") if self.moved else 0.0


def largest(fit: Fit) -> float:
    """Largest error that a record states of a fit: the worst over every set of points; 0 if it states none."""
    found = [errors for errors in (fit.fitted, fit.cross_validation, fit.fresh, fit.held_out) if errors is not None]
    return max((abs(errors.worst) for errors in found), default=0.0)


def compare_fits(record: str, old: Fit, new: Fit, function: Function) -> Change:
    """Predictions of both over a dense grid of the range in which both are valid."""
    spans = []
    for name in new.inputs:
        (low, high), (least, most) = old.valid_range[name], new.valid_range[name]
        spans.append(np.linspace(max(low, least), min(high, most), _POINTS.get(len(new.inputs), _FEW)))
    grid = [axis.ravel() for axis in np.meshgrid(*spans, indexing="ij")]
    difference = np.asarray(function(*grid, **new.values())) - np.asarray(function(*grid, **old.values()))
    return Change(record=record, old=old, new=new, moved=float(np.abs(difference).max()))


def compare_records(
    name: str, old: Record, new: Record, find: Callable[[str], Function]
) -> tuple[list[Change], list[str]]:
    """Changes of every model that both contain, and descriptions of models that only one contains."""
    before, after = ({(fit.model, frozenset(fit.conditions.items())): fit for fit in r.fits} for r in (old, new))
    changes = [
        replace(compare_fits(name, before[key], fit, find(key[0])), noise=find_packaged_noise(new, fit))
        for key, fit in after.items()
        if key in before
    ]
    only = [f"`{name}` {model}: only in the older record" for model, at in before if (model, at) not in after]
    return changes, only + [
        f"`{name}` {model}: only in today's record" for model, at in after if (model, at) not in before
    ]


def write_page(changes: list[Change], only: list[str], revision: str) -> str:
    """The page as Markdown, the largest changes first."""
    ranked = sorted(changes, key=lambda change: -change.share)
    within = sum(change.share <= 1 for change in ranked)
    return "\n".join([
        "# Records fitted to all points",
        "",
        f"Coefficients are fitted to all points. In the records of revision `{revision}` every fourth point was kept "
        "from the fit. This page compares both: the change of every prediction, every error, every coefficient. "
        "`tools/refit_table.py` writes it.",
        "",
        "## Changes of predictions",
        "",
        "Largest change over the valid range, and the largest error that the older record states. Worst first.",
        "",
        "| figure | target | measured |", "|---|---|---|",
        f"| fits whose predictions moved by less than the stated error | {len(ranked)} | {within} |",
        "",
        "| model | change | stated, older record | change / stated |", "|---|---|---|---|",
        *(f"| {c.name} | {show(c.moved, c.new.unit)} | {show(largest(c.old), c.new.unit)} | {c.share:.3f} |"
          for c in ranked),
        "",
        *([*only, ""] if only else []),
        "## Errors",
        "",
        "Root mean square. Held out: every fourth point, in the older records.",
        "",
        "| model | fitted, before | held out, before | fitted to all points | cross-validation | fresh points "
        "| noise floor |",
        "|---|---|---|---|---|---|---|",
        *(row for change in changes for row in errors(change)),
        "",
        "## Coefficients",
        "",
        "| model | coefficient | before | after | unit |", "|---|---|---|---|---|",
        *(row for change in changes for row in coefficients(change)),
        "",
    ])  # fmt: skip


def errors(change: Change) -> Iterator[str]:
    """Rows of the table of errors."""
    old, new = change.old, change.new
    found = (old.fitted, old.held_out or old.stated, new.fitted, new.cross_validation, new.fresh)
    noise = "none" if change.noise is None else show(change.noise, new.unit)
    yield f"| {change.name} | {' | '.join(_rms(one, new.unit) for one in found)} | {noise} |"


def coefficients(change: Change) -> Iterator[str]:
    """Rows of the table of coefficients."""
    for name, after in change.new.coefficients.items():
        before = change.old.coefficients.get(name)
        was = "" if before is None else f"{before.value:.{_DIGITS}g}"
        yield f"| {change.name} | `{name}` | {was} | {after.value:.{_DIGITS}g} | {after.unit} |"


def show(value: float, unit: str) -> str:
    """A number with its unit."""
    return units.show(float(f"{value:.3g}"), unit)


def _rms(found: Errors | None, unit: str) -> str:
    return "" if found is None else show(found.rms, unit)


def _older(revision: str, path: Path) -> Record | None:
    """A record of the older revision; None if it does not exist there."""
    place = f"{revision}:{path.relative_to(ROOT).as_posix()}"
    git = shutil.which("git") or "git"
    done = subprocess.run([git, "show", place], cwd=ROOT, capture_output=True, text=True, check=False)
    return Record.from_json(done.stdout, place) if done.returncode == 0 else None


def main() -> None:
    """Compare every record whose text has changed, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old_rev", help="revision of the older records, as git names it")
    revision = parser.parse_args().old_rev
    changes: list[Change] = []
    only: list[str] = []
    for path in sorted((ROOT / "fits").glob("*/*.json")):
        old, new = _older(revision, path), read_record(path)
        if old is None or path.parent.name == "paper" or old.to_json() == new.to_json():
            continue
        circuit = registry.load_circuit(new.circuit)
        found, more = compare_records(f"{path.parent.name}/{path.stem}", old, new, circuit.model)
        changes, only = changes + found, only + more
    PAGE.write_text(write_page(changes, only, revision), encoding="utf-8")


if __name__ == "__main__":
    main()
