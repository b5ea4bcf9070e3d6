from dataclasses import dataclass

from wraner.waiting import Waiting


@dataclass(frozen=True)
class Job:
    name: str
    adapter: str = ""
    tokens: int = 1

    def abandoned(self) -> bool:
        return self.name.isupper()


def names(jobs: list[Job]) -> str:
    return "".join(job.name for job in jobs)


def test_calls_take_turns() -> None:
    waiting: Waiting[Job] = Waiting()
    waiting.add(map(Job, "abcd"))
    waiting.add(map(Job, "xy"))
    waiting.add([])
    assert sum(waiting.loads()) == 6
    assert names(waiting.take("", most=3, fits=lambda _: True)) == "axb"
    assert names(waiting.take("", most=9, fits=lambda _: True)) == "ycd"
    assert not waiting and sum(waiting.loads()) == 0


def test_each_call_has_a_load_of_its_own() -> None:
    waiting: Waiting[Job] = Waiting()
    waiting.add(map(Job, "abcdefghi"))
    waiting.add([Job("x", tokens=2)])
    assert waiting.loads() == [9, 2]
    waiting.take("", most=14, fits=lambda _: True)
    assert waiting.loads() == []


def test_what_does_not_fit_waits_on_at_the_front() -> None:
    waiting: Waiting[Job] = Waiting()
    waiting.add([Job("a"), Job("b", tokens=5), Job("c")])
    assert names(waiting.take("", most=9, fits=lambda job: job.tokens < 5)) == "a"
    assert names(waiting.take("", most=9, fits=lambda _: True)) == "bc"


def test_other_adapters_keep_their_places() -> None:
    waiting: Waiting[Job] = Waiting()
    waiting.add([Job("a", "one")])
    waiting.add([Job("b", "two"), Job("c", "two")])
    waiting.add([Job("d", "one")])
    assert waiting.adapters() == ["one", "two"]
    assert names(waiting.take("two", most=1, fits=lambda _: True)) == "b"
    assert names(waiting.take("one", most=9, fits=lambda _: True)) == "ad"
    assert names(waiting.clear()) == "c"
    assert not waiting


def test_what_nobody_waits_for_is_taken_out() -> None:
    waiting: Waiting[Job] = Waiting()
    waiting.add(map(Job, "aBC"))
    waiting.add(map(Job, "D"))
    assert names(waiting.take_abandoned()) == "BCD"
    assert sum(waiting.loads()) == 1
    assert names(waiting.take("", most=9, fits=lambda _: True)) == "a"
    assert waiting.take_abandoned() == []
