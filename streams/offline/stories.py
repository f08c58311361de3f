"""Stories: what customers do and which messages flows then send, played on the fold in memory."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from pydantic import BeforeValidator, ConfigDict, Field, JsonValue

from schemas.outputs import Decision, Revocation, Trigger
from schemas.touchpoint import CUSTOM, Touchpoint
from schemas.units import DAY_MS
from streams.collect.keys import key_of
from streams.flows.language.events import OWN, FlowEvent
from streams.flows.language.files import read_document, read_yaml
from streams.flows.language.mistakes import FlowError, parse_part
from streams.flows.language.part import Part
from streams.fold.attempt import Refused
from streams.fold.memory import Partition
from streams.settings import parse_domain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.abc import Traversable
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from streams.fold.memory import Outcome
    from streams.settings import DomainSettings

FOLDER = "stories"
"""Folder of stories beside the flow files, with the same names."""
_LASTS_MS = 400 * DAY_MS
_YEAR_MIN, _YEAR_END = 1990, 2080
"""As TIME_MS_MIN and TIME_MS_MAX, between which every touchpoint is."""


def _parse_time(value: object) -> datetime:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if time is None or time.tzinfo is not None or not _YEAR_MIN <= time.year < _YEAR_END:
        raise ValueError(
            f"write a local time of the shop, such as 2026-03-02 10:00, from {_YEAR_MIN} on and before {_YEAR_END}"
        )
    return time


Time = Annotated[datetime, BeforeValidator(_parse_time)]


class Given(Part):
    """What a customer does. Further fields are those of a touchpoint."""

    model_config = ConfigDict(frozen=True, extra="allow")

    at: Time
    """When it happens, in the shop's time zone."""
    type: FlowEvent
    """The type of the touchpoint, or custom:NAME."""


class Expected(Part):
    """A message that is expected. A field that is left out may have any value."""

    at: Time
    """When the message is due, in the shop's time zone."""
    flow: str
    """The flow that sends it."""
    step: str
    """The step that sends it."""
    channel: str | None = None
    """The channel it goes out by."""
    customer: str | None = None
    """The customer's key, such as u:1."""
    products: tuple[str, ...] | None = None
    """The skus of the products in it, in order."""
    order: str | None = None
    """The id of the order in it."""
    attributes: dict[str, str] | None = None
    """The attributes that it carries."""
    offer: str | None = None
    """The offer in it."""


class Story(Part):
    """What customers do, and all messages that follow from it, in order."""

    story: str
    """What the story shows, in one sentence."""
    shop_since: Time | None = None
    """When the shop's history begins, in its time zone. Without it, long before the story."""
    given: tuple[Given, ...] = Field(min_length=1)
    """What customers do."""
    expect: tuple[Expected, ...]
    """All messages that go out, in order. An empty list says that none does."""


class Stories(Part):
    """A file of stories."""

    flows: tuple[str, ...] = Field(min_length=1)
    """Ids of the flows that are published in the stories."""
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    """Settings that decide, such as the time zone. Consent is granted unless they say otherwise."""
    stories: tuple[Story, ...] = Field(min_length=1)
    """The stories."""


class Played(NamedTuple):
    """A story and how the result differs from it; no differences: it passed."""

    file: str
    story: str
    differences: tuple[str, ...]


