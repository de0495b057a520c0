"""One recorded session: plays what it has, records what it may, and says clearly what it does not have."""

from __future__ import annotations

import difflib
import json
import os
import threading
import warnings
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, get_args

from llmtest.cassettes._document import Anthology, Document
from llmtest.cassettes._entry import nearest_key
from llmtest.cassettes._forms import Form, form_for
from llmtest.cassettes._interactions import Interaction, RecordedRequest
from llmtest.cassettes._matching import MatchRule, RequestView
from llmtest.cassettes._own_code import own_code
from llmtest.cassettes._play_order import Tape
from llmtest.cassettes._redaction import Redactor
from llmtest.cassettes._saving import alone_with, as_compared, redact_interaction, redact_request, save_cassette
from llmtest.cassettes._staleness import Staleness
from llmtest.cassettes.drift import Drift, as_shown, compare_answers, failure_of, notice_of
from llmtest.errors import CassetteFileError, CassetteMismatchError, CassetteWarning, ConfigurationError

Mode = Literal["none", "once", "new_episodes", "all", "rewrite", "verify"]
"""vcrpy's words.

`none` plays and never records; `once` records where there is no file, and plays where there is one; `new_episodes`
plays what matches and records the rest; `all` records everything and replaces what it matches; `rewrite` records
everything and replaces the whole file; `verify` asks the network and writes nothing: each live answer is compared with
the recorded one.
"""

BeforeRecord = (
    Callable[[Interaction], Interaction | None] | str | Sequence[Callable[[Interaction], Interaction | None] | str]
)
"""A hook, its name, or several."""

MODES: tuple[Mode, ...] = get_args(Mode)
SHOWN_DIFFERENCES = 5


