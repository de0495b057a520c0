"""Credentials of less usual kinds, each where it is met in the wild: for the test that looks for them afterwards."""

import base64
import json
from urllib.parse import quote

HEX = "3f9a0c71e5b24d86af10c29b7e63d854"
MIXED = "q9V0Zx81mB2nL4kPw7Rt3YcJ5hGdS6fA"
LONG = MIXED + "uT8eKb1XrM4oWi7Np2Qz"
URL = "https://api.example.com/v1/chat"
OPENAI = f"sk-proj-{MIXED}"
ANTHROPIC = f"sk-ant-api03-{MIXED}"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{LONG}\n{MIXED}\n-----END RSA PRIVATE KEY-----\n"

HEADERS = [
    "private-token",
    "x-api-token",
    "x-access-token",
    "x-vault-token",
    "x-session-token",
    "cookie2",
    "ocp-apim-subscription-key",
    "x-subscription-token",
    "x-functions-key",
    "x-hub-signature-256",
    "x-client-secret",
    "x-password",
    "x-amz-credential",
    "apikey",
    "x-jwt-assertion",
]
"""Headers whose value nobody may read, however short; planted in requests and in answers."""

QUERIES = [
    ("secret=hunter2x", "hunter2x"),
    (f"code={MIXED}", MIXED),
    ("access_key=a1b2c3d4", "a1b2c3d4"),
    (f"X-Amz-Signature={HEX}", HEX),
    (f"X-Amz-Credential={MIXED}", MIXED),
    (f"X-Amz-Security-Token={MIXED}", MIXED),
    (f"X-Goog-Signature={HEX}", HEX),
    ("api%5Fkey=a1b2c3d4", "a1b2c3d4"),
    ("%61pi_key=a1b2c3d4", "a1b2c3d4"),
    ("subscription-key=a1b2c3d4", "a1b2c3d4"),
    ("auth%255Ftoken=a1b2c3d4", "a1b2c3d4"),
    ("next=" + quote("https://h/a?api_key=a1b2c3d4&x=1", safe=""), "a1b2c3d4"),
    ("next=" + quote("https://h/a?u=" + quote("https://i/?token=a1b2c3d4", safe=""), safe=""), "a1b2c3d4"),
    ("next=" + quote("https://me:hunter2x@h/a", safe=""), "hunter2x"),
    (f"state=x#access_token={MIXED}", MIXED),
]

FIELDS = [
    ({"password": "hunter2"}, "hunter2"),
    ({"password": "swordfish"}, "swordfish"),
    ({"secret": "opensesame"}, "opensesame"),
    ({"token": "a1b2c3d4e5"}, "a1b2c3d4e5"),
    ({"auth_token": "a1b2c3d4"}, "a1b2c3d4"),
    ({"secret_key": "a1b2c3d4"}, "a1b2c3d4"),
    ({"secretKey": "opensesame"}, "opensesame"),
    ({"apiKey": "abc123"}, "abc123"),
    ({"api_keys": ["x1", "a1b2c3d4", "e5f6g7h8"]}, "e5f6g7h8"),
    ({"keys": {"mine": "a1b2c3d4e5f6", "yours": "g7h8i9j0k1l2"}}, "g7h8i9j0k1l2"),
    ({"credentials": {"user": "me", "value": "a1b2c3d4e5f6"}}, "a1b2c3d4e5f6"),
    ({"deep": [{"config": {"dbPassword": "hunter2"}}]}, "hunter2"),
    ({"arguments": json.dumps({"access_token": "a1b2c3d4"})}, "a1b2c3d4"),
    ({"a": json.dumps({"b": json.dumps({"client_secret": "a1b2c3d4"})})}, "a1b2c3d4"),
    ({"key": MIXED}, MIXED),
    ({"authorization": f"Token {HEX}"}, HEX),
    ({"private_key_id": HEX}, HEX),
    ({"private_key": PEM}, LONG),
    ({"sessionToken": MIXED}, MIXED),
]

FORMS = [
    ("grant_type=password&username=me&password=swordfish", "swordfish"),
    ("a=b&client%5Fsecret=opensesame&c=d", "opensesame"),
    ("a=b&user[token]=a1b2c3d4e5", "a1b2c3d4e5"),
    ("assertion=a&auth_token=abc123", "abc123"),
    ('--x\r\nContent-Disposition: form-data; name="api_key"\r\n\r\na1b2c3d4\r\n--x--\r\n', "a1b2c3d4"),
]

