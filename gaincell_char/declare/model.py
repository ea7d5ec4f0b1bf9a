"""What a behavioural model declares: one elementwise function, and what its arguments mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .bench import Numbers


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """A keyword argument of a model function.

    ``start`` is where the optimiser begins: a number, or a function of the bench's parameters.
    ``scale`` is its typical size, if that is not the size of its start.  A fixed coefficient is given,
    not fitted.
    """

    unit: str
    doc: str
    start: float | Callable[[Numbers], float]
    low: float = -np.inf
    high: float = np.inf
    scale: float = 0.0
    fixed: bool = False


@dataclass(frozen=True, kw_only=True)
class Model:
    """A behavioural model: one elementwise function and what its arguments mean.

    Attributes
    ----------
    function : callable
        ``function(*inputs, *, **coefficients) -> output``, elementwise on NumPy arrays and torch tensors.
    form : {"published", "fitted"}
        The form of a publication, or the one that was found to fit best.
    equation : str
        The formula as a reader would write it.
    held_at : callable, optional
        Parameters -> value of those swept parameters that are not inputs (``{"bias": 0.9}``).
    linear : bool
        The function is linear in every coefficient that is not fixed.
    """

    name: str
    form: str
    bench: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    output: str
    equation: str
    coefficients: Mapping[str, Coefficient]
    held_at: Callable[[Numbers], dict[str, float]] = lambda _: {}
    linear: bool = False

    def __call__(self, *inputs: Any, **coefficients: Any) -> Any:
        """Evaluate elementwise on NumPy arrays, torch tensors or symbols, with one keyword per coefficient."""
        return self.function(*inputs, **coefficients)


@dataclass(frozen=True, kw_only=True)
class RandomModel:
    """How one copy of a circuit differs from the typical one: a model with a few random coefficients.

    Attributes
    ----------
    nominal : str
        Model of the typical circuit; its coefficients are arguments of `function`, too.
    function : callable
        ``function(*inputs, **random, **nominal)``; with every random coefficient at 0 it is the nominal model.
    random : mapping of str to Coefficient
        Normal random numbers of mean 0; ``scale`` is the size of a small change of each.
    estimation_mask : callable
        Inputs -> where its coefficients can be read off a sample: where the function is smooth in them.
    """

    name: str
    nominal: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    output: str
    equation: str
    random: Mapping[str, Coefficient]
    estimation_mask: Callable[..., Any] = lambda *inputs: inputs[0] == inputs[0]

    def __call__(self, *inputs: Any, **coefficients: Any) -> Any:
        """Evaluate elementwise, with one keyword per random and per nominal coefficient."""
        return self.function(*inputs, **coefficients)
