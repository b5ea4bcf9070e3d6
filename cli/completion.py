"""Completion: the names that are stored, for the shell; silent where no server answers."""

import typer

from wraner.registry import Kind

_TIMEOUT_S = 1.0
_KINDS = {
    "extract": Kind.DOMAIN,
    "domains": Kind.DOMAIN,
    "moderate": Kind.POLICY_SET,
    "policies": Kind.POLICY_SET,
}


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the stored names that begin so, of the kind that the command takes."""
    kind = _KINDS.get(ctx.command_path.split()[1], Kind.DOMAIN)
    url = ctx.params.get("server") or "http://127.0.0.1:8000"
    return [name for name in _names(kind, str(url)) if name.startswith(incomplete)]


def _names(kind: Kind, url: str) -> list[str]:
    from wraner.client.retries import Retry
    from wraner.client.sync import Client

    try:
        with Client(url, timeout_s=_TIMEOUT_S, retry=Retry(attempts=1)) as client:
            found = client.domains() if kind is Kind.DOMAIN else client.policy_sets()
    except Exception:  # a shell that waits for Tab has no use for a message
        return []
    return [pack.name for pack in found.packs]
