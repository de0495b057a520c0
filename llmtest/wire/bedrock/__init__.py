"""Amazon Bedrock: Anthropic's Messages where Amazon hosts them.

| file | what it is |
|---|---|
| `_dialect` | the record |
| `_invoke` | the endpoints |
| `_errors` | its errors |
"""

from llmtest.wire.bedrock._dialect import BEDROCK

__all__ = ["BEDROCK", "DIALECTS"]

DIALECTS = (BEDROCK,)
