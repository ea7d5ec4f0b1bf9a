"""Time limit of simulations with tighter tolerances, which may not converge."""

_SHORTEST_LIMIT_S, _SLOWER = 3.0, 50.0


def longest_tight_run(mean_s: float) -> float:
    """Time limit [s] of a run with a hundred times tighter tolerances, from the mean time of a point [s].

    Such a run takes about ten times as many steps.
    """
    return max(_SHORTEST_LIMIT_S, _SLOWER * mean_s)
