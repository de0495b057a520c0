"""Claude where clouds host it: the clients of Anthropic's SDK for it, and what each is asked."""

import anthropic

ASKED = [{"role": "user", "content": "Capital of France?"}]
BEDROCK_MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
VERTEX_MODEL = "claude-sonnet-4-5@20250929"

AWS = {"aws_region": "eu-west-1", "aws_access_key": "AKIDEXAMPLE", "aws_secret_key": "secret"}
GOOGLE = {"region": "us-east5", "project_id": "my-project", "access_token": "ya29.token"}

CLOUDS = {
    "bedrock": (anthropic.AnthropicBedrock, anthropic.AsyncAnthropicBedrock, AWS, BEDROCK_MODEL),
    "vertex": (anthropic.AnthropicVertex, anthropic.AsyncAnthropicVertex, GOOGLE, VERTEX_MODEL),
}


def made(cloud, **settings):
    """Return a client that blocks, and the model to ask for."""
    kind, _, credentials, model = CLOUDS[cloud]
    return kind(**credentials, **settings), model


def made_async(cloud, **settings):
    """Return an asynchronous client, and the model to ask for."""
    _, kind, credentials, model = CLOUDS[cloud]
    return kind(**credentials, **settings), model


def ask(cloud, *, max_retries=0, **fields):
    """Ask one question and return the message."""
    client, model = made(cloud, max_retries=max_retries)
    return client.messages.create(model=model, max_tokens=64, messages=ASKED, **fields)


def streamed(cloud, *, max_retries=0, **fields):
    """Ask one question and return the pieces of the answer, and the whole message."""
    client, model = made(cloud, max_retries=max_retries)
    with client.messages.stream(model=model, max_tokens=64, messages=ASKED, **fields) as stream:
        return list(stream.text_stream), stream.get_final_message()
