"""The exits of a call of a synchronous client."""

from __future__ import annotations

import json
import threading
from typing import Any

from tests.conformance.clients import MESSAGES
from tests.conformance.program import Program


def read(program: Program, stream: Any) -> None:
    """Read until it is enough."""
    while not program.got(next(stream)):
        pass


def answered(program: Program) -> None:
    program.got(program.column.ask(program.client, "answers", stream=False))


def failed(program: Program) -> None:
    program.column.ask(program.client, "fails", stream=False)


def timed_out(program: Program) -> None:
    program.column.ask(program.client, "hangs", stream=False)


def exhausted(program: Program) -> None:
    for chunk in program.ask("streams"):
        program.got(chunk)


def cut(program: Program) -> None:
    for chunk in program.ask("breaks"):
        program.got(chunk)


def stopped(program: Program) -> None:
    for chunk in program.ask("stops"):
        program.got(chunk)


def left(program: Program) -> None:
    with program.column.block(program.ask()) as stream:
        for chunk in stream:
            if program.got(chunk):
                break


def dropped(program: Program) -> None:
    for chunk in program.ask():
        if program.got(chunk):
            break


def never_read(program: Program) -> None:
    program.ask()


def closed(program: Program) -> None:
    stream = program.ask()
    read(program, stream)
    program.column.close(stream)


def raised_in_with(program: Program) -> None:
    with program.column.block(program.ask()) as stream:
        for chunk in stream:
            if program.got(chunk):
                raise program.own


def raised_in_loop(program: Program) -> None:
    for chunk in program.ask():
        if program.got(chunk):
            raise program.own


def own_generator(program: Program) -> None:
    def chunks():
        with program.column.block(program.ask()) as stream:
            yield from stream

    generator = chunks()
    for chunk in generator:
        if program.got(chunk):
            break
    generator.close()


def interrupted_answer(program: Program) -> None:
    program.interrupt()
    program.column.ask(program.client, "hangs", stream=False)


def interrupted_chunk(program: Program) -> None:
    stream = program.ask()
    read(program, stream)
    program.interrupt()
    next(stream)


def closed_elsewhere(program: Program) -> None:
    stream = program.ask()
    read(program, stream)
    in_thread(program, lambda: program.column.close(stream))


def read_elsewhere(program: Program) -> None:
    stream = program.ask("streams")

    def exhaust() -> None:
        for chunk in stream:
            program.got(chunk)

    in_thread(program, exhaust)


def in_thread(program: Program, work: Any) -> None:
    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  compared with the bare client's
            program.saw(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()


def helper(program: Program) -> None:
    given = {"model": "stalls", "messages": list(MESSAGES)}
    with program.client.chat.completions.stream(**given) as stream:
        program.keep(stream)
        for event in stream:
            if event.type == "chunk" and program.got(event.chunk):
                break


def streaming_half_read(program: Program) -> None:
    views = program.client.chat.completions.with_streaming_response
    given = {"model": "stalls", "messages": list(MESSAGES), "stream": True}
    with views.create(**given) as response:
        program.keep(response)
        for line in response.iter_lines():
            if line and program.got_text(text_of(line)):
                break


def streaming_unread(program: Program) -> None:
    views = program.client.chat.completions.with_streaming_response
    given = {"model": "stalls", "messages": list(MESSAGES), "stream": True}
    with views.create(**given) as response:
        program.keep(response)


def raw_parsed(program: Program) -> None:
    views = program.client.chat.completions.with_raw_response
    raw = views.create(model="stalls", messages=list(MESSAGES), stream=True)
    with program.keep(raw).parse() as stream:
        program.keep(stream)
        for chunk in stream:
            if program.got(chunk):
                break


def text_of(line: str) -> str:
    """The text in a line as the server sent it."""
    return json.loads(line.removeprefix("data: "))["choices"][0]["delta"]["content"]
