"""How a comparison asks an engine that lives in a process, and perhaps an environment, of its own.

One JSON line asks, one answers; an engine waits without computing until it is asked. Uses nothing
but the standard library, so that every environment can run it. Knows no model.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

ROOT = Path(__file__).parents[2]


class Task(NamedTuple):
    """A prompt as token ids, and how many tokens of answer to write (0: only read it)."""

    ids: tuple[int, ...]
    answer_tokens: int


class Asked(Protocol):
    """Whoever can be asked."""

    def ask(self, verb: str, **given: Any) -> Any:
        """Do `verb`; return what JSON can say."""
        ...


class Rival:
    """An engine in a process of its own; use it as a context manager."""

    def __init__(self, python: str, module: str, *given: str, environment: Mapping[str, str]):
        """Start `module` with the interpreter `python`; it loads its model meanwhile."""
        self._module = module
        self._process = subprocess.Popen(
            [python, "-m", module, *given],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Rival":
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def ask(self, verb: str, **given: Any) -> Any:
        """Let the engine do `verb`; return what it answers, as JSON gives it.

        Raises:
            SystemExit: the process ended instead; its own words stand above on stderr.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([verb, given]), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._module} ended while it was asked to {verb!r}; see above")
        return json.loads(line)


def serve(verbs: Mapping[str, Callable[..., Any]]) -> None:
    """Answer the questions on standard input until it ends; `verbs` do what is asked."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print goes aside
    for line in sys.stdin:
        verb, given = json.loads(line)
        print(json.dumps(verbs[verb](**given)), file=answers, flush=True)


def timed_batches(
    work: Callable[[list[list[int]], list[int]], Any],
) -> Callable[[list[tuple[list[int], int]], int], list[float]]:
    """Return the verb that does tasks in batches and returns each batch's seconds.

    `work` takes prompts and how many tokens to write behind each.
    """

    def timed(tasks: list[tuple[list[int], int]], at_once: int) -> list[float]:
        took = []
        for batch in in_batches(tasks, at_once):
            began = time.perf_counter()
            work([ids for ids, _ in batch], [count for _, count in batch])
            took.append(time.perf_counter() - began)
        return took

    return timed


def in_batches(tasks: Sequence[Any], at_once: int) -> list[Sequence[Any]]:
    """Cut `tasks` into batches of `at_once`, the last one perhaps smaller."""
    return [tasks[at : at + at_once] for at in range(0, len(tasks), at_once)]


def begin_alike(first: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two prompts have in common at their beginning."""
    pairs = enumerate(zip(first, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(other)))
