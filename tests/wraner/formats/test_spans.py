"""What a fault in an example is told in."""

import json

import pytest
from pydantic import ValidationError

from wraner.formats.spans import fault
from wraner.packs import TaggedExample

FOUND = {"start": 0, "end": 3, "label": "person"}


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"entities": [{**FOUND, "text": "Ann"}]}, "entities/0/text"),
        ({"tags": []}, "tags"),
    ],
)
def test_a_field_that_is_not_known_is_named_so(more: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TaggedExample.model_validate_json(json.dumps({"text": "Ann", **more}))
    told = f"{field}: this field is not known; remove it or correct its name"
    assert fault(caught.value) == told
