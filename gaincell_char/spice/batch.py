"""Many simulations that differ only in device values: sent to one child process, which also measures the outputs."""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..declare.bench import Floats, Output
from ..errors import ParameterError
from .copies import inside, unstacked
from .deck import Deck
from .measure import measure
from .ngspice import Outcome, Session


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Simulations for one child process; each gives an `Outcome` with the measured outputs as vectors.

    Attributes
    ----------
    decks : tuple of Deck
        One per grid point, with `copies` copies of the bench and without alters.
    save : tuple of str
        Saved vectors of one copy.
    copies : int
        Copies of the bench in each deck; each simulates another sample.
    targets : tuple of str
        Device values of one copy, named as in the simulator command ``alter``.
    rows : ndarray, shape (n_rows, n_targets)
        Values of the targets, one row per sample, in SI units.
    runs : tuple of (int, int)
        Index of the deck, and index of the first of its `copies` rows.
    program : bytes
        Result of the function `program`: outputs, and the parameter values of each grid point.
    """

    decks: tuple[Deck, ...]
    save: tuple[str, ...]
    copies: int
    targets: tuple[str, ...]
    rows: Floats
    runs: tuple[tuple[int, int], ...]
    program: bytes

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, part: slice) -> "Batch":
        return replace(self, runs=self.runs[part])

    def deck(self, run: tuple[int, int]) -> Deck:
        """Return the complete deck of one run."""
        number, first = run
        deck = self.decks[number]
        values = self.rows[first : first + self.copies].ravel().tolist()
        return replace(deck, alters=dict(zip(self._names, values, strict=True)))

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """Targets of ``alter`` in all copies, in the order of the rows."""
        if self.copies == 1:
            return self.targets
        return tuple(inside(target, copy) for copy in range(self.copies) for target in self.targets)

    def outcomes(self, session: Session) -> Iterator[Outcome]:
        """Simulate and measure every run; outcome vectors have shape (copies, ...), in SI units."""
        outputs, values = pickle.loads(self.program)  # noqa: S301  from our own parent
        for run in self.runs:
            outcome = session.run(self.deck(run))
            yield outcome if outcome.reason else self._measured(outcome, outputs, values[run[0]])

    def _measured(self, outcome: Outcome, outputs: Sequence[Output], values: Mapping[str, Any]) -> Outcome:
        copies = []
        for copy in range(self.copies):
            waves = outcome.vectors if self.copies == 1 else unstacked(outcome.vectors, self.save, copy)
            measured, reason = measure(outputs, waves, values)
            if reason:
                return replace(outcome, vectors={}, reason=reason)
            copies.append(measured)
        return replace(outcome, vectors={name: np.stack([m[name] for m in copies]) for name in copies[0]})


def program(outputs: Sequence[Output], values: Sequence[Mapping[str, Any]]) -> bytes:
    """Pack what measures the runs of each point of the grid.

    Raises
    ------
    ParameterError
        If a measurement is no function at the top level of a module, and so cannot reach another process.
    """
    for output in outputs:
        try:
            pickle.dumps(output.measure)
        except (pickle.PicklingError, AttributeError, TypeError):
            raise ParameterError(
                f"output {output.name}: its measure must be a function at the top level of a module, or partial of one"
            ) from None
    return pickle.dumps((tuple(outputs), tuple(values)))
