"""What a credential looks like, wherever it stands: one row for each kind of key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PRIVATE = r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"


@dataclass(frozen=True, slots=True)
class Shape:
    """What one kind of credential looks like.

    Args:
        name: What to call it.
        marks: One of these stands in every credential of this kind; a text without any is not searched further.
        pattern: The credential itself, without what may stand around it.
    """

    name: str
    marks: tuple[str, ...]
    pattern: re.Pattern[str]


SHAPES = tuple(
    Shape(name, marks, re.compile(pattern))
    for name, marks, pattern in (
        ("anthropic key", ("sk-ant-",), r"sk-ant-[A-Za-z0-9_-]{8,256}"),
        ("openrouter key", ("sk-or-",), r"sk-or-[A-Za-z0-9_-]{8,256}"),
        ("openai key", ("sk-",), r"sk-[A-Za-z0-9_-]{16,256}"),
        ("google key", ("AIza",), r"AIza[A-Za-z0-9_-]{30,256}"),
        ("google token", ("ya29.",), r"ya29\.[A-Za-z0-9_-]{16,256}"),
        ("aws key id", ("AKIA", "ASIA"), r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
        (
            "github token",
            ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
            r"(?:gh[pousr]_[A-Za-z0-9]{20,256}|github_pat_[A-Za-z0-9_]{20,256})",
        ),
        ("gitlab token", ("glpat-",), r"glpat-[A-Za-z0-9_-]{20,256}"),
        ("nvidia key", ("nvapi-",), r"nvapi-[A-Za-z0-9_-]{20,256}"),
        ("stripe key", ("_live_",), r"[sr]k_live_[A-Za-z0-9]{16,256}"),
        ("cerebras key", ("csk-",), r"csk-[A-Za-z0-9]{20,256}"),
        ("together key", ("tgp_v1_",), r"tgp_v1_[A-Za-z0-9_-]{20,256}"),
        ("slack token", ("xox",), r"xox[abprs]-[A-Za-z0-9-]{10,256}"),
        ("hugging face token", ("hf_",), r"hf_[A-Za-z0-9]{20,256}"),
        ("groq key", ("gsk_",), r"gsk_[A-Za-z0-9]{20,256}"),
        ("perplexity key", ("pplx-",), r"pplx-[A-Za-z0-9]{20,256}"),
        ("replicate token", ("r8_",), r"r8_[A-Za-z0-9]{20,256}"),
        ("xai key", ("xai-",), r"xai-[A-Za-z0-9]{20,256}"),
        ("json web token", ("eyJ",), r"eyJ[A-Za-z0-9_-]{8,1024}\.eyJ[A-Za-z0-9_-]{8,16384}\.[A-Za-z0-9_-]{4,256}"),
        (
            "private key",
            ("PRIVATE KEY",),
            rf"{PRIVATE}(?:[^-\"<]|-[^-\"<]){{16,16384}}(?:-----END [A-Z0-9 ]{{0,30}}KEY-----)?",
        ),
        (
            "aws session token",
            ("FwoGZXIvYXdz", "IQoJb3JpZ2lu"),
            r"(?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9+/=_%-]{16,256}",
        ),
        ("bedrock key", ("ABSK",), r"ABSK[A-Za-z0-9+/]{80,256}={0,2}"),
        ("google secret", ("GOCSPX-",), r"GOCSPX-[A-Za-z0-9_-]{28}"),
        ("google refresh token", ("1//0",), r"1//0[A-Za-z0-9_-]{30,256}"),
        ("azure secret", ("Q~",), r"[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}"),
        ("azure key", ("JQQJ99",), r"[A-Za-z0-9]{50,60}JQQJ99[A-Za-z0-9]{20,30}"),
        (
            "slack webhook",
            ("hooks.slack.com",),
            r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9_/-]{20,256}",
        ),
        ("discord webhook", ("/api/webhooks/",), r"discord(?:app)?\.com/api/webhooks/\d{10,25}/[A-Za-z0-9_-]{30,256}"),
        ("teams webhook", ("webhook.office.com",), r"webhook\.office\.com/webhookb2/[A-Za-z0-9@/_-]{30,256}"),
        ("zapier webhook", ("hooks.zapier.com",), r"hooks\.zapier\.com/hooks/(?:catch|standard)/[A-Za-z0-9/_-]{8,256}"),
        ("telegram token", (":AA",), r"\d{8,10}:AA[A-Za-z0-9_-]{32,35}"),
        ("slack app token", ("xapp-", "xoxe"), r"(?:xapp-\d-|xoxe[.-])[A-Za-z0-9.-]{20,256}"),
        ("databricks token", ("dapi",), r"dapi[0-9a-f]{32}(?![A-Za-z0-9])"),
        ("sendgrid key", ("SG.",), r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"),
        ("twilio key", ("SK",), r"SK[0-9a-f]{32}(?![A-Za-z0-9])"),
        ("mailgun key", ("key-",), r"key-[0-9a-f]{32}(?![A-Za-z0-9])"),
        ("npm token", ("npm_",), r"npm_[A-Za-z0-9]{30,256}"),
        ("pypi token", ("pypi-AgE",), r"pypi-AgE[A-Za-z0-9_-]{30,256}"),
        ("rubygems key", ("rubygems_",), r"rubygems_[0-9a-f]{40,256}"),
        ("shopify token", ("shp",), r"shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}"),
        ("digitalocean token", ("_v1_",), r"do[opr]_v1_[0-9a-f]{40,256}"),
        ("linear key", ("lin_api_",), r"lin_api_[A-Za-z0-9]{30,256}"),
        ("notion token", ("ntn_",), r"ntn_[A-Za-z0-9]{40,256}"),
        ("figma token", ("figd_",), r"figd_[A-Za-z0-9_-]{30,256}"),
        ("airtable token", ("pat",), r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
        ("vault token", ("hvs.", "hvb."), r"hv[sb]\.[A-Za-z0-9_-]{24,256}"),
        ("terraform token", (".atlasv1.",), r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,256}"),
        ("doppler token", ("dp.",), r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{30,256}"),
        ("grafana token", ("glsa_", "glc_"), r"(?:glsa|glc)_[A-Za-z0-9_=]{30,256}"),
        ("gitlab runner token", ("glrt-", "gldt-", "glptt-", "glcbt-"), r"gl(?:rt|dt|ptt|cbt)-[A-Za-z0-9_-]{20,256}"),
        ("postman key", ("PMAK-",), r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
        ("new relic key", ("NRAK-",), r"NRAK-[A-Z0-9]{27}"),
        ("sentry token", ("sntrys_", "sntryu_"), r"sntry[su]_[A-Za-z0-9+/=_]{40,256}"),
        ("square token", ("sq0",), r"sq0(?:atp|csp)-[A-Za-z0-9_-]{22,256}"),
        ("atlassian token", ("ATATT3", "ATBB"), r"(?:ATATT3|ATBB)[A-Za-z0-9_=-]{28,256}"),
        ("docker token", ("dckr_",), r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{24,256}"),
        ("supabase token", ("sbp_", "sb_secret_"), r"(?:sbp|sb_secret)_[A-Za-z0-9_-]{20,256}"),
        ("planetscale token", ("pscale_",), r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{32,256}"),
        ("age key", ("AGE-SECRET-KEY-1",), r"AGE-SECRET-KEY-1[A-Z0-9]{50,256}"),
        ("tavily key", ("tvly-",), r"tvly-[A-Za-z0-9_-]{20,256}"),
        ("langsmith key", ("lsv2_",), r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
        ("pinecone key", ("pcsk_",), r"pcsk_[A-Za-z0-9_]{40,256}"),
        ("jina key", ("jina_",), r"jina_[A-Za-z0-9_-]{40,256}"),
        ("firecrawl key", ("fc-",), r"fc-[0-9a-f]{32}(?![A-Za-z0-9])"),
        ("wandb key", ("wandb_v1_",), r"wandb_v1_[A-Za-z0-9_]{40,256}"),
        ("elevenlabs key", ("sk_",), r"sk_[0-9a-f]{48}(?![A-Za-z0-9])"),
        ("stripe test key", ("_test_",), r"[sr]k_test_[A-Za-z0-9]{16,256}"),
        ("webhook secret", ("whsec_",), r"whsec_[A-Za-z0-9+/=]{24,256}"),
        ("alibaba key id", ("LTAI",), r"LTAI[A-Za-z0-9]{16,20}(?![A-Za-z0-9])"),
    )
)
"""What a credential looks like, wherever it stands; a pattern reads a text once, forwards."""
KINDS = tuple(shape.name for shape in SHAPES)

ESCAPE = re.compile(r"(?:\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%(?:25)*[0-9A-Fa-f]{2})\Z")
"""What ends in a letter or a digit and is none: a line break in JSON, a space in a URL."""

LONG = 200
_REST = re.compile(r"[A-Za-z0-9_-]*")
"""A pattern has an end, so that no text makes it slow; a key has its own."""

CODED_MAX = 160
"""Letters before a key that make it a part of something coded: a picture, a signed thought."""


def shaped(shape: Shape, text: str) -> Iterator[tuple[int, int]]:
    """Yield where a credential of a kind stands; inside a word only if it cannot be the rest of that word.

    `task-management` holds no `sk-` key, and `task-3f9a0c71e5b24d86` is a number; `tokensk-ant-api03-...` is a key.
    """
    position = 0
    while (match := shape.pattern.search(text, position)) is not None:
        if begins(text, match.start()) or _is_glued(text, match):
            position = match.end()
            if position - match.start() >= LONG:
                position = max(position, _REST.match(text, position).end())  # type: ignore[union-attr]
            yield match.start(), position
        else:
            position = match.start() + 1


def begins(text: str, start: int) -> bool:
    """Tell whether something new begins at a place, and no word goes on there."""
    before = text[start - 1 : start]
    alphanumeric = before.isascii() and before.isalnum()
    return not alphanumeric or ESCAPE.search(text, max(0, start - 12), start) is not None


def _is_glued(text: str, match: re.Match[str]) -> bool:
    """Tell whether a word before a key cannot be a part of it."""
    found, start = match[0], match.start()
    if found.startswith("-----"):
        return True
    if re.fullmatch(r"[A-Za-z0-9+/_-]{160}", text[max(0, start - CODED_MAX) : start]):
        return False
    if found.startswith(("AKIA", "ASIA")):
        return re.search(r"\d|[G-Z]{4}", found) is not None
    mixed = re.search(r"[A-Za-z0-9]{16,}", found[:4096])
    return (
        found[:2] != "SK" and mixed is not None and all(re.search(kind, mixed[0]) for kind in ("[a-z]", "[A-Z]", r"\d"))
    )
