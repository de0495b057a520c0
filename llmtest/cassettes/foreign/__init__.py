"""What other tools have recorded, as the plain values that vcrpy would have written of it.

| file | what it is |
|---|---|
| `_files` | which tool wrote a file, and the list of what it holds |
| `_ruby_vcr` | Ruby's VCR, and betamax, which writes the same |
| `_go_vcr` | Go's go-vcr |
| `_aimock` | fixtures of aimock, which hold no requests |
"""

from llmtest.cassettes.foreign._files import ForeignFileError, NoHttpError, entries_of

__all__ = ["ForeignFileError", "NoHttpError", "entries_of"]
