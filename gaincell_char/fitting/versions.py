"""Records of schema version 1, as the JSON of version 2.

Version 1 names the valid range ``box`` and the forms ``paper`` and ``best``.  Its coefficients were fitted without
every fourth point; it states the errors at these points as ``held_out``, which version 2 leaves unchanged.
"""

from collections.abc import Mapping
from typing import Any

_FORMS = {"paper": "published", "best": "fitted"}


def upgrade(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON of a record of version 1 as one of version 2; malformed parts stay unchanged, to be refused."""
    found = {**raw, "schema_version": 2}
    if isinstance(raw.get("fits"), list):
        found["fits"] = [upgrade_fit(fit) for fit in raw["fits"]]
    spread = raw.get("spread")
    if isinstance(spread, dict) and isinstance(spread.get("random"), list):
        found["spread"] = {**spread, "random": [_with_range(fit) for fit in spread["random"]]}
    return found


def upgrade_fit(raw: Any) -> Any:
    """Return the JSON of one fit of version 1 as one of version 2."""
    if not isinstance(raw, dict):
        return raw
    form = raw.get("form")
    renamed = {"form": _FORMS.get(form, form)} if isinstance(form, str) else {}
    return {**_with_range(raw), **renamed, "cross_validation": None, "fresh": None}


def _with_range(raw: Any) -> Any:
    """A fit with ``valid_range`` instead of ``box``; a name that version 1 does not have stays, to be refused."""
    if not isinstance(raw, dict) or "box" not in raw or "valid_range" in raw:
        return raw
    return {"valid_range" if name == "box" else name: value for name, value in raw.items()}
