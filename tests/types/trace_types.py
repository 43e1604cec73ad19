"""What a type checker sees of a traced function: the function's own type. Checked, not run."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from typing import TypeVar, assert_type, overload

from ollamatrace import Tracer, trace

T = TypeVar("T")
tracer = Tracer("console:")


@trace
def plain(a: int, b: str = "x", *, c: bool = False) -> float:
    return a


@trace(name="later", kind="TOOL")
async def later(a: int) -> str:
    return str(a)


@tracer.trace
def items(count: int) -> Generator[int, str, bytes]:
    got = yield count
    return got.encode()


@tracer.trace(kind="AGENT")
async def stream(count: int) -> AsyncIterator[int]:
    yield count


@trace()
async def talk() -> AsyncGenerator[int, str]:
    await later(len((yield 1)))


@trace
def same(value: T) -> T:
    return value


@overload
def either(value: int) -> int: ...
@overload
def either(value: str) -> str: ...
@trace
def either(value: int | str) -> int | str:
    return value


class Things:
    @trace
    def method(self, a: int) -> "Things":
        return self if a else Things()

    @classmethod
    @trace(kind="CHAIN")
    def made(cls, a: int) -> "Things":
        return cls() if a else Things()

    @trace
    @staticmethod
    def static(a: int) -> int:
        return a

    @property
    @trace
    def size(self) -> int:
        return 1

    @trace
    async def asked(self, question: str) -> str:
        return question


async def used() -> None:
    assert_type(plain(1, b="y", c=True), float)
    plain("1")  # type: ignore[arg-type]
    plain(1, d=2)  # type: ignore[call-arg]
    assert_type(await later(a=1), str)
    assert_type(items(1), Generator[int, str, bytes])
    assert_type(stream(1), AsyncIterator[int])
    assert_type(talk(), AsyncGenerator[int, str])
    assert_type(same(1.5), float)
    assert_type(either("x"), str)
    things = Things()
    assert_type(things.method(a=1), Things)
    assert_type(Things.made(1), Things)
    assert_type(Things.static(1), int)
    assert_type(things.size, int)
    assert_type(await things.asked("why?"), str)
    things.method("1")  # type: ignore[arg-type]
    function: Callable[[int], str] = trace(str)
    assert_type(function(1), str)


trace("name")  # what is no function is found when it runs
trace(nam="x")  # type: ignore[call-overload]
trace(kind=5)  # type: ignore[call-overload]
