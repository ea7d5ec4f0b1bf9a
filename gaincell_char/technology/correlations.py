"""Correlations of the process parameters of a technology."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from ..declare.bench import Floats
from ..storage.schema_fields import Finite

Correlation = Annotated[Finite, Field(gt=-1, lt=1)]
Correlations = Mapping[str, Mapping[str, float]]


def correlation_matrix(correlations: Correlations, names: Sequence[str]) -> Floats:
    """Matrix of the correlations of the parameters `names`, dimensionless, shape (n, n)."""
    found = np.eye(len(names))
    for first, others in correlations.items():
        for second, value in others.items():
            i, j = names.index(first), names.index(second)
            found[i, j] = found[j, i] = value
    return found


def faults_of_correlations(correlations: Correlations, names: Sequence[str]) -> str:
    """Sentence on the first error in the correlations of the parameters `names`; empty if there is none."""
    pairs = [(first, second) for first, others in correlations.items() for second in others]
    for first, second in pairs:
        if unknown := [name for name in (first, second) if name not in names]:
            return f"correlations: no process parameter {unknown[0]}; [process] has {', '.join(sorted(names))}"
        if first == second:
            return f"correlations: {first} with itself is always 1; remove it"
        if (second, first) in pairs:
            return f"correlations: {first} and {second} are listed twice; list them once"
    if np.linalg.eigvalsh(correlation_matrix(correlations, names)).min(initial=1.0) <= 0:
        return "correlations: they contradict each other (the matrix is not positive definite); use smaller ones"
    return ""
