"""An app of somebody's own, on the official SDK, which retries by itself."""

from openai import AsyncOpenAI


async def ask(prompt):
    """Answer a prompt."""
    client = AsyncOpenAI(api_key="test", max_retries=1)
    answer = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": prompt}])
    return answer.choices[0].message.content
