"""What a customer's record holds is shown as it is, whatever it would mean to a terminal."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import msgspec
import pytest

from schemas.outputs import Decision, ProfileView, Trigger, TriggerProduct
from streams.operations.explain import Explanation
from tests.support.commands import run

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = ("a:[/bold]", "a:[link=x]y", "a:\x1b]0;title\x07", "a:\x9b2J", "a:\u202egnp", "a:\nRFM: champion")


@pytest.fixture
def explained(monkeypatch: pytest.MonkeyPatch) -> Callable[[Explanation], str]:
    def command(explanation: Explanation) -> str:
        monkeypatch.setattr("streams.cli.shared.ready_settings", lambda *_: nullcontext())
        monkeypatch.setattr("streams.cli.shared.registry_errors", lambda *_: ())
        monkeypatch.setattr("streams.operations.prefix.open_prefix", lambda *_: None)
        monkeypatch.setattr("streams.operations.explain.explain", lambda *_: explanation)
        done = run("explain", "u:1")
        assert done.exit_code == 0, done.output
        return done.stdout

    return command


def test_a_merged_user_is_shown_with_the_survivor(explained: Callable[[Explanation], str]) -> None:
    gone = Explanation("u:2", None, True, "u:1", (), (), (), (), ())  # noqa: FBT003 - in the order of the fields
    assert "merged into u:1, see there" in explained(gone)
    assert "merged into another customer's" in explained(msgspec.structs.replace(gone, survivor=None))


@pytest.mark.parametrize("text", HOSTILE)
def test_ids_and_reasons_move_nothing_on_the_screen(explained: Callable[[Explanation], str], text: str) -> None:
    view = ProfileView(text, "new", 1, 1, 1, "", 0, 1, 1, text, -1, "", consent={text: True}, devices=(text, text))
    trigger = Trigger("t", text, text, "f", 1, "a", "s", 0, 0, 0, text, products=(TriggerProduct(text, 1, 1),))
    decision = Decision("c", text, "f", 1, "s", "a", "sent", True, text, "e", 0, {"cart": text})  # noqa: FBT003 - in the order of the schema
    shown = explained(Explanation(text, view, False, None, (text,), (), (decision,), (trigger,), ()))  # noqa: FBT003 - as above
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert shown.count(text.encode("unicode_escape").decode()) >= 6
