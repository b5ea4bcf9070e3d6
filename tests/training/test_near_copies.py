"""Near copies: what is bound together, and parts that no copy crosses."""

from collections import Counter

from training.near_copies import bound, parts

BAKERY = [
    "The bakery on the corner sells rye bread",
    "The bakery at the corner sells rye bread!",
    "the Bakery at the corner sold rye bread",
]
OTHERS = ["A storm is coming from the sea", "Nobody knows who painted it", "No, thanks", "", "!"]


def test_texts_with_a_word_turned_are_bound_and_no_others() -> None:
    groups = bound([*BAKERY, *OTHERS]).tolist()
    assert len(set(groups[:3])) == 1
    assert len(set(groups)) == 1 + len(OTHERS)


def test_copies_of_copies_are_bound() -> None:
    words = [f"{a}{b}{c}" for a in "ktmr" for b in "aeou" for c in "lnsx"]
    chain = [" ".join(words[i : i + 20]) for i in (0, 5, 10, 15, 20)]
    assert len(set(bound(chain).tolist())) == 1
    assert len(set(bound([chain[0], chain[-1]]).tolist())) == 2, "they share nothing themselves"


def test_parts_are_alike_in_size_and_kind_and_share_no_copies() -> None:
    texts = [t for t in OTHERS[:3] for _ in range(4)] + [f"{n * 7919:b}" * 3 for n in range(1, 25)]
    kinds = ["said"] * 12 + ["counted"] * 24
    found = parts(texts, kinds, 3)
    assert found.tolist() == parts(texts, kinds, 3).tolist()
    groups = bound(texts)
    assert all(len(set(found[groups == group].tolist())) == 1 for group in groups)
    said = Counter(n for n, kind in zip(found.tolist(), kinds, strict=True) if kind == "said")
    assert said == {0: 4, 1: 4, 2: 4}
