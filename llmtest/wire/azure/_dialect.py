"""Azure OpenAI, through its OpenAI-compatible address."""

from __future__ import annotations

from llmtest.errors import ModelNotFoundError
from llmtest.wire._dialect import Dialect, Variables
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.openai import COMPATIBLE

__all__ = ["AZURE"]

AZURE = Dialect(
    "azure",
    title="Azure OpenAI",
    hosts=("https://*.openai.azure.com",),
    mounts={"/openai/v1": COMPATIBLE},
    variables=Variables(keys=("AZURE_OPENAI_API_KEY",), base_urls=("AZURE_OPENAI_ENDPOINT",)),
    vocabulary=Vocabulary(
        codes={"DeploymentNotFound": ModelNotFoundError},
        filtered=("content management policy", "ResponsibleAIPolicyViolation"),
    ),
)
"""Its native addresses, which name a deployment, are not simulated."""
