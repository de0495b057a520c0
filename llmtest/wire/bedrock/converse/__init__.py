"""Bedrock's Converse: one form of conversation for every model that Amazon hosts.

| file | what it is |
|---|---|
| `_blocks` | blocks of content and our parts |
| `_messages` | the conversation |
| `_request` | what is asked |
| `_answer`, `_stream` | what is answered, whole and in events |
"""
