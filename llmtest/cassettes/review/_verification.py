"""What is wrong with a cassette: credentials, texts nobody can review, age, recorded failures, what no longer reads.

Pure: a document and a time in, findings out. A finding names the file, the line and the field, and never what a
credential is; the texts of bodies are redacted before anything is said of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

from llmtest.cassettes._compression import decompressed, plain_request
from llmtest.cassettes._credentials import exposures, found_in
from llmtest.cassettes._document import Document
from llmtest.cassettes._entry import InteractionError, nearest_key
from llmtest.cassettes._interactions import Interaction
from llmtest.cassettes._matching import MatchRule, RequestView
from llmtest.cassettes._reading import one_line, read, text_of
from llmtest.cassettes._redaction import Redactor
from llmtest.cassettes._saving import redact_interaction
from llmtest.cassettes._staleness import ended_model, ending_of
from llmtest.cassettes._times import dates_of, in_days, recorded_time
from llmtest.cassettes.review._layout import Key, Layout
from llmtest.cassettes.review._legibility import illegible

FindingKind = Literal["secrets", "readability", "age", "failures", "broken", "unknown", "models"]
FINDING_KINDS: tuple[FindingKind, ...] = ("secrets", "broken", "unknown", "failures", "readability", "age", "models")
Severity = Literal["high", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "low")
GRAVE: frozenset[FindingKind] = frozenset({"secrets", "broken", "unknown"})
"""Kinds that are `high`: somebody may log in, or what is replayed is not what was recorded."""
LONGEST_LINE = 200
"""Characters of JSON that a person still reads on one line."""

REDACT = "Record it again with llmtest, which leaves it out; revoke it if the file was ever shared."
LEAVE = "Record it again with llmtest, which leaves it out."
RERECORD = "Record it again."
UNDO = "Undo the edit, or record it again."
ANOTHER = "Have the code ask for a model that is served, and record it again."
ON_PURPOSE = "Record it again, or pass `--ignore failures` if it is there on purpose."


@dataclass(frozen=True, slots=True)
class VerifyFinding:
    """One thing that is wrong.

    Args:
        path: The file.
        line: Where in it, from 1.
        interaction: Number of the interaction, from 1; 0 where the file as a whole is meant.
        kind: One of `FINDING_KINDS`.
        place: The field: `request.headers.x-note`, `response.body.choices[0].message.content`; empty where none is.
        what: What is wrong.
        fix: How to mend it.
        severity: `high`, or `low`: ids of accounts and cookies against bots, and what only makes a file less useful.
    """

    path: str
    line: int
    interaction: int
    kind: FindingKind
    place: str
    what: str
    fix: str
    severity: Severity = "high"

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.path}:{self.line}: {self.kind}: {self.what}. {self.fix}"

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of judging one cassette.

    Args:
        path: The file.
        interactions: How many interactions it has.
        findings: What is wrong, in the order of its lines.
        unreadable: Interactions that could not be judged, as texts of errors.
    """

    path: str
    interactions: int
    findings: tuple[VerifyFinding, ...]
    unreadable: tuple[str, ...] = ()

    def without(self, kinds: Collection[str]) -> Verdict:
        """Return the verdict without the findings of some kinds."""
        return replace(self, findings=tuple(finding for finding in self.findings if finding.kind not in kinds))

    def at_least(self, severity: Severity) -> Verdict:
        """Return the verdict without the findings of a lower severity."""
        found = [each for each in self.findings if SEVERITIES.index(each.severity) <= SEVERITIES.index(severity)]
        return replace(self, findings=tuple(found))

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as JSON has it."""
        return asdict(self)


def verify_cassette(
    document: Document,
    text: str,
    redactor: Redactor,
    *,
    now: datetime,
    max_age: timedelta | None = None,
    longest_line: int = LONGEST_LINE,
) -> Verdict:
    """Judge a cassette.

    Args:
        document: The cassette, read with `strict=False`.
        text: The text of its file.
        redactor: What counts as a credential.
        now: The time by which age is judged, and whether a model is still served.
        max_age: The age from which a recording is too old; None for no limit.
        longest_line: Most characters of JSON on one line.

    Raises:
        CassetteFileError: A part of the text is not YAML.
    """
    bench = _Bench(document, Layout(text), redactor, longest_line)
    found: list[VerifyFinding] = []
    unreadable: list[str] = []
    for position in range(len(document)):
        try:
            found += bench.judge(position)
        except InteractionError as error:
            if error.hint:
                found.append(bench.misfit(position, error))
            else:
                unreadable.append(one_line(redactor.text(str(error))))
    found += bench.loose({finding.line for finding in found if finding.kind == "secrets"})
    if max_age is not None:
        found += _age(bench, now, max_age)
    found += bench.models(now.date())
    found.sort(key=lambda finding: (finding.line, FINDING_KINDS.index(finding.kind)))
    return Verdict(document.path, len(document), tuple(found), tuple(unreadable))


@dataclass(frozen=True, slots=True)
class _Bench:
    """Where the interactions of one file are judged one by one; what they say of their age is remembered."""

    document: Document
    layout: Layout
    redactor: Redactor
    longest_line: int
    times: dict[int, datetime | None] = field(default_factory=dict)
    dates: list[datetime] = field(default_factory=list)

    def judge(self, position: int) -> Iterator[VerifyFinding]:
        """Yield what is wrong with one interaction."""
        interaction = self.document[position]
        self.times[position] = recorded_time(interaction)
        self.dates.extend(dates_of(interaction))
        plain = replace(
            interaction, request=plain_request(interaction.request), response=decompressed(interaction.response)
        )
        for leak in exposures(plain, self.redactor):
            held = leak.kind if leak.is_mild else f"a credential ({leak.kind})"
            what = f"`{leak.place}` of interaction {position + 1} holds {held}"
            finding = self.finding("secrets", position, leak.keys, leak.place, what, LEAVE if leak.is_mild else REDACT)
            finding = replace(finding, severity="low") if leak.is_mild else finding
            if leak.needle:
                finding = replace(finding, line=self.layout.line_of(leak.needle, position, *leak.keys))
            yield finding
        for place, keys, what, fix in illegible(interaction, position, self.layout, self.longest_line):
            yield self.finding("readability", position, keys, place, what, fix)
        yield from self.unknown(position, interaction)
        yield from self.failures(position, interaction)
        yield from self.broken(position, interaction)

    def finding(
        self, kind: FindingKind, position: int, keys: tuple[Key, ...], place: str, what: str, fix: str
    ) -> VerifyFinding:
        """Return a finding; names of fields and of headers come out of the file, so they are redacted too."""
        line = self.layout.line(position, *keys)
        place, what = (one_line(self.redactor.text(text)) for text in (place, what))
        severity: Severity = "high" if kind in GRAVE else "low"
        return VerifyFinding(self.document.path, line, position + 1, kind, place, what, fix, severity)

    def misfit(self, position: int, error: InteractionError) -> VerifyFinding:
        side = error.hint.removesuffix("_body")
        name = f"`{side}.body` of interaction {position + 1}"
        what = f"{name} does not fit the hint `{error.hint}`, so it cannot be restored"
        return self.finding("broken", position, (side, "body"), f"{side}.body", what, UNDO)

    def loose(self, known: set[int]) -> Iterator[VerifyFinding]:
        """Yield credentials on lines that belong to no field, or to none that could be read."""
        for number, line in enumerate(self.layout.lines, 1):
            kinds = [kind for kind, _ in found_in(line, self.redactor)]
            if kinds and number not in known:
                what = f"the line holds a credential ({kinds[0]})"
                yield VerifyFinding(self.document.path, number, 0, "secrets", "", what, REDACT)

    def unknown(self, position: int, interaction: Interaction) -> Iterator[VerifyFinding]:
        for place in interaction.unknown:
            what = f"interaction {position + 1} has a key that nobody knows, `{place}`, and replay passes it over"
            fix = f"Correct its name, or remove it.{nearest_key(place)}"
            yield self.finding("unknown", position, tuple(place.split(".")), place, what, fix)

    def models(self, today: date) -> Iterator[VerifyFinding]:
        """Yield the models that are served no more, each where it is asked for first."""
        known: set[str] = set()
        for position in self.times:
            end = ended_model(self.document[position].request, today)
            if end is not None and end.model not in known:
                known.add(end.model)
                what = f"interaction {position + 1} asks for {ending_of(end)}"
                yield self.finding("models", position, ("request", "body"), "request.body.model", what, ANOTHER)

    def failures(self, position: int, interaction: Interaction) -> Iterator[VerifyFinding]:
        status = interaction.response.status
        name = f"interaction {position + 1}"
        if status == 429 or status >= 500:
            what = f"{name} was answered with status {status}"
            yield self.finding("failures", position, ("response", "status"), "response.status", what, ON_PURPOSE)
        if interaction.response.error:
            what = f"the connection broke while {name} was recorded"
            yield self.finding("failures", position, ("llmtest", "error"), "llmtest.error", what, ON_PURPOSE)

    def broken(self, position: int, interaction: Interaction) -> Iterator[VerifyFinding]:
        request, response = interaction.request, interaction.response
        name = f"interaction {position + 1}"
        reading = read(redact_interaction(interaction, self.redactor))
        body = ("response", "body", "string")
        if reading.problem:
            spoken = f"{reading.dialect} " if reading.dialect != "other" else ""
            what = f"{name}, {spoken}{reading.operation}: {reading.problem}".replace(", :", ":")
            yield self.finding("broken", position, body, "response.body", what, RERECORD)
        coding = response.header("content-encoding")
        if coding not in {None, "identity"} and response.body and text_of(response.body) is not None:
            what = f"{name} says `content-encoding: {coding}`, and its body is not compressed, which no client can read"
            header = next(header for header in response.headers if header.lower() == "content-encoding")
            keys = ("response", "headers", header)
            yield self.finding("broken", position, keys, "response.headers.content-encoding", what, RERECORD)
        if response.chunks and sum(length for _, length in response.chunks) != len(response.body):
            what = f"the sizes in `chunks` of {name} do not add up to its body, so the stream is replayed in one piece"
            yield self.finding("broken", position, ("llmtest", "chunks"), "llmtest.chunks", what, UNDO)
        view = RequestView.of(request.method, request.uri, request.body)
        if interaction.key is not None and view.key(MatchRule()) != interaction.key:
            what = f"`key` of {name} is not that of its request, so replay has to search for it"
            yield self.finding("broken", position, ("llmtest", "key"), "llmtest.key", what, UNDO)
        if interaction.recorded_at is not None and recorded_time(interaction) is None:
            what = f"`recorded_at` of {name} is no time"
            yield self.finding("broken", position, ("llmtest", "recorded_at"), "llmtest.recorded_at", what, UNDO)


def _age(bench: _Bench, now: datetime, max_age: timedelta) -> Iterator[VerifyFinding]:
    """Yield at most one finding: whoever re-records one interaction re-records the file."""
    count = len(bench.document)
    known = [(time, position) for position, time in bench.times.items() if time is not None]
    silent = [position for position, time in bench.times.items() if time is None]
    limit = f"the limit is {in_days(max_age)}"
    if known and now - min(known)[0] > max_age:
        time, position = min(known)
        late = sum(now - each > max_age for each, _ in known)
        what = (
            f"{late} of {count} interactions {'is' if late == 1 else 'are'} too old: number {position + 1} was "
            f"recorded {in_days(now - time)} ago, on {time:%Y-%m-%d}; {limit}"
        )
        yield bench.finding("age", position, ("llmtest", "recorded_at"), "llmtest.recorded_at", what, RERECORD)
    elif silent:
        dated = f"; its answers are dated {max(bench.dates):%Y-%m-%d}" if bench.dates else ""
        verb = "does not say when it was" if len(silent) == 1 else "do not say when they were"
        what = f"{len(silent)} of {count} interactions {verb} recorded{dated}; {limit}"
        fix = "Record it again with llmtest, which keeps the time."
        yield bench.finding("age", silent[0], (), "", what, fix)
