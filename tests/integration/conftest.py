"""Loads once what the small runs of these tests import, so that none of them has to load it again."""

import anthropic  # noqa: F401 - see above
import anyio  # noqa: F401 - see above
import openai  # noqa: F401 - see above

import llmtest.clock
import llmtest.testing._plugin_session
import llmtest.testing._unittest  # noqa: F401 - see above
from llmtest.costs import default_prices

default_prices()
