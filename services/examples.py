"""Worked examples of every body, for the API's own documentation. Each is a test too."""

from typing import Any

_NOTE = "Tea with Ms Okoro in Utrecht, 😀 then Ghent."
REQUESTS: dict[str, dict[str, Any]] = {
    "ExtractRequest": {
        "inline": {
            "entity_types": [
                {"name": "person", "definition": "a human being named in the text"},
                {"name": "city", "definition": "a town or city"},
            ]
        },
        "text": _NOTE,
    },
    "ModerateRequest": {
        "inline": {
            "policies": [
                {
                    "id": "no-spam",
                    "title": "Spam",
                    "definition": "Advertises goods to people who did not ask.",
                    "includes": ["links to shops"],
                    "excludes": ["answers to a question about a product"],
                }
            ]
        },
        "text": ["Buy cheap watches at example.com!", "Which watch do you wear?"],
    },
    "Domain": {
        "description": "Who travels where.",
        "entity_types": [{"name": "city", "definition": "a town or city"}],
        "examples": [
            {
                "text": "She moved to Ghent.",
                "entities": [{"start": 13, "end": 18, "label": "city"}],
            }
        ],
    },
    "PolicySet": {
        "description": "Rules of our forum.",
        "policies": [
            {
                "id": "no-spam",
                "title": "Spam",
                "tier": 1,
                "definition": "Advertises goods to people who did not ask.",
            }
        ],
        "examples": [
            {"text": "Cheap watches, click here!", "violates": ["no-spam"], "complies": []},
            {"text": "Where do you buy your tea?", "violates": [], "complies": "all"},
        ],
    },
    "AddTaggedExamples": {
        "examples": [
            {
                "id": "lyon-1",
                "text": "We met in Lyon.",
                "entities": [{"start": 10, "end": 14, "label": "city"}],
            }
        ]
    },
    "AddJudgedExamples": {
        "examples": [{"id": "w-1", "text": "50 % off, order now!", "violates": ["no-spam"]}]
    },
}

_VERSIONS = {
    "model": "SmolLM2-135M-Instruct@b179c9523d0e6a0f",
    "adapter": "",
    "pack": "3d5f0c1e",
    "index": "a91be204",
}
_COVERAGE = {"characters": 43, "windows": 1, "truncated": False}
_SUMMARY = {"name": "travel", "version": "3d5f0c1e", "examples": 1}

RESPONSES: dict[str, dict[str, Any]] = {
    "ExtractResponse": {
        "results": [
            {
                "entities": [
                    {"start": 12, "end": 17, "text": "Okoro", "label": "person", "score": 0.93},
                    {"start": 21, "end": 28, "text": "Utrecht", "label": "city", "score": 0.9},
                    {"start": 37, "end": 42, "text": "Ghent", "label": "city", "score": 0.88},
                ],
                "neighbours": [],
                "coverage": _COVERAGE,
            }
        ],
        "versions": _VERSIONS,
    },
    "ModerateResponse": {
        "results": [
            {
                "decision": "violates",
                "flagged": True,
                "score": 0.91,
                "calibrated": False,
                "matches": [
                    {
                        "policy": "no-spam",
                        "title": "Spam",
                        "tier": None,
                        "score": 0.91,
                        "neighbours": [{"id": "w-1", "similarity": 0.71}],
                        "evidence": [{"start": 0, "end": 17}],
                    }
                ],
                "coverage": {
                    **_COVERAGE,
                    "policies_judged": ["no-spam"],
                    "policies_skipped": 0,
                },
            }
        ],
        "versions": _VERSIONS,
    },
    "PackSummary": _SUMMARY,
    "DomainSummary": {
        **_SUMMARY,
        "description": "Who travels where.",
        "entity_types": [{"name": "city", "definition": "a town or city"}],
    },
    "PolicySetSummary": {
        **_SUMMARY,
        "name": "forum",
        "description": "Rules of our forum.",
        "policies": REQUESTS["PolicySet"]["policies"],
    },
    "DomainList": {
        "domains": [
            {
                **_SUMMARY,
                "description": "Who travels where.",
                "entity_types": [{"name": "city", "definition": "a town or city"}],
            }
        ],
        "damaged": [],
    },
    "PolicySetList": {
        "policy_sets": [
            {
                **_SUMMARY,
                "name": "forum",
                "description": "Rules of our forum.",
                "policies": REQUESTS["PolicySet"]["policies"],
            }
        ],
        "damaged": [],
    },
    "TaggedExamplePage": {
        "version": "3d5f0c1e",
        "examples": REQUESTS["AddTaggedExamples"]["examples"],
        "next": None,
    },
    "JudgedExamplePage": {
        "version": "3d5f0c1e",
        "examples": REQUESTS["AddJudgedExamples"]["examples"],
        "next": None,
    },
    "Health": {"status": "ok", "detail": ""},
}
PROBLEM: dict[str, Any] = {
    "type": "urn:wraner:problem:invalid-input",
    "title": "The request breaks a rule",
    "status": 422,
    "detail": "expected a text with at least one visible character",
    "pointer": "/text",
    "request_id": "0c4e2ad5f2a94cf4a5cbd3fd6f0d8a8a",
}
