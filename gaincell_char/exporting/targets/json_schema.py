"""The JSON Schema of records, and the record."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from ...fitting.record import Record
from ..target import Request, Target


@cache
def _describe_records() -> Mapping[str, Any]:
    return Record.model_json_schema()


def _make_files(request: Request) -> Mapping[str, str]:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "; ".join(request.write_notes()),
        **_describe_records(),
    }
    name = f"{request.record.circuit}.{request.record.study}"
    return {"record.schema.json": json.dumps(schema, indent=1) + "\n", f"{name}.json": request.record.to_json()}


TARGET = Target(name="json-schema", doc="JSON Schema of records, and this record unchanged", make_files=_make_files)
