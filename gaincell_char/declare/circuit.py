"""What a file in ``circuits/`` declares as a whole."""

from dataclasses import dataclass

from ..errors import ParameterError
from .bench import Bench
from .datasheet import Figure, Merit, MonteCarloBench, Study
from .macro_model import Macro
from .model import Model
from .parameters import Params


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """A circuit under test; ``name`` is also its file name in ``circuits/`` and ``netlists/``."""

    name: str
    title: str
    params: Params
    benches: tuple[Bench, ...]
    models: tuple[Model, ...]
    studies: tuple[Study, ...]
    figures: tuple[Figure, ...] = ()
    merits: tuple[Merit, ...] = ()
    spreads: tuple[MonteCarloBench, ...] = ()
    macros: tuple[Macro, ...] = ()

    def spread(self, bench: str) -> MonteCarloBench | None:
        """Return what Monte Carlo of a bench measures, if that is declared."""
        return next((spread for spread in self.spreads if spread.bench == bench), None)

    def bench(self, name: str) -> Bench:
        """Return the bench called `name`."""
        for bench in self.benches:
            if bench.name == name:
                return bench
        have = ", ".join(bench.name for bench in self.benches)
        raise ParameterError(f"{self.name} has no bench {name!r}; have {have}")

    def model(self, name: str) -> Model:
        """Return the model called `name`."""
        for model in self.models:
            if model.name == name:
                return model
        have = ", ".join(model.name for model in self.models)
        raise ParameterError(f"{self.name} has no model {name!r}; have {have}")
