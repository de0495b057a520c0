"""Answer questions with OpenAI, and with Anthropic where OpenAI cannot."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import anthropic
import openai
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, Field

log = logging.getLogger(__name__)

OPENAI_MODEL = "gpt-4o"
ANTHROPIC_MODEL = "claude-opus-5"
MOST_TOKENS = 500
SECONDS_PER_ATTEMPT = 10.0
"""The SDKs wait ten minutes by default, and try three times: half an hour before anybody falls back."""
RETRY_AFTER = 30
"""What callers are told where nobody can answer."""

# What another provider can mend. The timeout of the SDK is a connection error; a 429 is also an account without credit.
OPENAI_IS_UNAVAILABLE = (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError)
ANTHROPIC_IS_UNAVAILABLE = (anthropic.APIConnectionError, anthropic.InternalServerError, anthropic.RateLimitError)
REQUEST_IS_WRONG = (openai.BadRequestError, anthropic.BadRequestError)


class Question(BaseModel):
    """What is asked."""

    text: str = Field(min_length=1, max_length=10_000)


class Answer(BaseModel):
    """What is answered, and by whom."""

    text: str
    provider: str


class Answerer:
    """Asks OpenAI first, and Anthropic where OpenAI cannot answer."""

    def __init__(self, first: openai.AsyncOpenAI, second: anthropic.AsyncAnthropic) -> None:
        self.first = first
        self.second = second

    async def answer(self, question: str) -> Answer:
        """Return the answer of whoever can give one."""
        try:
            return Answer(text=await self._ask_openai(question), provider="openai")
        except OPENAI_IS_UNAVAILABLE as error:
            log.warning("falling back to anthropic: %s", error)
            return Answer(text=await self._ask_anthropic(question), provider="anthropic")

    async def _ask_openai(self, question: str) -> str:
        completion = await self.first.chat.completions.create(
            model=OPENAI_MODEL, max_tokens=MOST_TOKENS, messages=[{"role": "user", "content": question}]
        )
        return completion.choices[0].message.content or ""

    async def _ask_anthropic(self, question: str) -> str:
        message = await self.second.messages.create(
            model=ANTHROPIC_MODEL, max_tokens=MOST_TOKENS, messages=[{"role": "user", "content": question}]
        )
        return "".join(block.text for block in message.content if block.type == "text")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep one client of each provider while the app runs, so that connections are reused."""
    async with (
        openai.AsyncOpenAI(timeout=SECONDS_PER_ATTEMPT, max_retries=2) as first,
        anthropic.AsyncAnthropic(timeout=SECONDS_PER_ATTEMPT, max_retries=1) as second,
    ):
        app.state.answerer = Answerer(first, second)
        yield


app = FastAPI(lifespan=lifespan)


def get_answerer(request: Request) -> Answerer:
    """Return what the lifespan has made."""
    answerer: Answerer = request.app.state.answerer
    return answerer


@app.post("/ask")
async def ask(question: Question, answerer: Annotated[Answerer, Depends(get_answerer)]) -> Answer:
    """Answer a question."""
    try:
        return await answerer.answer(question.text)
    except REQUEST_IS_WRONG as error:
        raise HTTPException(400, "The question cannot be answered as it is.") from error
    except ANTHROPIC_IS_UNAVAILABLE as error:
        raise HTTPException(503, "Nobody can answer now.", headers={"Retry-After": str(RETRY_AFTER)}) from error
