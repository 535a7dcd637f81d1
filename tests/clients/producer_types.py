"""Read by mypy, never executed: what a line is to be is at its end."""

import dataclasses
from typing import Any

import asyncpg  # type: ignore[import]
import psycopg

import dormouse


@dataclasses.dataclass
class Picture:
    file: str


@dormouse.task
def thumbnail(picture: Picture) -> str:
    return picture.file


@dormouse.task("resize", queue="images")
async def resize(picture: Picture, run: dormouse.Run) -> int:
    run.progress(0.5, "half")
    if run.cancelled:
        raise dormouse.Retry("later", in_=30)
    return run.attempt


@dormouse.task
def sweep() -> None:
    dormouse.serve(concurrency=2)


def plain(conn: psycopg.Connection[Any]) -> None:
    reveal_type(dormouse.enqueue(conn, "a", 1, delay=1.5))  # uuid.UUID
    reveal_type(dormouse.enqueue_many(conn, "a", [1]))  # builtins.list[uuid.UUID]
    reveal_type(dormouse.result(conn, "a"))  # Union[dormouse._enqueue.Result, None]
    reveal_type(dormouse.cancel(conn, "a").done)  # builtins.bool
    reveal_type(dormouse.enqueued(conn))  # builtins.list[dormouse._testing.Enqueued]
    reveal_type(thumbnail(Picture("a")))  # builtins.str
    thumbnail.enqueue(conn, Picture("a"), key="k")
    thumbnail.enqueue_many(conn, [Picture("a")])
    resize.enqueue(conn, Picture("a"))
    sweep.enqueue(conn)
    thumbnail.enqueue(conn, 17)  # error: incompatible type "int"; expected "Picture"
    resize.enqueue(conn, "a.png")  # error: incompatible type "str"; expected "Picture"
    dormouse.enqueue(conn, "a", prioriti=1)  # error: No overload variant
    dormouse.enqueue(conn, "a", run_at="2031-03-01")  # error: No overload variant
    with dormouse.transaction(conn):
        pass


async def awaited(conn: psycopg.AsyncConnection[Any]) -> None:
    reveal_type(await dormouse.enqueue(conn, "a", 1))  # uuid.UUID
    reveal_type(await dormouse.wait(conn, "a", timeout=3))  # dormouse._enqueue.Result
    async with dormouse.transaction(conn):
        pass
