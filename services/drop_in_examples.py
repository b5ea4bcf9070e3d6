"""Worked examples of the drop-in routes' bodies. Each is a test too."""

from typing import Any, get_args

from services.drop_in import Category

_TEXT = "Zorvians are rats. 😀 Beat them all."
_SCORES = {
    "harassment": 0.91,
    "harassment/threatening": 0.78,
    "hate": 0.91,
    "hate/threatening": 0.78,
    "violence": 0.78,
}
_CATEGORIES = get_args(Category)

REQUESTS: dict[str, dict[str, Any]] = {
    "ModerationCreateRequest": {"model": "omni-moderation-latest", "input": [_TEXT]},
    "AnalyzeCommentRequest": {
        "comment": {"text": _TEXT},
        "requestedAttributes": {"TOXICITY": {}, "THREAT": {"scoreThreshold": 0.8}},
        "spanAnnotations": True,
        "languages": ["en"],
        "clientToken": "comment-7",
    },
}
RESPONSES: dict[str, dict[str, Any]] = {
    "ModerationCreateResponse": {
        "id": "modr-0c4e2ad5f2a94cf4a5cbd3fd6f0d8a8a",
        "model": "SmolLM2-135M-Instruct@b179c9523d0e6a0f+f2ef5969b0bde3ec",
        "results": [
            {
                "flagged": True,
                "categories": {c: c in _SCORES for c in _CATEGORIES},
                "category_scores": {c: _SCORES.get(c, 0.0) for c in _CATEGORIES},
                "category_applied_input_types": {
                    c: ["text"] if c in _SCORES else [] for c in _CATEGORIES
                },
                "unmapped_categories": [c for c in _CATEGORIES if c not in _SCORES],
            }
        ],
        "calibrated": False,
    },
    "AnalyzeCommentResponse": {
        "attributeScores": {
            "TOXICITY": {
                "spanScores": [
                    {"begin": 13, "end": 17, "score": {"value": 0.91, "type": "PROBABILITY"}},
                    {"begin": 22, "end": 26, "score": {"value": 0.78, "type": "PROBABILITY"}},
                ],
                "summaryScore": {"value": 0.91, "type": "PROBABILITY"},
            }
        },
        "languages": ["en"],
        "detectedLanguages": [],
        "clientToken": "comment-7",
        "calibrated": False,
    },
}
ERRORS: dict[str, dict[str, Any]] = {
    "OpenAIError": {
        "error": {
            "message": "expected a text with at least one visible character",
            "type": "invalid_request_error",
            "param": "input[0]",
            "code": "invalid_input",
        }
    },
    "GoogleError": {
        "error": {
            "code": 400,
            "message": "expected a text with at least one visible character",
            "status": "INVALID_ARGUMENT",
            "details": [
                {
                    "@type": "type.googleapis.com/google.commentanalyzer.v1alpha1.Error",
                    "errorType": "COMMENT_EMPTY",
                },
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [
                        {
                            "field": "comment.text",
                            "description": "expected a text with at least one visible character",
                        }
                    ],
                },
            ],
        }
    },
}