class Cassette:
    """A recorded session: `played` counts answers from the file, `live` requests to the network.

    `requests` holds every request as it was really sent, whoever answered it; assert on these, because an assertion on
    the recorded ones can never fail. `drift` holds what differed from the recording, in mode `verify` and with
    `match="warn"`.

    Args:
        path: The file.
        mode: One of `MODES`.
        match_on: What counts as the same request; see `MatchRule.of`.
        keep_failures: Whether answers with status 429 and 5xx are recorded too. By default they are not: a rate limit
            met while recording is no part of the session.
        redactor: What is kept off the disk; by default credentials by header, by shape and by environment.
        rerun: The pytest node that would record the session again, for the texts of errors; without one they speak of
            `use_cassette`.
        borrowed: Further files that are played too; what is recorded goes to `path` alone.
        match: `"warn"` plays, where no request is equal, the answer of the closest unplayed one at the same address,
            and tells by a `CassetteWarning` what differs; by default that is an error.
        repeat: `"last"` plays the last answer to a request again for every further one, as code that polls asks; by
            default each answer is played once.
        before_record: Called with each interaction that is about to be kept; returns it, or another one, or None to
            leave it out. It is redacted afterwards. Its name, `package.module:name`, or several of them will do.
        staleness: How old what is played may be; by default only models that are served no more are told of.
        option_of: What an option is given to, for the texts of errors, up to the option.
        form: How the file is written, one of `FORMS`; None for the form that it has, `json` for a file of that name,
            and ours for a new one.

    Raises:
        CassetteFileError: The file exists and cannot be read, or another tool has recorded it, and this mode would
            write into it.
        ConfigurationError: An unknown mode, form or part of `match_on`.
    """

    def __init__(  # noqa: PLR0913 - a file, and options by name
        self,
        path: Path,
        mode: Mode = "none",
        *,
        match_on: Any = None,
        keep_failures: bool = False,
        redactor: Redactor | None = None,
        rerun: str = "",
        borrowed: Sequence[Path] = (),
        form: str | None = None,
        match: Literal["warn"] | None = None,
        repeat: Literal["last"] | None = None,
        before_record: BeforeRecord | None = None,
        staleness: Staleness | None = None,
        option_of: str = "@pytest.mark.llm_cassette(",
    ) -> None:
        if mode not in MODES:
            near = difflib.get_close_matches(mode, MODES, 1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            raise ConfigurationError(f"unknown cassette mode `{mode}`.{hint} Known modes: {', '.join(MODES)}.")
        self.path = path
        self.name = str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
        self.mode: Mode = mode
        self.played = 0
        self.live = 0
        self.requests: list[RecordedRequest] = []
        self._recorded: list[tuple[int, Interaction]] = []
        if repeat not in {None, "last"}:
            raise ConfigurationError(f'repeat: `{repeat}` is none; the only one is "last".')
        if match not in {None, "warn"}:
            raise ConfigurationError(f'match: `{match}` is none; the only one is "warn".')
        self.drift: list[Drift] = []
        self._warns = match == "warn"
        hooks = before_record if isinstance(before_record, list | tuple) else [before_record]
        self._before_record = [own_code(hook, "before_record") for hook in hooks if hook is not None]
        self._staleness = staleness or Staleness()
        self._rule = MatchRule.of(match_on)
        self._keep_failures = keep_failures
        self._redactor = redactor or Redactor(os.environ)
        self._rerun = rerun
        self._option_of = option_of
        self._lock = threading.Lock()
        self._exists = path.exists()
        documents = [_read(path)] if self._exists and mode != "rewrite" else []
        self._form = form_for(path, form or _form_of(documents))
        if documents and documents[0].tool and mode in {"new_episodes", "all"}:
            raise _foreign(self.name, documents[0].tool)
        documents += [_read(each) for each in borrowed if each != path]
        self._documents = documents
        self._told: set[str] = set()
        self._tell_unknown_keys()
        played = documents[0] if len(documents) == 1 else Anthology(documents) if documents else None
        self._tape = Tape(
            played,
            self._rule,
            lambda request: as_compared(request, self._redactor),
            repeats=repeat == "last",
            shown=lambda request: redact_request(request, self._redactor),
        )

    def __len__(self) -> int:
        """Return how many interactions there are, old and new."""
        return len(self._tape) + len(self.recorded)

    @property
    def recorded(self) -> list[Interaction]:
        """The interactions that were recorded, in the order in which their requests were sent."""
        with self._lock:
            return [interaction for _, interaction in sorted(self._recorded, key=itemgetter(0))]

    @property
    def unplayed(self) -> list[int]:
        """Numbers, from 1, of the interactions of the file that have not been played."""
        return self._tape.unplayed

    def interaction(self, number: int) -> Interaction:
        """Return an interaction of the file by its number, from 1.

        Raises:
            IndexError: It has none of that number.
        """
        return self._documents[0][number - 1]

    @property
    def records(self) -> bool:
        """Whether a request without a recorded answer is made live and recorded."""
        return self.mode in {"new_episodes", "all", "rewrite", "verify"} or (self.mode == "once" and not self._exists)

    def answer(self, request: RecordedRequest) -> Interaction | None:
        """Return the recorded answer to a request; None means: make it live, and `record` it.

        Raises:
            CassetteMismatchError: Nothing recorded answers it, and this mode does not record.
        """
        with self._lock:
            self.requests.append(request)
            if self.mode not in {"all", "rewrite", "verify"}:
                found = self._tape.play(request)
                if found is not None:
                    self.played += 1
                    self._staleness.note(found)
                    if found.unknown:
                        self._tell_unknown_keys()
                    return found
            if self.records:
                return None
            near = self._play_near(request) if self._warns else None
            if near is None:
                raise self._mismatch(request)
            return near

    def _play_near(self, request: RecordedRequest) -> Interaction | None:
        """Play the closest recording that differs in what is asked and not in where, and tell what differs."""
        closest = self._tape.closest(request)
        if closest is None or any(each.path in {"method", "host", "path"} for each in closest.differences):
            return None
        found = self._tape.take(closest.number)
        if found is None:
            return None
        self.played += 1
        self._staleness.note(found)
        self.drift += [
            Drift("value changed", f"request.{each.path}", as_shown(each.recorded), as_shown(each.sent))
            for each in closest.differences
        ]
        lines = "\n".join(f"  {difference}" for difference in closest.differences[:SHOWN_DIFFERENCES])
        text = f"{self.name}: interaction {closest.number} is played for a request that differs from its own.\n{lines}"
        warnings.warn(text, CassetteWarning, stacklevel=2)
        return found

    def begin(self) -> int:
        """Note that a request goes to the network now; returns its place in the order of recording."""
        with self._lock:
            self.live += 1
            return self.live

    def record(self, interaction: Interaction, place: int | None = None) -> None:
        """Add an interaction; it reaches the disk when the cassette is saved.

        Args:
            interaction: What was sent and what came back.
            place: What `begin` returned for it, because answers may come in any order; None for the next one.
        """
        place = self.begin() if place is None else place
        if self.mode == "verify":
            self._compare(interaction)
            return
        status = interaction.response.status
        if (status == 429 or status >= 500) and not self._keep_failures:
            return
        for hook in self._before_record:
            interaction = hook(interaction)
            if interaction is None:
                return
        with self._lock:
            self._recorded.append((place, interaction))

    def _compare(self, live: Interaction) -> None:
        """Compare a live answer with the recorded one to the same request."""
        live = redact_interaction(live, self._redactor)
        with self._lock:
            recorded = self._tape.play(live.request)
            if recorded is None:
                asked = f"{live.request.method} {live.request.uri.partition('?')[0]}"
                self.drift.append(Drift("field added", f"request {asked}, of which there is no recording"))
            else:
                self.drift += compare_answers(redact_interaction(recorded, self._redactor), live)

    def save(self) -> bool:
        """Write the file if there is something new; returns whether it was written.

        What is recorded joins what the file holds now, which may be more than it held when this cassette read it. In
        mode `verify` nothing is written, and the drift is judged; age is, whatever the mode.

        Raises:
            CassetteFileError: See `save_cassette`; the old file is untouched. Or what was played is too old.
        """
        if self.mode == "verify":
            self._judge()
        written = self._write()
        self._tell_staleness()
        return written

    def _write(self) -> bool:
        recorded = self.recorded
        if not recorded:
            return False
        with alone_with(self.path):
            document = _read(self.path) if self.mode != "rewrite" and self.path.exists() else None
            old = [] if document is None else [document[at] for at in range(len(document))]
            if self.mode == "all":
                new: dict[str, list[Interaction]] = {}
                for interaction in recorded:
                    new.setdefault(self._key(interaction), []).append(interaction)
                old = [each for each in old if not self._is_replaced(each, new.get(self._key(each), ()))]
            save_cassette(self.path, [*old, *recorded], self._redactor, self._form)
            return True

    def _tell_unknown_keys(self) -> None:
        """Warn of keys that nobody knows, each once: what they hold is not played."""
        for document in self._documents:
            for key, numbers in document.unknown.items():
                if key not in self._told:
                    self._told.add(key)
                    others = f" and {len(numbers) - 1:,} more" if len(numbers) > 1 else ""
                    text = f"interaction {numbers[0]}{others} of {document.path} has a key that nobody knows, `{key}`"
                    warnings.warn(f"{text}; it is passed over.{nearest_key(key)}", CassetteWarning, stacklevel=2)

    def _tell_staleness(self) -> None:
        """Tell of old recordings and of models that have ended: by a warning, or by the error that was asked for.

        Raises:
            CassetteFileError: What was played is too old, which is to fail.
        """
        old = self._staleness.too_old()
        for notice in [*([old] if old and not self._staleness.fails else []), *self._staleness.notices(self.requests)]:
            warnings.warn(f"{self.name}: {notice}.", CassetteWarning, stacklevel=3)
        if old and self._staleness.fails:
            raise CassetteFileError(f"{self.name}: {old}.\n\nTo fix: record it again: {self.rerecord}")

    def _judge(self) -> None:
        """Tell of the drift: what is new by a warning, what breaks by an error.

        Raises:
            CassetteFileError: A live answer has another status or type, or lacks a field.
        """
        notice = notice_of(self.name, self.drift)
        if notice:
            warnings.warn(notice, CassetteWarning, stacklevel=3)
        failure = failure_of(self.name, self.drift, self.rerecord)
        if failure:
            raise CassetteFileError(failure)

    @property
    def rerecord(self) -> str:
        """How the session is recorded again."""
        return self._recording("rewrite")

    def _recording(self, mode: Mode) -> str:
        if self._rerun:
            return f"pytest --llmtest-record={mode} {self._rerun}"
        return f'use_cassette("{self.name}", "{mode}")'

    def _ignoring(self, field: str) -> str:
        """Return how a field of the body is left out of the comparison."""
        ignore = '{"body": {"ignore": ["' + field + '"]}}'
        return f"{self._option_of}match_on={ignore})"

    def _is_replaced(self, old: Interaction, same: Sequence[Interaction]) -> bool:
        """Tell whether one of those recorded now, whose requests look the same, answers the request of an old one."""
        asked = redact_request(old.request, self._redactor) if same else old.request
        return any(self._rule.takes(redact_request(new.request, self._redactor), asked) for new in same)

    def _key(self, interaction: Interaction) -> str:
        kept = as_compared(interaction.request, self._redactor)
        return RequestView.of(kept.method, kept.uri, kept.body).key(self._rule)

    def _mismatch(self, request: RecordedRequest) -> CassetteMismatchError:
        shown = f"  {request.method} {self._redactor.url(request.uri)}"
        if not len(self._tape):
            what = "in the cassette {} there is nothing" if self._exists else "there is no cassette {}"
            return CassetteMismatchError(
                f"{what.format(self.name)} to answer this request.\n\n{shown}\n\n"
                "To fix: record it, which calls the provider and may cost money: "
                + self._recording("new_episodes" if self._exists else "once")
            )
        matching = self._tape.count(request)
        if matching:
            times = "time" if matching == 1 else "times"
            return CassetteMismatchError(
                f"{self.name} answers this request {matching} {times}, and that many answers have been played.\n\n"
                f"{shown}\n\nThe code under test made one call more than when the session was recorded.\n"
                f"To fix: if that is on purpose, record it again: {self.rerecord}"
            )
        closest = self._tape.closest(request)
        assert closest is not None
        paths = [f"`{difference.path}`" for difference in closest.differences]
        headline = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
        lines = [f"  {difference}" for difference in closest.differences[:SHOWN_DIFFERENCES]]
        ignorable = [path.path.removeprefix("body.") for path in closest.differences if path.path.startswith("body.")]
        fix = f"To fix, one of:\n  1. record it again: {self.rerecord}"
        if [difference.path for difference in closest.differences] == ["host"]:
            others = json.dumps([part for part in self._rule.parts if part != "host"])
            fix += f"\n  2. compare without the host: {self._option_of}match_on={others})"
        if ignorable:
            fix += f"\n  2. ignore the field: {self._ignoring(ignorable[0])}"
        facts = "\n".join(lines)
        return CassetteMismatchError(
            f"no interaction in {self.name} matches this request; the closest, number {closest.number}, differs in "
            f"{headline}.\n\n{shown}\n{facts}\n  (compared: {self._compared()})\n\n{fix}"
        )

    def _compared(self) -> str:
        ignored = ", ".join(f"`{path}`" for path in self._rule.ignore)
        parts = ", ".join(self._rule.parts)
        hidden = ", ".join(f"`{pattern}` in `{path}`" for path, pattern in self._rule.mask)
        text = f"{parts} without {ignored}" if "body" in self._rule.parts and ignored else parts
        return f"{text}; masked: {hidden}" if hidden else text


def _form_of(documents: Sequence[Document]) -> Form | None:
    """Return the form in which a file goes on being written, where it has one of its own."""
    return "parsed_body" if documents and documents[0].has_parsed_bodies else None


def _foreign(name: str, tool: str) -> CassetteFileError:
    return CassetteFileError(
        f"{name}: {tool} has recorded this file, and could not read what would be added to it.\n"
        "To fix: play it as it is, in mode `none`, or record into a file of another name."
    )


def _read(path: Path) -> Document:
    try:
        return Document(path.read_bytes(), str(path))
    except OSError as error:
        raise CassetteFileError(f"{path}: the cassette cannot be read: {error.strerror or error}.") from error
