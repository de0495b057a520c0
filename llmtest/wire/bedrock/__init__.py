"""Amazon Bedrock: Anthropic's Messages where Amazon hosts them, and Amazon's own conversations with any model.

| file | what it is |
|---|---|
| `_dialect` | the record |
| `_invoke` | the endpoints that take a model's own body |
| `_converse`, `converse/` | those that take Amazon's |
| `_errors` | its errors |
"""

from llmtest.wire.bedrock._dialect import BEDROCK

__all__ = ["BEDROCK", "DIALECTS"]

DIALECTS = (BEDROCK,)
