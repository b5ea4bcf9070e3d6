"""Report card of what moderates, on one policy set: for those who decide whether to use it.

Markdown, to lie beside the weights. Figures come from a summary, their sources' terms from
manifests; the template lies beside this file. Shows no text. Knows no model.
"""

from training.moderation_card_subject import CardSubject
from training.moderation_summary import ModerationSummary
from training.moderation_weaknesses import LEAST_ROWS, find_weaknesses
from training.report_pages import page_environment


def render_card(summary: ModerationSummary, subject: CardSubject) -> str:
    """Return the card, without the header that marks its file."""
    findings = find_weaknesses(summary)
    template = page_environment(escape=False).get_template("moderation_card.md.jinja")
    return template.render(
        s=summary,
        own=summary.systems[0],
        subject=subject,
        least_rows=LEAST_ROWS,
        found=[one for one in findings if one.words is not None],
        silent=[one for one in findings if one.words is None],
    )
