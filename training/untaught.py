"""Policy sets that a judge and its encoder were never taught, to fit how far to trust them there.

House rules of other kinds than the taught policies, written for this project, what is forbidden
apart from what alone is allowed; and some of the taught policies, for a judge and an encoder that
were trained without them. Each set is asked about twice: with its examples, and by its words alone.
Knows no model.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.judge_answers import Asked, Judge, ask, by_words_alone
from training.judged_texts import JudgedSettings, TaughtText, read_judged_texts
from training.moderation_rows import same_text
from wraner.errors import InvalidInput
from wraner.pack_folders import read_examples, read_pack_folder
from wraner.packs import JudgedExample, PolicySet

_EXAMPLES = 3  # of each policy that was left out
_STRANGERS = 40  # texts of another kind that house rules are asked about
_HOUSE_RULES = Path(__file__).with_name("house_rules")
_ALLOW_LISTS = Path(__file__).with_name("allow_lists")


@dataclass(frozen=True, slots=True)
class NewSet:
    """A policy set with a few examples, and texts to ask about it."""

    pack: PolicySet
    texts: tuple[TaughtText, ...]


def house_rules(breaching: Sequence[TaughtText]) -> dict[str, NewSet]:
    """Read the house rules that ship; asked is also of texts that breach what a judge was taught.

    These keep such rules: a judge shall not take a breach of something else for one of theirs.
    """
    found = {}
    for name, new in _sets(_HOUSE_RULES).items():
        texts = _strangers(name, breaching)
        found[name] = _beside(new, [JudgedExample(text=t, complies="all") for t in texts])
    return found


def allow_lists(breaching: Sequence[TaughtText]) -> dict[str, NewSet]:
    """Read the sets that name what alone is allowed, which other sets' breaches breach too."""
    found = {}
    for name, new in _sets(_ALLOW_LISTS).items():
        ids, texts = tuple(p.id for p in new.pack.policies), _strangers(name, breaching)
        found[name] = _beside(new, [JudgedExample(text=t, violates=ids) for t in texts])
    return found


def _sets(folder: Path) -> dict[str, NewSet]:
    return {place.name: read_new_set(place) for place in sorted(folder.iterdir())}


def _strangers(name: str, breaching: Sequence[TaughtText]) -> list[str]:
    """Return a set's own, so that what is fitted to other sets has met few of them."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
    drawn = np.random.default_rng(seed).permutation(len(breaching))[:_STRANGERS]
    return [breaching[i].example.text for i in sorted(drawn)]


def _beside(new: NewSet, others: Sequence[JudgedExample]) -> NewSet:
    """Return a set with these texts to ask about beside its own."""
    return replace(new, texts=(*new.texts, *(TaughtText(e, e.violates, 1.0) for e in others)))


def read_new_set(folder: Path) -> NewSet:
    """Read a pack folder whose `test.jsonl` holds the texts to ask about.

    Raises:
        InvalidInput: it is no policy set, or cannot be read.
    """
    pack = read_pack_folder(folder)
    if not isinstance(pack, PolicySet):
        raise InvalidInput(f"expected a policy set in {folder}, was: a domain")
    found = read_examples(folder / "test.jsonl", pack)
    texts = [e for e in found if isinstance(e, JudgedExample)]
    return NewSet(pack, tuple(TaughtText(e, e.violates, 1.0) for e in texts))


def left_out(settings: JudgedSettings, data: Path) -> dict[str, NewSet]:
    """Return the policies that a training left out, in two sets of other examples.

    Either those of the taught set's own that are about them; or three of the texts that were
    collected for each, beside the taught texts that breach nothing. Asked are the other texts that
    were collected for them alone.
    """
    whole = read_judged_texts(settings.model_copy(update={"without": (), "more": ()}), data)
    taught = read_judged_texts(settings, data).train
    known = {same_text(t.example.text) for t in taught}
    gone = frozenset(settings.without)
    texts = [
        t.among(gone)
        for t in (*whole.train, *whole.dev)
        if not gone.isdisjoint(t.near) and same_text(t.example.text) not in known
    ]
    policies = tuple(p for p in whole.policies if p.id in gone)
    own = [t.among(gone) for t in whole.own if not gone.isdisjoint(t.near)]
    shown = _few_of_each(texts, [p.id for p in policies])
    clean = [t for t in taught if not t.breaches]

    def asked(examples: Sequence[TaughtText]) -> NewSet:
        pack = PolicySet(
            description=whole.description,
            policies=policies,
            examples=tuple(t.example for t in examples),
        )
        return NewSet(pack, tuple(t for t in texts if t not in examples))

    return {"eight like the taught ones": asked(own), "three texts each": asked([*shown, *clean])}


def _few_of_each(texts: Sequence[TaughtText], policies: Sequence[str]) -> list[TaughtText]:
    """Return some texts that breach each policy, the same every time."""
    rng = np.random.default_rng(0)
    found: list[TaughtText] = []
    for policy in policies:
        breaching = [t for t in texts if policy in t.example.violates and t not in found]
        found += [breaching[i] for i in rng.permutation(len(breaching))[:_EXAMPLES]]
    return found


async def ask_new_set(judge: Judge, new: NewSet) -> tuple[list[Asked], list[Asked]]:
    """Ask about all of a set's policies, with its examples and by its words; sets weigh alike."""
    texts = [replace(t, weight=1 / len(new.texts)) for t in new.texts]
    asked = await ask(replace(judge, exhaustive=1), new.pack, texts)
    return asked, await by_words_alone(judge, new.pack, asked)
