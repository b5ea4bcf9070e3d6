"""Which words of a text are shown as evidence that it breaches a policy.

Where the encoder tells how far each word moves the text's vector, they are those that move it most
to where the policy is suggested. Else they are those with a better match in violating than in
complying examples. Knows no language model, and decides nothing.
"""

from collections.abc import Sequence

import numpy as np

from index.encoder import Floats, WordVectors
from index.similarity import Grid, Words, from_grid
from wraner.chunks import Chunk
from wraner.entities import Span

_SPAN_WORDS = 5
_SPAN_SHARE = 0.5
_ENDINGS = frozenset(("s", "t", "d", "m", "ll", "re", "ve"))  # not the Brien of O'Brien
_COMMON = 0.6  # words of less weight, such as "was", say nothing that a reader would point at


def moved(text: WordVectors, query: Words, near: Grid) -> Floats:
    """Return how far each word of the query moves the text towards the texts `near`.

    A word's own share in the similarity would not tell it from others: in context, every word has
    something of the whole text.

    *Shape:* ``near`` (n, text dimension), the vectors of those texts.
    """
    distance: Floats = text.pulls[query.places] @ from_grid(near).mean(axis=0)
    return distance


def matched(violating: Floats, complying: Floats) -> Floats:
    """Return by how much each word's best match among violating beats that among complying texts.

    *Shape:* both (n_query, n_texts), how well each word is matched in each text.
    """
    margin: Floats = violating.max(axis=1, initial=-1.0)
    if complying.shape[1]:
        margin = margin - complying.max(axis=1)
    return margin


def spans(text: WordVectors, query: Words, strength: Floats) -> tuple[Span, ...]:
    """Return the strongest words (few, and none half as strong as the best), neighbours merged.

    A contraction is shown whole or not at all: the *ll* of *I'll* says nothing to a reader.

    *Shape:* ``strength`` (n_query,), how much each word of the query speaks for a breach.
    """
    strength = strength * _salience(query.weights)
    ends = [_is_ending(text.chunks, place) for place in query.places.tolist()]
    strength = np.where(ends, 0.0, strength)
    if not len(strength) or strength.max() <= 0:
        return ()
    strongest = np.argsort(-strength, kind="stable")[:_SPAN_WORDS]
    chosen = query.places[strongest[strength[strongest] >= _SPAN_SHARE * strength.max()]]
    return joined(text.chunks, sorted(chosen.tolist()))


def joined(chunks: Sequence[Chunk], places: Sequence[int]) -> tuple[Span, ...]:
    """Return the spans of the chunks at `places`, in ascending order; neighbours are one span.

    A word's ending behind an apostrophe goes with it.
    """
    found: list[Span] = []
    before = -2
    for place in places:
        start = found.pop().start if place <= before + 1 else chunks[place].start
        before = max(before, place)
        while _is_ending(chunks, before + 2):
            before += 2
        found.append(Span(start, chunks[before].end))
    return tuple(found)


def _is_ending(chunks: Sequence[Chunk], place: int) -> bool:
    """Return whether a chunk is what an English word has behind an apostrophe, without a space."""
    if not 2 <= place < len(chunks) or chunks[place].text.lower() not in _ENDINGS:
        return False
    word, mark, ending = chunks[place - 2 : place + 1]
    touching = word.end == mark.start and mark.end == ending.start
    return touching and mark.text in ("'", "\u2019") and word.text.isalpha()


def _salience(weights: Floats) -> Floats:
    """Return weights by which the language's commonest words are not shown as evidence."""
    return np.where(weights < _COMMON, 0.0, 2 * weights - 1)
