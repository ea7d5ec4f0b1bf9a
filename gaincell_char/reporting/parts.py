"""The files of a page: a picture that cannot be drawn costs itself, and the page says so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ..errors import StorageError
from ..storage import tables
from ..storage.untrusted import printable
from ..sweeping.run import Failure

Part = TypeVar("Part")
Drawn = tuple[bytes, str]
"""A picture as PNG and as SVG."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A page that was written: where it is, and the parts that it lacks, each with the reason."""

    path: Path
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PageParts:
    """Pictures and tables of a page while they are made.

    Attributes
    ----------
    pictures : list of (str, str)
        Name and caption of every picture that was drawn.
    missing : list of str
        What could not be made, and why.
    """

    out: Path
    pictures: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def make(self, what: str, make: Callable[[], Part]) -> Part | None:
        """Return what `make` returns, or None, with the reason in ``missing``.

        Raises
        ------
        StorageError
            If something cannot be written: that costs the whole page.
        """
        try:
            return make()
        except (StorageError, MemoryError):
            raise
        # Whatever a library says of data that nobody thought of, the other parts of the page are worth having.
        except Exception as error:
            reason = printable((str(error).splitlines() or [""])[0]) or type(error).__name__
            self.missing.append(f"{what}: {reason}")
            return None

    def add_picture(self, name: str, caption: str, draw: Callable[[], Drawn]) -> None:
        """Draw one picture and write it to ``figures/``; one that cannot be drawn is added to ``missing``.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        drawn = self.make(caption, draw)
        if drawn is not None:
            png, svg = drawn
            tables.write_bytes(self.out / "figures" / f"{name}.png", png)
            tables.write_text(self.out / "figures" / f"{name}.svg", svg)
            self.pictures.append((name, caption))

    def finish(self) -> Written:
        """Return where the page is, and what it lacks."""
        return Written(path=self.out / "index.html", missing=tuple(self.missing))


def describe_failures(failures: Sequence[Failure], out: Path) -> list[dict[str, object]]:
    """Rows of failed points for a page: where, why, and which of deck and log there are."""
    rows: list[dict[str, object]] = []
    for number, failure in enumerate(failures, start=1):
        name = failure.name or str(number)
        files = [("deck", f"failed/{name}.cir"), ("log", f"failed/{name}.log")]
        where = ", ".join(f"{key} = {value}" for key, value in failure.where.items())
        rows.append(
            {
                "where": where,
                "reason": failure.reason,
                "name": failure.name,
                "files": [(label, place) for label, place in files if (out / place).is_file()],
            }
        )
    return rows
