"""The stream: order, bounded memory, and what is kept when it ends early."""

import asyncio
import gc
import io
import json
import random
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cli import stream
from cli.answering import Refused, answer_each
from cli.failures import Stopped
from cli.records import Records, encoded
from cli.stream import Pace, Tally
from cli.texts import Bad, Input, Place, Text
from wraner.client.problems import ApiError, NotWraner, error_of
from wraner.client.replies import Problem
from wraner.errors import WranerError


class Kept:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, text: Text, result: str) -> None:
        self.lines.append(result)

    def refuse(self, bad: Bad) -> None:
        self.lines.append(f"refused {bad.place.number}")


def numbered(count: int, bad: frozenset[int] = frozenset()) -> Iterator[Input]:
    for number in range(1, count + 1):
        place = Place(number, number)
        yield Bad(place, "bad") if number in bad else Text(place, str(number))


async def at_random(texts: Sequence[str]) -> list[str]:
    await asyncio.sleep(random.Random(texts[0]).random() / 100)
    return list(texts)


def run(inputs: Iterator[Input], answer: "stream.Answer[str]", sink: Kept, pace: Pace) -> Tally:
    return asyncio.run(stream.run(inputs, answer, sink, pace=pace, skip=0))


@pytest.mark.parametrize("calls", [1, 2, 7])
def test_results_come_in_order_though_calls_end_in_any(calls: int) -> None:
    sink = Kept()
    tally = run(numbered(200, frozenset({3, 50})), at_random, sink, Pace(texts=3, calls=calls))
    expected = [f"refused {n}" if n in (3, 50) else str(n) for n in range(1, 201)]
    assert sink.lines == expected
    assert (tally.line, tally.answered, tally.refused) == (200, 198, 2)


def test_no_more_calls_than_allowed_and_no_larger_ones() -> None:
    flying, most, sizes = 0, 0, []

    async def answer(texts: Sequence[str]) -> list[str]:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        sizes.append(sum(map(len, texts)))
        await asyncio.sleep(0.001)
        flying -= 1
        return list(texts)

    inputs = (Text(Place(n, n), "x" * (1 + n % 7)) for n in range(1, 100))
    run(inputs, answer, Kept(), Pace(texts=16, characters=10, calls=3))
    assert most == 3 and max(sizes) <= 10 and sum(sizes) == sum(1 + n % 7 for n in range(1, 100))


def test_100_thousand_lines_are_never_read_far_ahead_of_what_is_written() -> None:
    sink, ahead = Kept(), 0

    def inputs() -> Iterator[Input]:
        nonlocal ahead
        for one in numbered(100_000):
            ahead = max(ahead, one.place.number - len(sink.lines))
            yield one

    async def answer(texts: Sequence[str]) -> list[str]:
        await asyncio.sleep(0)
        return list(texts)

    tally = run(inputs(), answer, sink, Pace())
    assert tally.answered == 100_000
    assert ahead <= 16 * 2 * 8


def test_a_failure_midway_keeps_all_before_it() -> None:
    sink = Kept()

    async def answer(texts: Sequence[str]) -> list[str]:
        if "50" in texts:
            raise problem(503, "")
        await asyncio.sleep(0.01 if "41" in texts else 0)
        return list(texts)

    with pytest.raises(Stopped) as stopped:
        run(numbered(1000), answer, sink, Pace(texts=1))
    assert sink.lines == [str(n) for n in range(1, 50)]
    assert (stopped.value.line, stopped.value.done) == (49, 49)
    assert isinstance(stopped.value.cause, ApiError)


def test_calls_that_fail_together_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(texts: Sequence[str]) -> list[str]:
        await asyncio.sleep(0.01 if "1" in texts else 0)
        raise problem(503, "")

    with pytest.raises(Stopped):
        run(numbered(10), answer, Kept(), Pace(texts=1, calls=3))
    gc.collect()
    assert caplog.records == []


def test_input_that_breaks_ends_the_stream_after_what_came_before() -> None:
    def inputs() -> Iterator[Input]:
        yield from numbered(5)
        raise OSError(5, "Input/output error", "disk")

    sink = Kept()
    with pytest.raises(Stopped) as stopped:
        run(inputs(), at_random, sink, Pace(texts=2))
    assert sink.lines == ["1", "2", "3", "4", "5"] and isinstance(stopped.value.cause, OSError)


