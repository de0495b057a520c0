"""The JSON Schema of scenario files, generated from the models that check them; editors complete and check by it.

`schema.json` beside this file is its output: `python -m llmtest.scenarios._schema > llmtest/scenarios/schema.json`.
"""

from __future__ import annotations

import json
from typing import Any

from llmtest.scenarios._expectations import PLAIN
from llmtest.scenarios._file import ScenarioFile, TimeSection

__all__ = ["scenario_schema"]


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file."""
    schema = ScenarioFile.model_json_schema(by_alias=True)
    times = TimeSection.model_json_schema()
    schema["$defs"] = dict(sorted({**times.pop("$defs"), "TimeSection": times, **schema["$defs"]}.items()))
    schema["properties"]["expect"] |= {
        "propertyNames": {
            "anyOf": [
                {"enum": sorted(PLAIN)},
                {"pattern": r"^(attempts|breaker|faults_fired|latency|served_by|ttft)(\..+)?$"},
            ]
        }
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "llmtest scenario",
    }


if __name__ == "__main__":
    print(json.dumps(scenario_schema(), indent=2))  # noqa: T201 - this is the command
