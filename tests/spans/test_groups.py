"""Exceptions in groups, as nurseries and task groups raise them."""

from __future__ import annotations

import pytest
import trio


def test_a_group_of_cancellations_is_one(tracer):
    async def waits():
        with tracer.span("waits"):
            await trio.sleep_forever()

    async def main():
        with trio.move_on_after(0.01), tracer.span("nursery"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(waits)
                nursery.start_soon(waits)

    trio.run(main)
    assert {record.status for record in tracer.finished()} == {"CANCELLED"}


def test_a_group_with_an_error_is_an_error(tracer):
    with pytest.raises(BaseExceptionGroup), tracer.span("mixed"):
        raise BaseExceptionGroup("mixed", [KeyboardInterrupt(), ValueError()])
    [record] = tracer.finished()
    assert record.status == "ERROR"
