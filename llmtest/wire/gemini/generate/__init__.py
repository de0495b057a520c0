"""Gemini's `generateContent`: contents made of parts, whole and streamed."""
