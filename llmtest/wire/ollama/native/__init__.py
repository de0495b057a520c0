"""Ollama's own `/api/chat` and `/api/generate`: the request, the answer and the stream of a conversation."""
