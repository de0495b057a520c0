"""Google's Vertex AI: Anthropic's Messages where Google hosts them.

| file | what it is |
|---|---|
| `_dialect` | the record |
| `_predict` | the endpoints |
| `_errors` | its errors |
"""

from llmtest.wire.vertex._dialect import VERTEX

__all__ = ["DIALECTS", "VERTEX"]

DIALECTS = (VERTEX,)
