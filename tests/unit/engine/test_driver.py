"""What the engine asks of Faust."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from streams.engine.driver import batches, create_app
from streams.engine.inputs import Input, Processor
from streams.engine.settings import EngineSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_a_batch_waits_for_its_agent_while_faust_resumes_after_a_rebalance(tmp_path: Path) -> None:
    journal = Input("journal", cast("Processor", None))
    app = create_app("app", EngineSettings("127.0.0.1:1", "group", "id", tmp_path), [journal], web_port=6066)
    channel = batches(app, journal).clone(is_iterator=True)
    channel.queue.put_nowait("a batch")
    app.flow_control.resume()
    assert app.flow_control.is_active()
    assert channel.queue.get_nowait() == "a batch"
