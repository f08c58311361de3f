"""What flows would have sent by a journal, beside what a worker has sent."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from schemas.outputs import Decision, Trigger
from schemas.wire import SINGLE_OBJECT
from streams.offline.backtest import backtest
from streams.offline.sendings import Sendings
from streams.offline.trial import Past, Trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from streams.offline.journal import Journal
    from tests.support.running import Place

FOR_EVER_MS = 1 << 62

Said = dict[str, list[Trigger | Decision]]


class Foretold(Sendings):
    """Keeps what it hears."""

    def __init__(self) -> None:
        super().__init__(0, FOR_EVER_MS)
        self.said: Said = defaultdict(list)

    def take(self, outputs: Iterable[tuple[str, Any]]) -> None:
        heard = list(outputs)
        super().take(heard)
        for customer, output in heard:
            if isinstance(output, Trigger | Decision):
                self.said[customer].append(output)


def foretold(journal: Journal, flows: Sequence[Mapping[str, Any]]) -> Said:
    found = Foretold()
    backtest(Past(journal, SINGLE_OBJECT), Trial(tuple(flows), 0, FOR_EVER_MS, is_alone=True), found)
    return found.said


def emitted(place: Place, kind: type[Trigger | Decision]) -> Said:
    found: Said = defaultdict(list)
    for customer, record in place.keyed({Trigger: "triggers", Decision: "decisions"}[kind], kind):
        found[customer].append(record)
    return found


def of_kind(said: Said, kind: type[Trigger | Decision]) -> Said:
    chosen = {customer: [each for each in own if isinstance(each, kind)] for customer, own in said.items()}
    return {customer: own for customer, own in chosen.items() if own}
