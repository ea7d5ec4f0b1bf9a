"""A set of records at another corner, temperature, supply or bias."""

from pathlib import Path

from ..errors import ParameterError
from ..fitting.at_conditions import NOMINAL, Condition, RecordsAt
from ..registry import DEFAULT_TECHNOLOGY
from ..sweeping.arguments import check_number


def records_at(
    records: str | Path = DEFAULT_TECHNOLOGY,
    *,
    corner: str = NOMINAL.corner,
    temp: float = NOMINAL.temp,
    vdd: float | None = NOMINAL.supply,
    i_bias: float | None = NOMINAL.bias,
) -> RecordsAt:
    """Return a set of records at another corner, temperature, supply or bias.

    Coefficients are computed from the fits of the studies over conditions, ``<circuit>.<bench>_pvt`` and
    ``<circuit>.<bench>_bias``, when a record is used.

    Parameters
    ----------
    records : str or Path
        Packaged set of records by name, or folder of records.
    corner : str
        Process corner.
    temp : float
        Temperature [degC].
    vdd : float, optional
        Supply [V]; that of the records by default.
    i_bias : float, optional
        Current [A] of one unit of the converters; that of the records by default.  Its effect is that in the typical
        corner at the supply of the records.

    Returns
    -------
    RecordsAt
        An argument for `attention`, `GainCellArray` and the other software models, in place of `records`.

    Raises
    ------
    ParameterError
        If an argument has the wrong type.

    Examples
    --------
    >>> import gaincell_char as gc
    >>> gc.records_at(temp=85.0).condition.corner
    'tt'
    """
    if not isinstance(records, str | Path):
        raise ParameterError(f"records is of type {type(records).__name__}; it must be a name or a path")
    if not isinstance(corner, str):
        raise ParameterError(f"corner = {corner!r}; it must be the name of a process corner")
    supply = None if vdd is None else check_number("vdd", vdd)
    bias = None if i_bias is None else check_number("i_bias", i_bias)
    condition = Condition(corner=corner, temp=check_number("temp", temp), supply=supply, bias=bias)
    return RecordsAt(base=records, condition=condition)
