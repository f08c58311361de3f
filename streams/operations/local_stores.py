"""Workers' local stores in a folder, opened without a change, and what their changelogs add."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from state.memory import MemoryStore
from state.rocksdb import RocksDBStore
from streams.fold.partition_state import JournalCodec
from streams.insights.state import InsightCodec
from streams.offline.stores import CHANGELOG, compare_store
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from state.codec import Codec
    from state.store import Store
    from streams.offline.stores import Changes, StoreReport
    from streams.operations.prefix import Prefix

_CHANGELOGS = {"journal": "profiles_changelog", "facts": "insights_changelog"}


class NoStores(Exception):
    """A folder has no stores of the prefix."""


class At(NamedTuple):
    """Where a store is, and of what."""

    path: str
    topic: str
    partition: int


class LocalStores:
    """The stores of a prefix below a folder, whichever worker's."""

    def __init__(self, prefix: Prefix, folder: Path) -> None:
        """Look for them; NoStores if there are none."""
        self._prefix = prefix
        topics = Topics(prefix.settings.prefix)
        self._places = [
            At(str(path.parent), topic, int(number))
            for topic in _CHANGELOGS
            for path in sorted(folder.rglob("CURRENT"))
            for name, _, number in [path.parent.name.rpartition("-")]
            if name == getattr(topics, topic) and number.isdecimal()
        ]
        if not self._places:
            raise NoStores(
                f"{folder} has no stores of prefix {prefix.settings.prefix}: name a worker's TOUCHSTREAM_STATE_DIR,"
                " or a folder with several"
            )

    def reports(self, partition: int, folded: MemoryStore) -> Iterator[StoreReport]:
        """Compare the journal's stores of a partition, and its changelog, with the state that the fold gives."""
        yield from self._reports("journal", partition, dict(folded.items()), JournalCodec())

    def insights(self) -> Iterator[StoreReport]:
        """Compare the stores of insights with their changelog."""
        last = dict(self._changes("facts", 0, 0))
        expected = {key: value for key, value in last.items() if value is not None}
        yield from self._reports("facts", 0, expected, InsightCodec())

    def _reports(
        self, topic: str, partition: int, expected: Mapping[bytes, bytes], codec: Codec[Any]
    ) -> Iterator[StoreReport]:
        for place in [*self._places, At(CHANGELOG, topic, partition)]:
            if (place.topic, place.partition) == (topic, partition):
                store: Store = (
                    MemoryStore() if place.path == CHANGELOG else RocksDBStore(Path(place.path), is_read_only=True)
                )
                try:
                    changes = self._changes(topic, partition, max(store.position, 0))
                    yield compare_store(place, store, changes, expected, codec)
                finally:
                    store.close()

    def _changes(self, topic: str, partition: int, start: int) -> Changes:
        messages = self._prefix.read(_CHANGELOGS[topic], partition, start)
        return [(message.key() or b"", message.value()) for message in messages]
