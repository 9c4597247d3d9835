"""What goes wrong with a request: what may pass, what cannot, and how a record says it."""

import openai

from dualcode.errors import ContextOverflowError, EndpointError, ReplyError


class TransientError(Exception):
    """A fault that may pass: worth another attempt."""

    def __init__(self, outcome: str, *, unreachable: bool = False, retry_after: float | None = None) -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.unreachable = unreachable
        self.retry_after = retry_after


def of_status(error: openai.APIStatusError, where: str, key_variable: str) -> Exception:
    """Return the error of a server's answer by its status; `where` names the endpoint."""
    status, said = error.status_code, short(str(error))
    if status >= 500 or status in (408, 409, 429):
        after = error.response.headers.get("retry-after", "")
        return TransientError(f"{status} {said}", retry_after=float(after) if after.isdecimal() else None)
    if status == 400 and error.param in ("input_tokens", "max_tokens"):
        return ContextOverflowError(f"{where}: the request does not fit the context: {said}")
    if status in (401, 403):
        return ReplyError(f"{where} refuses the API key: {said}", hint=f"export {key_variable}=…")
    return ReplyError(f"{where}: {status} {said}")


def outcome_of(error: Exception) -> str:
    """Return what an attempt's record says of what ended it."""
    if isinstance(error, TransientError):
        return error.outcome
    return (
        error.message if isinstance(error, EndpointError) else f"{type(error).__name__}: {short(str(error))}"
    )


def short(text: str, limit: int = 300) -> str:
    """Return a server's words as one line, cut where they are many."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[:limit]}…"
