"""How a call of Claude Code failed, from what its stream, exit code and standard error say, and what to do about it.

`subtype` is "success" for every error of the API, so the status, the error's name, the reason for the end and at last
the text decide, in this order of trust. Network trouble has no status at all and can only be told by its text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from runtime.agents.foreign import as_count, as_list, as_text
from runtime.agents.protocol import Failed, FailureKind

_LONGEST_MESSAGE = 600

REMEDIES: Mapping[FailureKind, str] = {
    "not_installed": "Install it with: npm install -g @anthropic-ai/claude-code.",
    "auth": "Log in with `claude auth login`, or set ANTHROPIC_API_KEY.",
    "model_not_found": "Choose a model that your account may use.",
    "rate_limit": "Wait a little and resume the run, or run fewer agents at once with -j.",
    "quota": "Wait for the limit's reset or add credit, then resume the run.",
    "overloaded": "Wait a little and resume the run.",
    "context_overflow": "Start a new session, or give the step less context.",
    "session_not_found": "Start a new session: the old one was deleted, or belongs to another account or machine.",
    "max_turns": "Raise the step's guard max_turns, or split the work.",
    "max_budget": "Raise the step's guard max_budget, or split the work.",
    "network": "Check the connection and ANTHROPIC_BASE_URL, then resume the run.",
    "cli_usage": "Update the CLI with `claude update`, then see `gumpc doctor`.",
    "agent_error": "The raw stream among the run's artifacts has the details.",
    "protocol": "The raw stream among the run's artifacts shows where it broke off.",
    "killed": "Resume the run to start it again.",
}

_BY_SUBTYPE: Mapping[str, FailureKind] = {"error_max_turns": "max_turns", "error_max_budget_usd": "max_budget"}

_BY_STATUS: Mapping[int, FailureKind] = {
    401: "auth",
    402: "quota",
    403: "auth",
    404: "model_not_found",
    413: "context_overflow",
    429: "rate_limit",
}

_BY_ERROR: Mapping[str, FailureKind] = {
    "authentication_failed": "auth",
    "billing_error": "quota",
    "model_not_found": "model_not_found",
    "overloaded": "overloaded",
    "rate_limit": "rate_limit",
}

_BY_TEXT: tuple[tuple[FailureKind, re.Pattern[str]], ...] = (
    ("context_overflow", re.compile(r"prompt is too long", re.I)),
    ("session_not_found", re.compile(r"no conversation found with session id|requires a valid session", re.I)),
    ("auth", re.compile(r"invalid api key|not logged in|please run /login|authentication_error", re.I)),
    ("quota", re.compile(r"credit balance is too low|you've hit your \S+ limit|usage limit reached", re.I)),
    (
        "network",
        re.compile(
            r"ECONN|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|EPIPE|connection (to the api )?(was )?(lost|refused|reset|error)"
            r"|fetch failed|timed out|unable to connect|certificate",
            re.I,
        ),
    ),
)


def failed(kind: FailureKind, text: str, reset_at: float | None = None) -> Failed:
    """A failure that ended the call; its message is `text`, cut if long, and then the remedy.

    `reset_at` is when the subscription's window, now spent, opens again: a rate limit is a spent quota then.
    """
    if kind not in ("rate_limit", "quota"):
        reset_at = None
    elif reset_at is not None:
        kind = "quota"
    told = text.strip()[:_LONGEST_MESSAGE] or f"Claude Code failed ({kind})"
    if told[-1] not in ".!?":
        told += "."
    if reset_at is not None:
        told += f" It resets at {datetime.fromtimestamp(reset_at, UTC):%Y-%m-%d %H:%M} UTC."
    return Failed(kind, f"{told} {REMEDIES[kind]}", fatal=True, reset_at=reset_at)


def api_failure(error: str, status: int, text: str) -> FailureKind:
    """The kind of a failed request, from the error's name, the HTTP status (0 for none) and the text shown."""
    by_text = _kind_of_text(text)
    if by_text == "context_overflow" or (by_text == "network" and not status):
        return by_text
    if kind := _BY_ERROR.get(error) or _BY_STATUS.get(status):
        return kind
    if status >= 500 or (error == "server_error" and not status):
        return "overloaded"
    return by_text or "agent_error"


def result_failure(event: Mapping[str, object], error: str, reset_at: float | None) -> Failed | None:
    """How the `result` event says the call failed; None when it says that it went well.

    `error` is the name of the last error that the stream told, `reset_at` when a spent window opens again.
    """
    subtype, reason = as_text(event.get("subtype")), as_text(event.get("terminal_reason"))
    if subtype == "success" and event.get("is_error") is False:
        return None
    errors = "; ".join(filter(None, map(as_text, as_list(event.get("errors")))))
    text = as_text(event.get("result")) or errors
    if reason.startswith("aborted"):
        return failed("killed", text or "Claude Code was interrupted")
    if kind := _BY_SUBTYPE.get(subtype):
        return failed(kind, text)
    if reason == "prompt_too_long":
        return failed("context_overflow", text)
    return failed(api_failure(error, as_count(event.get("api_error_status")), text), text, reset_at)


def exit_failure(exit_code: int, stderr: str, *, spoke: bool) -> Failed:
    """How a call failed whose stream has no terminal event; `spoke` when the stream had any event at all."""
    if exit_code > 128:
        return failed("killed", f"Claude Code was ended by signal {exit_code - 128}")
    told = stderr.strip()
    if spoke or not told:
        return failed("protocol", f"Claude Code's stream broke off before its result (exit code {exit_code}) {told}")
    return failed(_kind_of_text(told) or ("cli_usage" if exit_code else "protocol"), told)


def _kind_of_text(text: str) -> FailureKind | None:
    return next((kind for kind, pattern in _BY_TEXT if pattern.search(text)), None)
