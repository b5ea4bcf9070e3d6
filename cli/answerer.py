"""Who answers in an evaluation."""

from enum import StrEnum


class Answerer(StrEnum):
    """What is measured: what serves, or a part of it alone."""

    SERVED = "served"
    MODEL = "model"
    VOTES = "votes"