def test_a_sink_that_fails_leaves_no_call_behind() -> None:
    class Closed(Kept):
        def write(self, text: Text, result: str) -> None:
            raise BrokenPipeError

    async def work() -> int:
        with pytest.raises(BrokenPipeError):
            await stream.run(numbered(500), at_random, Closed(), pace=Pace(), skip=0)
        return len(asyncio.all_tasks())

    assert asyncio.run(work()) == 1


def problem(status: int, pointer: str) -> ApiError:
    return error_of(
        Problem(type="", title="", status=status, detail="why", pointer=pointer, request_id="")
    )


def test_refused_texts_are_singled_out() -> None:
    calls: list[tuple[str, ...]] = []

    async def call(texts: Sequence[str]) -> Sequence[str]:
        calls.append(tuple(texts))
        for number, text in enumerate(texts):
            if text == "long":
                raise problem(422, f"/text/{number}")
        return [text.upper() for text in texts]

    answered = asyncio.run(answer_each(["a", "long", "b", "long"], call))
    assert answered == ["A", Refused("why"), "B", Refused("why")]
    assert () not in calls


def test_a_text_that_is_too_large_by_itself_is_refused_alone() -> None:
    async def call(texts: Sequence[str]) -> Sequence[str]:
        if "huge" in texts:
            raise problem(413, "")
        return list(texts)

    answered = asyncio.run(answer_each(["a", "huge", "b"], call))
    assert answered == ["a", Refused("why"), "b"]


def test_records_are_written_whole_where_nothing_is_buffered() -> None:
    class Raw(io.RawIOBase):
        taken = b""

        def write(self, words: Any) -> int:
            self.taken += bytes(words[:7])
            return min(7, len(words))

    out = Raw()
    Records(out).put({"text": "a long text of many words"})
    assert json.loads(out.taken) == {"text": "a long text of many words"}


@pytest.mark.parametrize("mode", ["wb", "ab"])
def test_a_file_without_room_for_a_record_keeps_nothing_of_it(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "found.jsonl"
    before = b'{"text": "before"}\n' if mode == "ab" else b""
    path.write_bytes(before)
    first = encoded({"text": "first"})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with path.open(mode) as out:
        records = Records(out)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before + first) + 5, limits[1]))
        try:
            records.put({"text": "first"})
            with pytest.raises(OSError, match="large"):
                records.put({"text": "second"})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before + first


PROXY_LATE = NotWraner("why", status=504)


@pytest.mark.parametrize(
    ("error", "late"),
    [
        (problem(413, ""), False),
        (problem(504, ""), True),
        (problem(422, "/text"), False),
        (PROXY_LATE, True),
    ],
)
def test_calls_that_are_too_large_are_halved_and_late_ones_are_told(
    error: WranerError, late: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    async def call(texts: Sequence[str]) -> Sequence[str]:
        if len(texts) > 2:
            raise error
        return list(texts)

    assert asyncio.run(answer_each(list("abcdefg"), call)) == list("abcdefg")
    told = capsys.readouterr().err.splitlines()
    said = [f"wraner: {n} texts were not answered in time; asking about " for n in (7, 3, 4)]
    assert len(told) == (3 if late else 0)
    assert all(line.startswith(words) for line, words in zip(told, said, strict=False))


@pytest.mark.parametrize("error", [problem(504, ""), PROXY_LATE])
@pytest.mark.parametrize("late", [1, 2])
def test_a_text_that_is_late_by_itself_is_asked_about_again_and_then_refused(
    late: int, error: WranerError
) -> None:
    alone = 0

    async def call(texts: Sequence[str]) -> Sequence[str]:
        nonlocal alone
        alone += texts == ["slow"]
        if "slow" in texts and (len(texts) > 1 or alone <= late):
            raise error
        return list(texts)

    answered = asyncio.run(answer_each(["a", "b", "slow", "c"], call))
    assert answered == ["a", "b", "slow" if late == 1 else Refused("why"), "c"] and alone == 2


@pytest.mark.parametrize(
    "error",
    [
        problem(422, "/domain"),
        problem(404, ""),
        problem(503, ""),
        NotWraner("why", status=502),
        NotWraner("why"),
    ],
)
def test_what_is_no_texts_fault_is_raised(error: WranerError) -> None:
    calls = 0

    async def call(texts: Sequence[str]) -> Sequence[str]:
        nonlocal calls
        calls += 1
        raise error

    with pytest.raises(type(error)):
        asyncio.run(answer_each(["a", "b"], call))
    assert calls == 1
