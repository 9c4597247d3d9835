"""What scripted reviewers and coders say."""

import json
from collections.abc import Callable
from typing import Any

from tests.fake_server import Answer, FakeServer

APPROVE = json.dumps({"verdict": "approve", "findings": []})
MONEY = '''"""Money."""


def share(total, people):
    """Return each one's part of the total, rounded down.

    >>> share(10, 3)
    3
    """
    return total // people + 1


def double(n):
    """Return twice n."""
    return 2 * n
'''
"""One bug, in line 10."""


def finding(
    line: int = 10,
    call: str = "share(10, 3)",
    does: str = "returns 4",
    ought: str = "returns 3",
    **more: str,
) -> dict[str, Any]:
    texts = {"where": "total // people + 1", "actual": "one too much", "expected": "rounded down"}
    return {"line": line, **texts, "call": call, "does": does, "ought": ought, **more}


def revise(*findings: dict[str, Any]) -> str:
    return json.dumps({"verdict": "revise", "findings": findings})


def speak(server: FakeServer, review: str | Callable[[str], str], code: str = "") -> None:
    """Answer requests for a review with `review`, or what it makes of the question, all others with code."""

    def respond(body: dict[str, Any]) -> Answer:
        asked = body["messages"][-1]["content"]
        if "response_format" in body or "structured_outputs" in body or "guided_json" in body:
            return Answer(content=review if isinstance(review, str) else review(asked))
        return Answer(content=f"```python\n{code}\n```")

    server.respond = respond
