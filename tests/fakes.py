"""Pools without a simulator: what a sweep asks of one, in a few lines."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gaincell_char.spice.deck import Deck
from gaincell_char.spice.ngspice import Outcome


@dataclass
class FakePool:
    """Answers every deck by a function of it, in the order asked or, with ``order=-1``, the other way round."""

    answer: Callable[[Deck], Outcome]
    order: int = 1
    version: str = "none"

    @property
    def provenance(self) -> dict[str, str]:
        """As of a pool of simulators."""
        return {"simulator": f"ngspice {self.version}"}

    def map(self, jobs: Iterable[Any], decks: Callable[[Any], Deck], *, count: int) -> Iterator[tuple[Any, Outcome]]:
        """The pool's own contract: as many jobs as announced, each answered once."""
        jobs = list(jobs)
        assert len(jobs) == count
        for job in jobs[:: self.order]:
            yield job, self.answer(decks(job))


class NoPool:
    """Runs nothing: its dataset has every dimension and no result."""

    version = "none"

    @property
    def provenance(self) -> dict[str, str]:
        """As of a pool of simulators."""
        return {"simulator": f"ngspice {self.version}"}

    def map(self, *_: Any, **__: Any) -> Iterator[Any]:
        """No answers."""
        return iter(())