TEXTS = [
    ("postgresql://app:hunter2@db.example.com:5432/main", "hunter2"),
    ("mongodb+srv://app:sw0rd%21fish@cluster0.example.net/?w=majority", "sw0rd%21fish"),
    ("redis://:s3cretpw@cache:6379/0", "s3cretpw"),
    (f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={LONG}==;EndpointSuffix=x", LONG),
    (f"Endpoint=sb://a.example.net/;SharedAccessKeyName=root;SharedAccessKey={MIXED}=", MIXED),
    ("Server=db;Database=x;User Id=sa;Password=Pa55w0rd;Encrypt=true", "Pa55w0rd"),
    (PEM, LONG),
    (PEM.replace("RSA", "OPENSSH"), LONG),
    (f"export AWS_SECRET_ACCESS_KEY={MIXED}", MIXED),
    (f"curl -H 'X-Api-Key: {HEX}' {URL}", HEX),
    ("FwoGZXIvYXdz" + LONG, LONG),
    ("IQoJb3JpZ2luX2Vj" + LONG, LONG),
    ("https://hooks.slack.com/services/" + f"T01ABCDEF/B01ABCDEF/{MIXED[:24]}", MIXED[:24]),
    ("https://discord.com/api/webhooks/" + f"123456789012345678/{LONG}", LONG),
    (f"https://acme.webhook.office.com/webhookb2/{HEX}@x/IncomingWebhook/{HEX}/y", HEX),
    ("https://hooks.zapier.com/hooks/catch/1234567/a1b2c3d/", "a1b2c3d"),
    (f"https://api.telegram.org/bot123456789:AA{MIXED}x/sendMessage", MIXED),
    ("dapi" + HEX, HEX),
    ("SG." + f"{MIXED[:22]}.{LONG[:43]}", LONG[:43]),
    ("SK" + HEX, HEX),
    ("key-" + HEX, HEX),
    ("npm_" + LONG[:36], LONG[:36]),
    ("pypi-AgEIcHlwaS5vcmc" + LONG, LONG),
    ("shpat_" + HEX, HEX),
    ("dop_v1_" + HEX * 2, HEX),
    ("lin_api_" + LONG[:40], LONG[:40]),
    ("hvs." + LONG, LONG),
    ("glsa_" + MIXED, MIXED),
    ("tvly-" + MIXED, MIXED),
    ("lsv2_pt_" + HEX + "_a1b2c3d4e5", HEX),
    ("pcsk_" + LONG, LONG),
    ("GOCSPX-" + MIXED[:28], MIXED[:28]),
    ("ABSK" + LONG * 2, LONG),
    ("whsec_" + MIXED, MIXED),
    ("1//0" + LONG, LONG),
    ("dckr_pat_" + MIXED, MIXED),
    ("keyword" + ANTHROPIC, MIXED),
    ("x" + OPENAI, MIXED),
    ("7" + "ghp_" + LONG[:36], LONG[:36]),
    ("v" + "AKIA" + "IOSFODNN7EXAMPLX", "IOSFODNN7EXAMPLX"),
]

CODED = [
    base64.b64encode(ANTHROPIC.encode()).decode(),
    base64.urlsafe_b64encode(f"user:{OPENAI}".encode()).decode(),
    base64.b64encode(base64.b64encode(OPENAI.encode())).decode(),
    base64.b64encode(f'{{"a": "{OPENAI}"}}'.encode("utf-16-le")).decode(),
    "".join(f"\\u{ord(letter):04x}" for letter in OPENAI),
    quote(OPENAI, safe="").replace("-", "%2D"),
    "".join(f"%{ord(letter):02x}" for letter in OPENAI),
]
"""One of the two keys above, written as something else."""

WIDE = [OPENAI.encode("utf-16"), f"key {ANTHROPIC} end".encode("utf-16-be")]
"""Whole bodies in UTF-16."""

SPLIT = {
    "chat": ('data: {"choices":[{"index":0,"delta":{"content":%s}}]}\n\n', ("My key is ", OPENAI, ".")),
    "call": (
        'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":%s}}]}}]}\n\n',
        ('{"password": "', "hunter2hunter", '", "city": "Paris"}'),
    ),
    "messages": (
        'event: x\ndata: {"type":"x","index":1,"delta":{"type":"input_json_delta","partial_json":%s}}\n\n',
        ('{"api_key": "', MIXED, '"}'),
    ),
    "lines": ('{"message":{"role":"assistant","content":%s}}\n', ("It is ", ANTHROPIC, " .")),
}
"""Streams that bring a credential in pieces: the line of one piece, and before, credential, after."""
