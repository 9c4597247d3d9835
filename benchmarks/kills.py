"""Kill -9 at so many random moments of `--pipeline all`, each resumed, against a scripted server.

    python benchmarks/kills.py [--times 100] [--seed 7]

The records are compared with those of a run that nobody disturbed, and what was asked with what the ledger
had when it was killed. Any difference ends it with an error.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.runs.test_kill import kill_and_resume


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        kills = kill_and_resume(Path(root), options.times, options.seed)
    found = {
        "kills": len(kills),
        "moments": len({each.asked for each in kills}),
        "requests": kills[-1].asked,
        "unpaid when killed": dict(sorted(Counter(each.unpaid for each in kills).items())),
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
