"""The two word encoders: one for the texts of domains, one for those of policy sets.

Either can be tuned: for domains so that words of one type lie together, for policy sets so that
texts do that breach the same policy. Layers were chosen on dev data, see training/LOG.md.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from index.bundled import bundled_minilm
from index.encoder import WordEncoder
from index.wordings import PolicyReader, read_home
from wraner.packs import Pack, PolicySet

PackKind = Literal["Domain", "PolicySet"]

DOMAIN_LAYER = 4
"""The layer of the bundled encoder for domains where it is not tuned."""
TEXT_LAYER = 6
"""The layer whose mean is a text's sentence vector, as the encoder's makers have it."""
POLICY_SET_LAYER = 5
"""The layer of the bundled encoder for policy sets."""


@dataclass(frozen=True, slots=True)
class Encoders:
    """The word encoder of each kind of pack, and what reads policies' own words, see `wordings`."""

    domains: WordEncoder
    policy_sets: WordEncoder
    wordings: PolicyReader | None = None

    @classmethod
    def same(cls, encoder: WordEncoder) -> "Encoders":
        """Return one encoder for both."""
        return cls(encoder, encoder)

    def of(self, kind: PackKind) -> WordEncoder:
        """Return the encoder of a kind of pack."""
        return self.policy_sets if kind == "PolicySet" else self.domains


def kind_of(pack: Pack) -> PackKind:
    """Return what kind of pack it is."""
    return "PolicySet" if isinstance(pack, PolicySet) else "Domain"


def load_encoders(
    folder: Path | None, tuning: Path | None, *, for_policies: Path | None = None
) -> Encoders:
    """Load both from the encoder in `folder`, None for the bundled one.

    Domains have its `tuning`, or where there is none, layer `DOMAIN_LAYER`, and beside their words
    the sentence vector of each text. Policy sets have the words of layer `POLICY_SET_LAYER` and,
    with a tuning `for_policies`, the vector of each text that it gives; what that knows of its own
    policies it lacks of others, so texts are read without it too where policies' words say enough.

    Raises:
        Unavailable: the weights or the tuning are missing, damaged, or do not belong together.
    """
    from index.contextual import ContextualEncoder  # whoever has vectors already needs no torch
    from index.with_texts import WithTexts

    folder = bundled_minilm() if folder is None else folder  # once: it is checked by its hash
    layer = DOMAIN_LAYER if tuning is None else None
    words = ContextualEncoder(folder, layer=layer, tuning=tuning)
    texts = ContextualEncoder(folder, layer=TEXT_LAYER)
    judged = ContextualEncoder(folder, layer=POLICY_SET_LAYER)
    if for_policies is None:
        return Encoders(WithTexts(words, texts), judged)
    breaches = ContextualEncoder(folder, tuning=for_policies)
    reader = PolicyReader(texts, read_home(for_policies, texts.dimension))
    return Encoders(WithTexts(words, texts), WithTexts(judged, breaches), reader)
