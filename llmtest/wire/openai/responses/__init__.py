"""OpenAI's Responses: the conversation as items, and an answer as items that arrive by typed events."""
