"""What the official SDKs read from bytes, as plain dictionaries."""

import anthropic
import httpx2
import openai


def _http(status, headers, body):
    def answer(_request):
        return httpx2.Response(status, headers=list(headers), content=body)

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def openai_client(status, headers, body):
    """Return OpenAI's SDK in front of one prepared answer."""
    return openai.OpenAI(
        api_key="sk-test", base_url="https://x.test/v1", http_client=_http(status, headers, body), max_retries=0
    )


def anthropic_client(status, headers, body):
    """Return Anthropic's SDK in front of one prepared answer."""
    return anthropic.Anthropic(
        api_key="sk-test", base_url="https://x.test", http_client=_http(status, headers, body), max_retries=0
    )


def read_openai(status, headers, body, *, stream):
    """Return what OpenAI's SDK reads: a dumped completion, a summed-up stream, or an error."""
    client = openai_client(status, headers, body)
    try:
        answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=stream)
        return sum_up(list(answer)) if stream else answer.model_dump()
    except openai.APIError as error:
        return _error(error)


def read_anthropic(status, headers, body, *, stream):
    """Return what Anthropic's SDK reads: a dumped message, whether it came whole or as a stream, or an error."""
    client = anthropic_client(status, headers, body)
    arguments = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    try:
        if not stream:
            return client.messages.create(**arguments).model_dump()
        with client.messages.stream(**arguments) as answer:
            return answer.get_final_message().model_dump()
    except anthropic.APIError as error:
        return _error(error)


def _error(error):
    return {
        "class": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "message": getattr(error, "message", None),
        "code": getattr(error, "code", None),
        "type": getattr(error, "type", None),
        "param": getattr(error, "param", None),
        "request_id": getattr(error, "request_id", None),
        "body": error.body,
    }


def sum_up(chunks):
    """Put the chunks of a stream together as an application would."""
    found = {"id": None, "model": None, "created": None, "system_fingerprint": None, "usage": None, "choices": {}}
    for chunk in chunks:
        for name in ("id", "model", "created", "system_fingerprint"):
            found[name] = getattr(chunk, name) or found[name]
        if chunk.usage is not None:
            found["usage"] = chunk.usage.model_dump()
        for choice in chunk.choices:
            known = found["choices"].setdefault(
                choice.index, {"content": "", "refusal": "", "reasoning": "", "tool_calls": [], "finish_reason": None}
            )
            delta = choice.delta
            known["content"] += delta.content or ""
            known["refusal"] += delta.refusal or ""
            extra = delta.model_extra or {}
            known["reasoning"] += extra.get("reasoning_content") or extra.get("reasoning") or ""
            for call in delta.tool_calls or ():
                if call.index >= len(known["tool_calls"]):
                    known["tool_calls"].append({"id": call.id, "name": call.function.name, "arguments": ""})
                known["tool_calls"][call.index]["arguments"] += call.function.arguments or ""
            known["finish_reason"] = choice.finish_reason or known["finish_reason"]
    return found
