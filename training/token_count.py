"""Hooks of a run that is kept nowhere: they count its tokens. Knows no model."""

from training.loop import State, StepReport


class TokenCount:
    """Counts the tokens of a run's updates."""

    def __init__(self) -> None:
        self.tokens = 0

    def on_step(self, report: StepReport) -> None:
        """Count an update's."""
        self.tokens += report.tokens

    def on_evaluated(self, step: int, loss: float) -> None:
        """Hear nothing: the run is asked when it ends."""

    def on_checkpoint(self, state: State) -> None:
        """Keep nothing: a run is short."""
