"""Tags of tokens as mentions and back: IOB2 is written; IOB1, BIOES and BILOU are read as well.

IOB1, IOB2 and BIOES agree once an ``I-`` that continues nothing begins a mention, as here.
Sources: Ramshaw and Marcus 1995 (https://aclanthology.org/W95-0107), Tjong Kim Sang and Veenstra
1999 (https://aclanthology.org/E99-1023); Ratinov and Roth 2009 for BILOU
(https://aclanthology.org/W09-1119). Knows no file.
"""

import re
from collections.abc import Sequence

from wraner.entities import Mention, Span

TAGS = "O, or B-, I-, E-, L-, S- or U- with a label"

_TAG = re.compile(r"O|[BIELSU]-.+")


def is_tag(tag: str) -> bool:
    """Say whether a column's content is a tag."""
    return _TAG.fullmatch(tag) is not None


def mentions_of(tokens: Sequence[Span], tags: Sequence[str]) -> list[Mention]:
    """Return the mentions that the tokens' tags name."""
    mentions: list[Mention] = []
    open_label = ""
    for token, tag in zip(tokens, tags, strict=True):
        prefix, label = tag[0], tag[2:]
        if prefix in "IEL" and label == open_label:
            mentions[-1] = Mention(mentions[-1].start, token.end, label)
        elif prefix != "O":
            mentions.append(Mention(token.start, token.end, label))
        open_label = label if prefix in "BI" else ""
    return mentions


def tags_of(tokens: Sequence[Span], mentions: Sequence[Mention]) -> list[str]:
    """Return IOB2 tags; every mention must begin and end with a token, and none may overlap."""
    tags: list[str] = []
    left = sorted(mentions, reverse=True)
    for token in tokens:
        while left and left[-1].end <= token.start:
            left.pop()
        if left and left[-1].start <= token.start:
            prefix = "B" if left[-1].start == token.start else "I"
            tags.append(f"{prefix}-{left[-1].label}")
        else:
            tags.append("O")
    return tags
