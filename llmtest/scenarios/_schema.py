"""The JSON Schema of scenario files, generated from the models that check them; editors complete and check by it.

`schema.json` beside this file is its output: `python -m llmtest.scenarios._schema > llmtest/scenarios/schema.json`.
"""

from __future__ import annotations

import json
from typing import Any

from llmtest.config import (
    CircuitBreakerSection,
    HealthSection,
    ModelPriceSection,
    PriceFileSection,
    RetrySection,
    SharedSection,
)
from llmtest.scenarios._expectations import DOTTED, PLAIN
from llmtest.scenarios._file import ScenarioFile, TimeSection

__all__ = ["scenario_schema"]


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file."""
    schema = ScenarioFile.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = schema.pop("$defs")
    for section in (
        TimeSection,
        CircuitBreakerSection,
        PriceFileSection,
        ModelPriceSection,
        RetrySection,
        HealthSection,
        SharedSection,
    ):
        extra = section.model_json_schema()
        definitions |= extra.pop("$defs", {})
        definitions[section.__name__] = extra
    schema["properties"]["expect"]["propertyNames"] = {
        "anyOf": [{"enum": sorted(PLAIN)}, {"pattern": rf"^({'|'.join(sorted(DOTTED))})(\..+)?$"}]
    }
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    whole = {**head, **schema, "title": "llmtest scenario", "$defs": dict(sorted(definitions.items()))}
    resolved: dict[str, Any] = _resolve(whole)
    return resolved


def _resolve(value: Any) -> Any:
    """Turn the marks of field types that accept a section among other things into references."""
    if isinstance(value, dict):
        if set(value) == {"x-section"}:
            return {"$ref": f"#/$defs/{value['x-section']}"}
        return {key: _resolve(item) for key, item in value.items()}
    return [_resolve(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    print(json.dumps(scenario_schema(), indent=2))  # noqa: T201 - this is the command
