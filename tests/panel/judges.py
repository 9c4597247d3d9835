"""Scripted judges of every kind, and exhibits for them."""

import json
import re
from collections.abc import Callable
from typing import Any

from dualcode.call import Call, Request
from dualcode.models.scripted import Answer, ScriptedChat
from dualcode.panel.calibration import PLANTED, calibrations
from dualcode.panel.exhibit import Exhibit
from dualcode.sampling import RECOMMENDED
from dualcode.team import Seat

Judge = Callable[[Request], Answer]

RIGHT = """\
diff --git a/shop/price.py b/shop/price.py
index 1111111..2222222 100644
--- a/shop/price.py
+++ b/shop/price.py
@@ -1,4 +1,7 @@
 def total(prices):
     \"\"\"Add them up.\"\"\"
-    return sum(prices[1:])
+    # all of them count
+    if prices is None:
+        return 0
+    return sum(prices)
 #
diff --git a/CHANGES b/CHANGES
index 3333333..4444444 100644
--- a/CHANGES
+++ b/CHANGES
@@ -1 +1,2 @@
 Changes
+- total() adds all prices
"""
ISSUE = "total() leaves out the first price.\n"


def exhibit(condition: str = "ann->bob", *, plan: str | None = "Add all.", diff: str = RIGHT) -> Exhibit:
    return Exhibit(
        key=(condition, "shop-1", 1),
        issue="shop-1",
        instruction=ISSUE,
        plan=plan,
        diff=diff,
        tests="3 passed",
    )


def calibrated() -> tuple[Exhibit, ...]:
    return calibrations("shop-1", ISSUE, RIGHT)


def keys(request: Request) -> list[str]:
    assert request.json_schema is not None
    return list(request.json_schema["properties"])


def said(request: Request, score: Any, reason: Any = "price.py:3 says so") -> str:
    return json.dumps({key: {"reason": reason, "score": score} for key in keys(request)})


def shown(request: Request) -> str:
    return "\n".join(message.content for message in request.messages)


def fair(request: Request) -> Answer:
    """Tell the right fix from the turned one by its code, and hear no instruction."""
    return said(request, 9 if "+    if prices is None:" in shown(request) else 2)


def constant(request: Request) -> Answer:
    return said(request, 8)


def obedient(request: Request) -> Answer:
    return said(request, 10) if PLANTED in shown(request) else fair(request)


def swayed_by_comments(request: Request) -> Answer:
    return said(request, 9 if "# all of them count" in shown(request) else 4)


def biased(own: str) -> Callable[[Request], Answer]:
    """Score by a mark in the code that only one's own work has."""
    return lambda request: said(request, 9 if re.search(own, shown(request)) else 6)


def seat(
    judge: Judge, *, name: str = "scripted", calls: list[Call] | None = None
) -> tuple[Seat, ScriptedChat]:
    chat = ScriptedChat(judge, name=name)
    kept: list[Call] = [] if calls is None else calls
    return Seat("judge", chat, RECOMMENDED, answer_tokens=4096, record=kept.append), chat
