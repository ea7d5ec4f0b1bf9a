"""Files of a page; a picture that cannot be drawn is listed on the page as missing."""

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
    """A written page: its path, and its missing parts with the reasons."""

    path: Path
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PageParts:
    """Collected parts of a page.

    Attributes
    ----------
    out : Path
        Folder of the page.
    pictures : list of (str, str)
        Name and caption of every picture.
    missing : list of str
        Missing parts, with the reasons.
    """

    out: Path
    pictures: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def make(self, what: str, make: Callable[[], Part]) -> Part | None:
        """Return the result of `make`; after an error return None and add `what` and the reason to ``missing``.

        Raises
        ------
        StorageError
            If a file cannot be written.
        """
        try:
            return make()
        except (StorageError, MemoryError):
            raise
        # An unexpected error of a library must not prevent the other parts of the page.
        except Exception as error:
            reason = printable((str(error).splitlines() or [""])[0]) or type(error).__name__
            self.missing.append(f"{what}: {reason}")
            return None

    def add_picture(self, name: str, caption: str, draw: Callable[[], Drawn]) -> None:
        """Draw a picture and write it to ``figures/``; after an error add it to ``missing``.

        Parameters
        ----------
        name : str
            File name without suffix.
        caption : str
            Caption.
        draw : callable
            Returns the picture as PNG and SVG.

        Raises
        ------
        StorageError
            If a file cannot be written.
        """
        drawn = self.make(caption, draw)
        if drawn is not None:
            png, svg = drawn
            tables.write_bytes(self.out / "figures" / f"{name}.png", png)
            tables.write_text(self.out / "figures" / f"{name}.svg", svg)
            self.pictures.append((name, caption))

    def finish(self) -> Written:
        """Return the path of the page and its missing parts."""
        return Written(path=self.out / "index.html", missing=tuple(self.missing))


def describe_failures(failures: Sequence[Failure], out: Path) -> list[dict[str, object]]:
    """Rows of failed points for a page: conditions, reason, and existing deck and log in the folder `out`."""
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
