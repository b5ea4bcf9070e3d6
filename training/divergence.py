"""Divergence: an update by a loss or gradient that is not finite would spoil every weight.

Knows no model and no schedule.
"""

import math

from wraner.errors import InvalidInput


def check_finite(step: int, *, loss: float, gradient_norm: float) -> None:
    """Refuse to update by a loss or a gradient that is not finite.

    Raises:
        InvalidInput: one is not.
    """
    if not (math.isfinite(loss) and math.isfinite(gradient_norm)):
        raise InvalidInput(
            f"expected a finite loss with a finite gradient, was: a loss of {loss:g} and a "
            f"gradient of norm {gradient_norm:g} at step {step}; lower the learning rate of the "
            "settings"
        )
