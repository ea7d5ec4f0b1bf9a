"""How a table is to be read: which column is what, in which unit, and what is done with odd rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..declare.parameters import Values
from ..errors import ParameterError
from ..sweeping.arguments import check_mapping, check_values, check_word

NAN, OUTLIERS, DUPLICATES = ("refuse", "drop"), ("keep", "robust", "drop"), ("refuse", "mean", "keep")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a table is to be read.

    Attributes
    ----------
    columns : mapping of str to str
        Our name -> theirs, for inputs, output, conditions and parameters; the rest keep their names.
    units : mapping of str to str
        Our name -> the unit their column is in, as ``"uA"``; SI otherwise.
    fixed : mapping
        Value of parameters that the table does not list: supply, levels.
    sigma : str
        Their column with the standard deviation of the output, in the output's unit.
    nan, outliers, duplicates : str
        What to do with them: one of `NAN`, `OUTLIERS`, `DUPLICATES`.

    Raises
    ------
    ParameterError
        If a value is of another kind, or a policy is none of those.
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
        """Whether nothing is asked for: the table is taken as it stands."""
        return self == Reading()

    def describe(self) -> dict[str, Any]:
        """What was asked for, as JSON holds it."""
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in said.items()}
