"""Cohere's API in its first version: one message and what was said before it.

| file | what it is |
|---|---|
| `_request` | what is asked in its words |
| `_answer`, `_stream` | what is answered, whole and in lines |
"""
