"""Many runs that differ in the numbers of their devices alone: sent to a child whole, measured where they ran."""

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
    """Runs for one child, which answers each with an `Outcome` whose vectors are the measured outputs.

    Attributes
    ----------
    decks : tuple of Deck
        One per point of the grid, with `copies` copies of the bench and without alters.
    save : tuple of str
        Vectors of one copy.
    targets : tuple of str
        What ``alter`` calls the numbers of one copy.
    rows : ndarray, shape (n_rows, n_targets)
        Their values, a row per sample.
    runs : tuple of (int, int)
        Deck, and the first of its `copies` rows.
    program : bytes
        From `program`: outputs, and the values of every parameter at each point of the grid.
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
        """What ``alter`` calls the numbers of every copy, in the order of the rows."""
        if self.copies == 1:
            return self.targets
        return tuple(inside(target, copy) for copy in range(self.copies) for target in self.targets)

    def outcomes(self, session: Session) -> Iterator[Outcome]:
        """Simulate and measure every run; vectors have shape (copies, ...)."""
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
