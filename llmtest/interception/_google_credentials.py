"""What google-auth asks before the first request of a client without credentials: the machine that it runs on.

Under a simulation the answers are those of a machine of Google's whose service account is a dummy, so that a client
finds credentials, as dummy keys in the environment do for other SDKs; nothing leaves, and the trace notes it. Who wants
the real ones lets the host pass (`llm_sim.allow("169.254.169.254")`), and recording a session asks the real machine.

`google.auth.default()` asks whether this is such a machine, for its project, its account and a token of it (read in
google-auth 2.63, `compute_engine/_metadata.py`); `credentials.refresh()` for a new token where there is a key file, or
what `gcloud` has left (`oauth2/_client.py`).
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

__all__ = ["ASKER", "credentials_transport", "is_for_credentials"]

ASKER = "google-auth"
_MACHINE = frozenset({"169.254.169.254", "metadata.google.internal"})
_TOKENS = "oauth2.googleapis.com"
_ACCOUNT = "llmtest@llmtest-project.iam.gserviceaccount.com"
_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
_TOKEN = {"access_token": "ya29.llmtest-dummy-token", "expires_in": 3599, "token_type": "Bearer"}
_ANSWERS: tuple[tuple[str, Any], ...] = (
    (r"/?", "computeMetadata/\n"),
    (r"/computeMetadata/v1/project/project-id", "llmtest-project"),
    (r"/computeMetadata/v1/project/numeric-project-id", "1234567890"),
    (r"/computeMetadata/v1/universe/universe[-_]domain", "googleapis.com"),
    (
        r"/computeMetadata/v1/instance/service-accounts/[^/]+/?",
        {"aliases": ["default"], "email": _ACCOUNT, "scopes": _SCOPES},
    ),
    (r"/computeMetadata/v1/instance/service-accounts/[^/]+/email", _ACCOUNT),
    (r"/computeMetadata/v1/instance/service-accounts/[^/]+/token", _TOKEN),
)
"""What such a machine says; it has nothing else."""


def is_for_credentials(host: str, method: str, path: str) -> bool:
    """Tell whether a request looks for credentials of Google's; others at these addresses are somebody else's."""
    if "google.auth" not in sys.modules:
        return False
    if host.lower() == _TOKENS:
        return method == "POST" and path == "/token"
    return (
        host.lower() in _MACHINE and method in {"GET", "POST"} and re.match(r"/?$|/computeMetadata/", path) is not None
    )


def credentials_transport(library: Any, host: str) -> Any:
    """Return a transport of `httpx` or `httpx2` that answers such requests.

    Args:
        library: The module of the client.
        host: Where they go.
    """
    of_machine = host.lower() in _MACHINE

    def answer(request: Any) -> Any:
        path = request.url.path
        said = next((said for pattern, said in _ANSWERS if re.fullmatch(pattern, path)), None) if of_machine else _TOKEN
        if said is None:
            return library.Response(404, headers=[("metadata-flavor", "Google")], content=b"Not Found\n")
        kind = "application/text" if isinstance(said, str) else "application/json"
        body = (said if isinstance(said, str) else json.dumps(said)).encode()
        head = [("content-type", kind), ("content-length", str(len(body)))]
        return library.Response(200, headers=[*head, ("metadata-flavor", "Google")], content=body)

    return library.MockTransport(answer)
