"""The exits of a call of an asynchronous client, and of its loop."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import trio

from tests.conformance.clients import MESSAGES
from tests.conformance.program import SOON_S, Program
from tests.conformance.rows_sync import text_of


async def read(program: Program, stream: Any) -> None:
    """Read until it is enough."""
    while not program.got(await anext(stream)):
        pass


def answer(program: Program, model: str) -> Any:
    """Ask without a stream: what is to be awaited."""
    return program.column.ask(program.client, model, stream=False)


async def answered(program: Program) -> None:
    program.got(await answer(program, "answers"))


async def failed(program: Program) -> None:
    await answer(program, "fails")


async def hung(program: Program) -> None:
    await answer(program, "hangs")


async def exhausted(program: Program, model: str = "streams") -> None:
    async for chunk in await program.aask(model):
        program.got(chunk)


cut = functools.partial(exhausted, model="breaks")
stopped = functools.partial(exhausted, model="stops")


async def left(program: Program) -> None:
    async with program.column.block(await program.aask()) as stream:
        async for chunk in stream:
            if program.got(chunk):
                break


async def dropped(program: Program) -> None:
    async for chunk in await program.aask():
        if program.got(chunk):
            break


async def never_read(program: Program) -> None:
    await program.aask()


async def closed(program: Program) -> None:
    stream = await program.aask()
    await read(program, stream)
    await program.column.close(stream)


async def raised_in_with(program: Program) -> None:
    async with program.column.block(await program.aask()) as stream:
        async for chunk in stream:
            if program.got(chunk):
                raise program.own


async def raised_in_loop(program: Program) -> None:
    async for chunk in await program.aask():
        if program.got(chunk):
            raise program.own


async def own_generator(program: Program) -> None:
    async def chunks():
        async with program.column.block(await program.aask()) as stream:
            async for chunk in stream:
                yield chunk

    generator = chunks()
    async for chunk in generator:
        if program.got(chunk):
            break
    await generator.aclose()


async def cancelled_answer(program: Program) -> None:
    hanging = program.server.hanging
    work = answer(program, "hangs")
    await cancelled(program, work, lambda: program.server.hanging > hanging)


async def cancelled_chunk(program: Program) -> None:
    stream = await program.aask()

    async def consume() -> None:
        async for chunk in stream:
            program.got(chunk)

    await cancelled(program, consume(), lambda: len(program.texts) == 2)


async def cancelled(program: Program, work: Any, is_time: Callable[[], bool]) -> None:
    """Cancel it in its own task when it is time; its exception passes on."""
    task = asyncio.ensure_future(work)
    await asyncio.to_thread(program.wait, is_time)
    task.cancel()
    await task


async def waited_for(program: Program) -> None:
    stream = await program.aask()
    await read(program, stream)
    await asyncio.wait_for(anext(stream), SOON_S)


async def timed_block(program: Program) -> None:
    stream = await program.aask()
    async with asyncio.timeout(None) as scope:
        await read(program, stream)
        scope.reschedule(asyncio.get_running_loop().time() + SOON_S)
        await anext(stream)


async def trio_scope(program: Program) -> None:
    stream = await program.aask()
    with trio.CancelScope() as scope:
        await read(program, stream)
        scope.deadline = trio.current_time() + SOON_S
        await anext(stream)


async def anyio_scope(program: Program) -> None:
    stream = await program.aask()
    with anyio.CancelScope() as scope:
        await read(program, stream)
        scope.deadline = anyio.current_time() + SOON_S
        await anext(stream)


async def interrupted_answer(program: Program) -> None:
    program.interrupt()
    await answer(program, "hangs")


async def interrupted_chunk(program: Program) -> None:
    stream = await program.aask()
    await read(program, stream)
    program.interrupt()
    await anext(stream)


async def closed_elsewhere(program: Program) -> None:
    stream = await program.aask()
    await read(program, stream)
    await asyncio.create_task(in_task(lambda: program.column.close(stream)))


async def read_elsewhere(program: Program) -> None:
    stream = await program.aask("streams")

    async def exhaust() -> None:
        async for chunk in stream:
            program.got(chunk)

    await asyncio.create_task(exhaust())


async def in_task(work: Callable[[], Awaitable[Any]]) -> None:
    await work()


async def opened(program: Program) -> Any:
    stream = await program.aask()
    await read(program, stream)
    return stream


def closed_in_another_loop(program: Program) -> None:
    with asyncio.Runner() as first, asyncio.Runner() as second:
        stream = first.run(opened(program))
        second.run(in_task(lambda: program.column.close(stream)))


def loop_ended(program: Program) -> None:
    stream = asyncio.run(opened(program))
    program.look("after the loop")
    del stream


async def helper(program: Program) -> None:
    given = {"model": "stalls", "messages": list(MESSAGES)}
    async with program.client.chat.completions.stream(**given) as stream:
        program.keep(stream)
        async for event in stream:
            if event.type == "chunk" and program.got(event.chunk):
                break


async def streaming_half_read(program: Program) -> None:
    views = program.client.chat.completions.with_streaming_response
    given = {"model": "stalls", "messages": list(MESSAGES), "stream": True}
    async with views.create(**given) as response:
        program.keep(response)
        async for line in response.iter_lines():
            if line and program.got_text(text_of(line)):
                break


async def streaming_unread(program: Program) -> None:
    views = program.client.chat.completions.with_streaming_response
    given = {"model": "stalls", "messages": list(MESSAGES), "stream": True}
    async with views.create(**given) as response:
        program.keep(response)


async def raw_parsed(program: Program) -> None:
    views = program.client.chat.completions.with_raw_response
    raw = await views.create(model="stalls", messages=list(MESSAGES), stream=True)
    async with program.keep(raw).parse() as stream:
        program.keep(stream)
        async for chunk in stream:
            if program.got(chunk):
                break
