"""Azure OpenAI: OpenAI's API at Azure's addresses, with Azure's content filter, headers and errors.

| file | what it is |
|---|---|
| `_dialect` | the record |
| `_addresses` | deployment URLs and v1 URLs, and the version of the API that the former need |
| `_filtered_chat` | what the content filter says in answers and streams |
| `_errors` | Azure's words |
| `_headers` | its headers and rate limits |
"""

from llmtest.wire.azure._dialect import AZURE

__all__ = ["AZURE", "DIALECTS"]

DIALECTS = (AZURE,)
