"""Types for fields of untrusted files: the rules of `untrusted`, checked by pydantic.

This is a separate module because a simulator process needs the rules without pydantic.
"""

import math
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from .untrusted import (
    ABSOLUTE_ZERO,
    LONGEST_SHOWN,
    check_label,
    check_name,
    check_relative,
    check_source,
    check_text,
    printable,
)

Name = Annotated[str, AfterValidator(check_name)]
"""An identifier."""
Label = Annotated[str, AfterValidator(check_label)]
"""A name that may also contain ``.``, ``+`` and ``-``."""
Source = Annotated[str, AfterValidator(check_source)]
"""A technology, or another name of the source of data."""
Text = Annotated[str, AfterValidator(check_text)]
"""One line of printable text."""
RelativePath = Annotated[str, AfterValidator(check_relative)]
"""A path that stays below its folder."""
Finite = Annotated[float, Field(allow_inf_nan=False)]
"""A number that is neither infinite nor NaN."""
NotNegative = Annotated[Finite, Field(ge=0)]
"""A finite number from 0."""
Count = Annotated[int, Field(ge=0, le=2**53)]
"""A number of items."""


def _check_conditions(conditions: dict[str, float | str]) -> dict[str, float | str]:
    temp, corner = conditions.get("temp", 0.0), conditions.get("corner", "")
    if isinstance(temp, str) or temp < ABSOLUTE_ZERO:
        raise ValueError(f"temp is {temp!r}; it must be a temperature [degC] above {ABSOLUTE_ZERO:g}")
    if not isinstance(corner, str):
        raise ValueError(f"corner is {corner!r}; it must be a word, for example tt")
    return conditions


Conditions = Annotated[dict[Name, Finite | Label], AfterValidator(_check_conditions)]
"""Corner, temperature [degC] and every other value at which data were taken."""


def _none_if_nan(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


Known = Annotated[Finite | None, BeforeValidator(_none_if_nan)]
"""A finite number, or None if unknown; NaN becomes None, since JSON has no NaN."""
KnownNotNegative = Annotated[NotNegative | None, BeforeValidator(_none_if_nan)]
"""A finite number from 0, or None if unknown."""


def complaint(error: ValidationError) -> str:
    """First error of a pydantic model as text: field, error, and the number of further errors."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    where = ".".join(printable(str(part))[:LONGEST_SHOWN] for part in found[0]["loc"])
    message = printable(re.sub(r" or instance of \w+$", "", found[0]["msg"].removeprefix("Value error, ")))
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{where}: {message}{more}" if where else f"{message}{more}"
