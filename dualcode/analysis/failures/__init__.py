"""Why a pipeline lost tasks that the baseline had solved: rules over the two programs and the verdict.

  runs ── regression ──> Case ── rules: imports, signatures, text, guards ──> Finding ──> Regression

No program is run or imported: programs are text, read with `ast` and `symtable`, bounded in size and depth.
`docs/failures.md` has the classes, the precedence and how often the rules agree with a reader.
"""

from dualcode.analysis.failures.regression import regressions
from dualcode.analysis.failures.taxonomy import CLASSES, FailureClass, Regression, Regressions, Sign

__all__ = ["CLASSES", "FailureClass", "Regression", "Regressions", "Sign", "regressions"]
