"""Simulations with tighter tolerances, which show the numerical error of the others and may not converge."""

TIGHTER = 100.0
"""Factor by which the tolerances are tighter."""
_SHORTEST_LIMIT_S, _SLOWER = 3.0, 50.0


def longest_tight_run(usual_s: float) -> float:
    """Time limit [s] of a point with tighter tolerances, from its time with the usual ones or a mean of them [s].

    A point with a hundred times tighter tolerances takes about ten times as many steps.
    """
    return max(_SHORTEST_LIMIT_S, _SLOWER * usual_s)
