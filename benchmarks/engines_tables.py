"""The figures of `benchmarks.engines` as Markdown tables. Knows no engine."""

import math
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

OWN = "wraner"
VOTES = "wraner, votes alone"
PLAIN = "transformers"
LLAMA = "llama.cpp"
GLINER = "GLiNER, random weights"
SHORTLIST, EXHAUSTIVE = "shortlist", "exhaustive"
_LEFT_OUT = {LLAMA: "--llama", GLINER: "--gliner"}


class Cell(NamedTuple):
    """What a figure is of; `at_once` is the concurrency, or the number of policies."""

    table: str
    engine: str
    what: str
    at_once: int


Figures = dict[Cell, list[float]]


def report(
    figures: Mapping[Cell, Sequence[float]], versions: Sequence[str], *, threads: int
) -> str:
    """Return all tables; a figure is the median of its rounds."""
    found = {cell: statistics.median(values) for cell, values in figures.items()}
    kinds = len({cell.table for cell in found})
    assert kinds, "expected figures of at least one round, was: none"
    rounds = max(map(len, figures.values()))
    parts = [
        f"{'; '.join(versions)}; {threads} threads on {os.cpu_count()} cores; "
        f"medians of {rounds} interleaved rounds.",
        _extraction(found),
        _raw(found),
        _moderation(found),
        _policies(found),
    ]
    return "\n\n".join(parts)


def _extraction(found: Mapping[Cell, float]) -> str:
    given = {c.what: value for c, value in found.items() if c.table == "set"}
    cold = found[Cell("cold", OWN, "texts/s", 1)]
    return "\n".join(
        [
            f"Extraction: customer-care's test messages, mean {given['words']:.0f} words; 10 "
            f"types and 5 examples make {given['prompt tokens']:.0f} tokens of prompt, the answer "
            f"has {given['answer tokens']:.0f}. With WRANER_VOTES_ALONE the language model is not "
            "asked; below that, as served, it answers beside the votes, adapter, retrieval and "
            f"grammar included (its first, cold pass, uncounted: {cold:.2f} texts/s). The others "
            "get some of the messages, other ones each round. The language models get wraner's "
            "very prompts and write greedily, without a grammar, as many tokens as its answer has: "
            "transformers keeps nothing from prompt to prompt, pads a batch on the left and writes "
            "as much as its longest answer; llama.cpp keeps the longest common beginning and "
            "grows 8 sequences side by side. GLiNER gets texts and labels and names spans from a "
            "score of .99 on.",
            "",
            "| engine | texts/s, 1 at once | p50 s | texts/s, 8 at once | p50 s "
            "| wraner is faster by, 1 / 8 | votes alone |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {name} | {_at(found, 'extraction', name, 'texts/s', 1)} "
                f"| {_at(found, 'extraction', name, 'p50 s', 1)} "
                f"| {_at(found, 'extraction', name, 'texts/s', 8)} "
                f"| {_at(found, 'extraction', name, 'p50 s', 8)} "
                f"| {_ahead(found, 'extraction', name, 'texts/s')} "
                f"| {_ahead(found, 'extraction', name, 'texts/s', VOTES)} |"
                for name in _present(found, "extraction")
            ),
            *_missing(found, "extraction", (LLAMA, GLINER)),
        ]
    )


def _raw(found: Mapping[Cell, float]) -> str:
    return "\n".join(
        [
            "Raw speed, tokens/s. Prefill: prompts never seen. Decode: writing less reading the "
            "same prompts; wraner's on the prompts above, as served (grammar, drafts), the "
            "others' behind 64 tokens.",
            "",
            "| engine | prefill, 1 at once | 8 | decode, 1 at once | 8 |",
            "|---|---|---|---|---|",
            *(
                f"| {name} | "
                + " | ".join(
                    _at(found, "raw", name, what, at, digits=0)
                    for what in ("prefill", "decode")
                    for at in (1, 8)
                )
                + " |"
                for name in _present(found, "raw")
            ),
            *_missing(found, "raw", (LLAMA,)),
        ]
    )


def _moderation(found: Mapping[Cell, float]) -> str:
    return "\n".join(
        [
            "Moderation, texts/s by hate-speech's 41 policies, texts at once for wraner, prompts "
            "in a batch for the others. Theirs are scaled from some of a text's prompts.",
            "",
            "| engine | shortlist of 5, 1 at once | 8 | wraner is faster by, 1 / 8 "
            "| all 41, 1 at once | 8 | wraner is faster by, 1 / 8 |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {name} | "
                + " | ".join(
                    f"{_at(found, 'moderation', name, what, 1)} "
                    f"| {_at(found, 'moderation', name, what, 8)} "
                    f"| {_ahead(found, 'moderation', name, what)}"
                    for what in (SHORTLIST, EXHAUSTIVE)
                )
                + " |"
                for name in _present(found, "moderation")
            ),
            *_missing(found, "moderation", (LLAMA,)),
        ]
    )


def _policies(found: Mapping[Cell, float]) -> str:
    counts = sorted({c.at_once for c in found if c.table == "policies"})
    rows = []
    for count in counts:
        figures = [
            _at(found, "policies", mode, what, count, digits=0)
            for mode in (SHORTLIST, EXHAUSTIVE)
            for what in ("ms a text", "ms a judgement")
        ]
        held = _at(found, "policies", "", "MiB of prefixes", count, digits=0)
        limit = _at(found, "policies", "", "MiB of cache", count, digits=0)
        rows.append(f"| {count} | {' | '.join(figures)} | {held} of {limit} |")
    return "\n".join(
        [
            "wraner's moderation as policies grow, one text at a time, prefixes warm as far as "
            "they fit; policies beyond 41 repeat those for invented groups by number. Above 100, "
            "`all` is scaled from a part of them, never the same twice: what does not fit the "
            "cache is computed anew. MiB of prefixes are calculated, examples come on top.",
            "",
            "| policies | shortlist: ms a text | ms a judgement | all: ms a text "
            "| ms a judgement | MiB of prefixes, of the cache's |",
            "|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _at(
    found: Mapping[Cell, float],
    table: str,
    engine: str,
    what: str,
    at_once: int,
    *,
    digits: int = 2,
) -> str:
    figure = found[Cell(table, engine, what, at_once)]
    return "lost in noise" if math.isnan(figure) else f"{figure:.{digits}f}"


def _ahead(found: Mapping[Cell, float], table: str, engine: str, what: str, own: str = OWN) -> str:
    if engine in (OWN, VOTES):
        return ""
    ratios = (
        found[Cell(table, own, what, at_once)] / found[Cell(table, engine, what, at_once)]
        for at_once in (1, 8)
    )
    return " / ".join(f"{ratio:.1f}" for ratio in ratios)


def _present(found: Mapping[Cell, float], table: str) -> list[str]:
    return list(dict.fromkeys(c.engine for c in found if c.table == table))


def _missing(found: Mapping[Cell, float], table: str, rivals: Sequence[str]) -> list[str]:
    absent = [name for name in rivals if name not in _present(found, table)]
    if not absent:
        return []
    return ["", *(f"Left out: {name}, for want of {_LEFT_OUT[name]} PYTHON." for name in absent)]
