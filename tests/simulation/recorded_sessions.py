"""Cassettes that tests write for themselves, in vcrpy's plain form, and who asks for what is in them."""

import json

import httpx2
import openai
import yaml

URL = "https://api.openai.com/v1/chat/completions"
WORDS = ("one", " two", " three", " four")


def asked(prompt, **more):
    """Return the body of a request."""
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}], **more}


def whole(text):
    """Return the JSON of an answer of 10 and 5 tokens."""
    message = {"role": "assistant", "content": text}
    return json.dumps(
        {
            "id": "chatcmpl-recorded",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }
    )


def streamed():
    """Return the events of a streamed answer."""
    chunk = {"id": "chatcmpl-recorded", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    deltas = [{"delta": {"content": word}, "index": 0, "finish_reason": None} for word in WORDS]
    deltas.append({"delta": {}, "index": 0, "finish_reason": "stop"})
    return [*(f"data: {json.dumps({**chunk, 'choices': [each]})}\n\n" for each in deltas), "data: [DONE]\n\n"]


def interaction(request, body, *, status=200, kind="application/json", uri=URL, headers=None):
    """Return one interaction, as cassettes have it."""
    response = {
        "status": {"code": status, "message": "OK"},
        "headers": {"content-type": [kind], "x-request-id": ["req_recorded"], **(headers or {})},
        "body": {"string": body},
    }
    return {"request": {"method": "POST", "uri": uri, "headers": {}, "body": json.dumps(request)}, "response": response}


def streaming():
    """Return the interaction of a streamed answer."""
    return interaction(asked("count", stream=True), "".join(streamed()), kind="text/event-stream")


def write_session(path, *found):
    """Write a cassette of interactions, and return its path."""
    path.write_text(yaml.safe_dump({"version": 1, "interactions": list(found)}))
    return path


def client(**options):
    """Return OpenAI's SDK."""
    return openai.OpenAI(api_key="k", max_retries=options.pop("max_retries", 0), **options)


def say(prompt, **options):
    """Ask for a whole answer, and return its text."""
    return client(**options).chat.completions.create(**asked(prompt)).choices[0].message.content


def hear(**options):
    """Return the pieces of the streamed answer that come, and the error that ends them."""
    heard = []
    try:
        for chunk in client(**options).chat.completions.create(**asked("count", stream=True)):
            heard += [choice.delta.content for choice in chunk.choices if choice.delta.content]
    except (httpx2.HTTPError, openai.APIError) as error:
        return heard, error
    return heard, None
