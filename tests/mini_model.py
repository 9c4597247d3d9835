"""A scripted model for the mini suite, served by a FakeServer: right now and then, and always the same."""

import hashlib
import json
import time
from typing import Any

from dualcode.suites.registry import load_suite
from tests.fake_server import Answer

TEAM = """
[endpoints.both]
model = "m"
base_url = "{url}"
concurrency = 2
answer_tokens = 2000

[roles]
coder = "both"
reviewer = "both"
"""
ROWS = {task: json.loads(hidden.row) for task, hidden in load_suite("mini").hidden.items()}


def answer(body: dict[str, Any]) -> Answer:
    """Answer a request as a model would that is right now and then: always the same to the same request."""
    asked = "".join(message["content"] for message in body["messages"])
    luck = int(hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest(), 16) % 3
    row = next(row for row in ROWS.values() if row["prompt"].strip() in asked)
    name = row["entry_point"]
    finding = {"where": name, "actual": "nothing", "expected": "something"}
    said: dict[str, Any] = {
        "verdict": "revise" if luck else "approve",
        "findings": [finding] if luck else [],
        "types": "any",
        "examples": [],
        "edge_cases": [],
        "probes": [{"call": f"{name}({luck})", "asserted": "1"}],
        "reason": "none",
        "better": "AB"[luck % 2],
    }
    wanted = json.dumps(body.get("response_format", body.get("structured_outputs", "")))
    if keys := [key for key in said if f'"{key}"' in wanted]:
        time.sleep(0.02)
        return Answer(content=json.dumps({key: said[key] for key in keys}))
    time.sleep(0.02)
    body_of = "    return None" if luck == 1 else row["canonical_solution"]
    return Answer(content=f"```python\n{row['prompt']}{body_of}\n```")
