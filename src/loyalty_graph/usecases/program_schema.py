"""The JSON Schema of programme files: editors complete and check by it, messages suggest by it."""

from copy import deepcopy
from functools import cache
from typing import Any

from pydantic import BaseModel

from loyalty_graph.conditions.schema import completed
from loyalty_graph.earning.vocabulary import ACTIVITIES, PURCHASES
from loyalty_graph.segments.vocabulary import MEMBERS
from loyalty_graph.usecases.program_descriptions import described

OWN_PARTS = ("branding", "stores", "exchange_rates")
"""Parts of the programme's settings that stand beside [program] in the file, not in it."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def json_schema(file: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a programme file, as it is written. Do not change it."""
    marked = deepcopy(file.model_json_schema())
    schema = completed(marked, (MEMBERS, PURCHASES, ACTIVITIES))
    program = schema["$defs"]["ProgramSettings"]["properties"]
    own = {name: program.pop(name) for name in OWN_PARTS}
    first = {"program": schema["properties"].pop("program")}
    schema["properties"] = {**first, **own, **schema["properties"]}
    # Without `keep`, a tier is kept with its entry.
    schema["$defs"]["TierLevel"]["required"].remove("keep")
    for kind, part in schema["$defs"].items():
        _describe(kind, part)
    _describe("ProgramFile", schema)
    return {
        "$schema": DIALECT,
        "title": "A programme of Loyalty Graph",
        **{name: part for name, part in schema.items() if name != "title"},
    }


def _describe(kind: str, part: dict[str, Any]) -> None:
    """Say of each setting what it means; titles that only repeat its name go."""
    for name, setting in part.get("properties", {}).items():
        setting.pop("title", None)
        if (description := described(kind, name)) is not None:
            setting["description"] = description
