"""Keys moved to other positions, for models whose positions are rotations (RoPE).

A key at position p, turned by d more, is the key at p + d (Su et al. 2021, section 3.2), so keys
that were computed once can stand anywhere. Whether that holds for a model is tried, not assumed.
Knows no prompt and no cache.
"""

from dataclasses import dataclass
from typing import Any

import torch

from wraner.slots import Feed, KeyValues, Slots

_PROBE = range(4, 12)
_FAR = 96
# bf16 rounds to three digits, and a key that was turned is rounded once more.
_TOLERANCE = 0.02


@dataclass(frozen=True)
class Rotation:
    """The angles by which a model turns its keys from one position to the next.

    *Shape:* angles (half of the turned part of a head).
    """

    angles: torch.Tensor

    @classmethod
    @torch.inference_mode()
    def of(cls, model: Any) -> "Rotation | None":
        """Return a model's rotation, or None where its keys cannot be moved."""
        for module in model.modules():
            angles = getattr(module, "inv_freq", None)
            if isinstance(angles, torch.Tensor):
                rotation = cls(angles.detach().float())
                return rotation if rotation._holds(model) else None
        return None

    def move(self, block: KeyValues, distance: int) -> KeyValues:
        """Return a block as if it stood `distance` positions further on."""
        if not distance:
            return block
        turned = 2 * len(self.angles)
        if turned > block.keys.shape[-1]:
            raise ValueError(f"expected heads of at least {turned}, was: {block.keys.shape[-1]}")
        cos, sin = (self.angles * distance).cos(), (self.angles * distance).sin()
        first, second = block.keys[..., :turned].float().chunk(2, dim=-1)
        keys = torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
        keys = keys.to(block.keys.dtype)
        return KeyValues(torch.cat([keys, block.keys[..., turned:]], dim=-1), block.values)

    def _holds(self, model: Any) -> bool:
        """Compare keys of the first layer, which see only their own token, at two positions."""
        slots, end = Slots(2), len(_PROBE)
        slots.run(model, [Feed(_PROBE, 0), Feed(_PROBE, _FAR)])
        moved = self.move(slots.read(0, 0, end), _FAR).keys[0].float()
        there = slots.read(1, _FAR, _FAR + end).keys[0].float()
        return bool((moved - there).norm() <= _TOLERANCE * there.norm())