def story_files(folder: Path | Traversable) -> list[Path | Traversable]:
    """Return the files of stories beside the flow files of a folder, by name.

    Raises:
        FlowError: there are none.
    """
    beside = folder / FOLDER
    files = (
        sorted((file for file in beside.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
        if beside.is_dir()
        else []
    )
    if not files:
        raise FlowError(f"{beside}: no stories found; put YAML files in a folder {FOLDER} beside the flow files")
    return files


def read_stories(file: Path | Traversable) -> Stories:
    """Read a file of stories.

    Raises:
        FlowError: the file cannot be used.
    """
    return parse_part(Stories, read_yaml(file), str(file))


def play(file: Path | Traversable, folder: Path | Traversable) -> list[Played]:
    """Play each story of a file with flows of that folder, without a control group.

    Raises:
        FlowError: the file, or a flow that it names, cannot be used.
        SettingsError: its settings are wrong.
    """
    stories = read_stories(file)
    documents = [read_document(folder / f"{flow_id}.yaml") | {"holdout_percent": 0} for flow_id in stories.flows]
    given = {"touchpoint_partitions": 1, "journal_partitions": 1, "consent_default": "granted", **stories.settings}
    settings = parse_domain(msgspec.json.encode({**given, "clock": "marks", "flows": documents}))
    return [
        Played(file.name, story.story, tuple(_differences(story, settings, f"{file}: stories[{number}]")))
        for number, story in enumerate(stories.stories)
    ]


def _differences(story: Story, settings: DomainSettings, where: str) -> Iterator[str]:
    zone = settings.zone
    given = sorted(touchpoints(story, zone, where), key=lambda one: one.time_ms)
    since_ms = given[0].time_ms - _LASTS_MS if story.shop_since is None else _ms(story.shop_since, zone)
    shop = _Shop(settings, since_ms)
    for touchpoint in given:
        shop.pass_time(touchpoint.time_ms)
        shop.send(touchpoint)
    shop.pass_time(shop.now_ms + _LASTS_MS)
    for refused in shop.refused:
        yield f"a touchpoint could not be used: {refused.reason}: {refused.detail}"
    ordered = sorted(shop.triggers, key=lambda trigger: (trigger.decided_ms, trigger.customer))
    sent = [_shown(trigger, zone) for trigger in ordered]
    expected = [item.model_dump(exclude_none=True) | {"at": str(item.at)} for item in story.expect]
    for number in range(max(len(sent), len(expected))):
        came = sent[number] if number < len(sent) else {}
        said = expected[number] if number < len(expected) else {}
        if not said or any(came.get(name) != value for name, value in said.items()):
            yield f"message {number + 1}: expected {_listed(said, said)}, but got {_listed(came, said or came)}"
            yield from (f"  {line}" for line in _receipts(shop.decisions, zone))
            return


def _listed(message: dict[str, Any], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {message[name]}" for name in names if message.get(name, {}) != {}) or "none"


def _receipts(decisions: Iterable[Decision], zone: ZoneInfo) -> Iterator[str]:
    for item in decisions:
        yield f"{_local(item.time_ms, zone)} {item.customer} {item.flow_id} {item.step}: {item.outcome}. {item.reason}"


def _shown(trigger: Trigger, zone: ZoneInfo) -> dict[str, Any]:
    about = {"order": trigger.facts.get("order_id"), "offer": trigger.facts.get("offer")}
    return {
        "at": _local(trigger.due_ms, zone),
        "flow": trigger.flow_id,
        "step": trigger.step,
        "channel": trigger.channel,
        "customer": trigger.customer,
        "products": tuple(item.sku for item in trigger.products),
        "attributes": trigger.attributes,
        **{name: value for name, value in about.items() if value is not None},
    }


def _ms(time: datetime, zone: ZoneInfo) -> int:
    return round(time.replace(tzinfo=zone).timestamp() * 1000)


def _local(time_ms: int, zone: ZoneInfo) -> str:
    return str(datetime.fromtimestamp(time_ms / 1000, zone).replace(tzinfo=None))


def touchpoints(story: Story, zone: ZoneInfo, where: str) -> list[Touchpoint]:
    """Return the given touchpoints, in the order of the file, at times of the zone.

    Raises:
        FlowError: one is not a touchpoint; the message begins with `where`.
    """
    return [_touchpoint(given, number, zone, where) for number, given in enumerate(story.given)]


def _touchpoint(given: Given, number: int, zone: ZoneInfo, where: str) -> Touchpoint:
    """Return the touchpoint, by the user 1 unless it says otherwise, with an id of its own."""
    fields = given.model_extra or {}
    who = {} if fields.keys() & {"user_id", "anonymous_id", "email_hash"} else {"user_id": "1"}
    time_ms = _ms(given.at, zone)
    own = {"event_id": f"given-{number}", "type": given.type, "time_ms": time_ms}
    if given.type.startswith(OWN):
        own |= {"type": CUSTOM, "name": given.type.removeprefix(OWN)}
    try:
        touchpoint = msgspec.convert({**who, **fields, **own}, Touchpoint)
    except msgspec.ValidationError as error:
        raise FlowError(f"{where}.given[{number}]: {error}") from None
    unknown = _unknown(fields, msgspec.to_builtins(touchpoint))
    if unknown is not None:
        raise FlowError(
            f"{where}.given[{number}].{unknown} is not a field of a touchpoint (schemas/avro/touchpoint.avsc)"
        )
    return touchpoint


def _unknown(given: Any, taken: Any, path: str = "") -> str | None:  # noqa: ANN401 - pieces of a document
    """Return the path of the first name that the touchpoint does not have."""
    if isinstance(given, dict):
        parts = [(given[name], taken.get(name), f"{path}.{name}", name in taken) for name in given]
    elif isinstance(given, list):
        parts = [(one, other, f"{path}[{at}]", True) for at, (one, other) in enumerate(zip(given, taken, strict=True))]
    else:
        return None
    for one, other, name, is_known in parts:
        found = _unknown(one, other, name) if is_known else name.removeprefix(".")
        if found is not None:
            return found.removeprefix(".")
    return None


class _Shop:
    """One journal partition in memory, and the messages and decisions that it made."""

    def __init__(self, settings: DomainSettings, since_ms: int) -> None:
        self._partition = Partition(settings)
        self.now_ms = 0
        self.triggers: list[Trigger] = []
        self.decisions: list[Decision] = []
        self.refused: list[Refused] = []
        self._take(self._partition.configure())
        self._take(self._partition.begin(since_ms))

    def send(self, touchpoint: Touchpoint) -> None:
        if key_of(touchpoint) is not None:
            self._take(self._partition.send(touchpoint))

    def pass_time(self, until_ms: int) -> None:
        self.now_ms = until_ms
        self._take(self._partition.pass_time(until_ms))

    def _take(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Refused):
                self.refused.append(outcome)
                continue
            records = [record for _, record in outcome.effects.outputs]
            self.triggers += [record for record in records if isinstance(record, Trigger)]
            taken_back = {record.trigger_id for record in records if isinstance(record, Revocation)}
            self.triggers = [trigger for trigger in self.triggers if trigger.trigger_id not in taken_back]
            self.decisions += [record for record in records if isinstance(record, Decision)]
