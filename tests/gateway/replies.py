"""Answers as models write them for editors, one of each form, with a right and several wrong corrections."""

from dataclasses import dataclass, field

WHOLE = """I'll fix `add` so that it returns the sum.

calc.py
```
import sys


def add(a, b):
    return a - b


def main():
    print(add(1, 2))
```

Nothing else changes."""

SEARCH = """Here are the edits.

calc.py
```python
<<<<<<< SEARCH
def add(a, b):
    return a - b
=======
def add(a, b):
    return a + a
>>>>>>> REPLACE
```

web/app.js
```javascript
<<<<<<< SEARCH
const n = 1;
=======
const n = 2;
>>>>>>> REPLACE
```
"""

DIFF = """```diff
--- a/calc.py
+++ b/calc.py
@@ -1,2 +1,2 @@
 def add(a, b):
-    return a - b
+    return a + a
```
"""

NAMED = """Two files:

```python title="calc.py"
def add(a, b):
    return a - b
```

**web/app.js**

```js
export const n = 1;
```

Run `node web/app.js`.
"""

ELEMENT = """<write_to_file>
<path>calc.py</path>
<content>
def add(a, b):
    return a - b
</content>
</write_to_file>
"""

BARE = "def add(a, b):\n    return a - b"

SHOWN = (
    "calc.py\n```\nimport sys\n\n\ndef add(a, b):\n    return a - b\n```\n"
    "web/app.js\n```\nconst n = 1;\n```\n"
)
"""What the client's messages showed of its files."""


@dataclass(frozen=True)
class Form:
    """A draft in one form, a correction that keeps it, and corrections that do not, each with why."""

    draft: str
    right: str
    wrong: dict[str, str] = field(default_factory=dict[str, str])


FORMS = {
    "whole file": Form(
        WHOLE,
        WHOLE.replace("a - b", "a + b"),
        {
            "it does not keep the form": "The function must return a + b.",
            "it leaves out `calc.py`": WHOLE.replace("calc.py\n", "").replace("a - b", "a + b"),
            "behind a comment": WHOLE.replace("def main():\n    print(add(1, 2))", "# ... rest of the code"),
            "no longer defines main": WHOLE.replace(
                "\n\ndef main():\n    print(add(1, 2))", "x = 1\ny = 2\nz = 3"
            ),
            "does not compile": WHOLE.replace("return a - b", "return a +"),
            "less than half": "calc.py\n```\ndef add(a, b): return a + b\ndef main(): pass\n```\n",
            "its last block has no end": WHOLE.partition("\n```\n\nNothing")[0].replace("a - b", "a + b"),
            "it is empty": "  \n",
        },
    ),
    "search/replace": Form(
        SEARCH,
        SEARCH.replace("a + a", "a + b"),
        {
            "it does not keep the form": NAMED,
            "it leaves out `web/app.js`": SEARCH.partition("web/app.js")[0],
            "looks for in calc.py does not stand there": SEARCH.replace(
                "return a - b\n====", "return b - a\n===="
            ),
            "its last block has no end": SEARCH.rpartition(">>>>>>> REPLACE")[0],
        },
    ),
    "unified diff": Form(
        DIFF,
        DIFF.replace("a + a", "a + b"),
        {"it does not keep the form": NAMED, "it leaves out `calc.py`": DIFF.replace("calc.py", "clac.py")},
    ),
    "named blocks": Form(
        NAMED,
        NAMED.replace("a - b", "a + b"),
        {
            "it leaves out `web/app.js`": NAMED.partition("**web")[0],
            "it leaves out `calc.py`": NAMED.replace("calc.py", "calculator.py"),
        },
    ),
    "elements": Form(
        ELEMENT,
        ELEMENT.replace("a - b", "a + b"),
        {"it does not keep the form": NAMED, "it leaves out `calc.py`": ELEMENT.replace("calc.py", "x.py")},
    ),
    "no fence": Form(
        BARE,
        BARE.replace("a - b", "a + b"),
        {
            "no longer defines add": "def plus(a, b):\n    return a + b",
            "it does not keep the form": "Use a + b.",
        },
    ),
}
