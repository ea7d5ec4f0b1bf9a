"""Interpretation of a table: columns, units, and policies for invalid, outlying and repeated rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..declare.parameters import Values
from ..errors import ParameterError
from ..sweeping.arguments import check_mapping, check_values, check_word

NAN, OUTLIERS, DUPLICATES = ("refuse", "drop"), ("keep", "robust", "drop"), ("refuse", "mean", "keep")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Interpretation of a table.

    Attributes
    ----------
    columns : mapping of str to str
        Name in the circuit -> name of the column, for inputs, output, conditions and parameters; other columns are not
        renamed.
    units : mapping of str to str
        Name in the circuit -> unit of the column, for example ``"uA"``; SI units by default.
    fixed : mapping
        Values of parameters that the table does not list, for example the supply.
    sigma : str
        Name of the column with the standard deviation of the output, in the unit of the output.
    nan, outliers, duplicates : str
        Policies for rows without a number, outliers and repeated points: one of `NAN`, `OUTLIERS`, `DUPLICATES`.

    Raises
    ------
    ParameterError
        If a value has the wrong type, or a policy is unknown.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    fixed: Values = field(default_factory=dict)
    sigma: str = ""
    nan: str = "refuse"
    outliers: str = "keep"
    duplicates: str = "refuse"

    def __post_init__(self) -> None:
        for what in ("columns", "units"):
            for name, value in check_mapping(what, getattr(self, what)).items():
                check_word(f"{what}: {name}", value)
        check_values("fixed", self.fixed)
        if self.sigma != "":
            check_word("sigma", self.sigma)
        for name, allowed in (("nan", NAN), ("outliers", OUTLIERS), ("duplicates", DUPLICATES)):
            if getattr(self, name) not in allowed:
                raise ParameterError(f"{name} = {getattr(self, name)!r} is not one of {', '.join(allowed)}")

    @property
    def is_plain(self) -> bool:
        """Whether all fields have their default: the table is used without changes."""
        return self == Reading()

    def describe(self) -> dict[str, Any]:
        """All fields, as types of JSON."""
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in said.items()}
