"""The ledger: a content-addressed store of model calls. The same request to the same model is paid for once.

A call's key is the SHA-256 of the model's fingerprint and the whole request (`fingerprint.py`). `LedgerChat`
wraps a chat model: it answers what the ledger knows, and asks and keeps the rest. Only finished, error-free
replies are kept. A replayed reply carries its original tokens, attempts and times, each attempt marked
`from_ledger`: a run accounts its calls as if alone, and beside that what it really spent.

**The store is SQLite in WAL mode**, one file for all runs of a folder. A commit is a whole entry or nothing;
many processes write to one file; statistics are a query; deleted space is given back. diskcache is SQLite
too, but evicts silently at a size limit unless told not to, pickles values, and locks by polling a row that
a killed owner leaves behind. One file an entry would be as safe, but statistics and pruning would open every
one of them. WAL needs a local file system.

**Durability** is `synchronous=NORMAL`: a commit is in the kernel's hands when it returns, so kill -9 loses
nothing; a power cut may lose the last commits, whole, and never corrupts the file.

**Claims** (one task or process asks, the others wait for its reply) and the turn to write are the kernel's
byte-range locks on `claims.lock`: they end with their process, however it ends, so nobody waits for the dead.
Since one process writes at a time, checkpoints included, SQLite's WAL-reset bug (before 3.51.3) cannot occur.
"""

from dualcode.models.ledger.chat import Ledger, LedgerChat, behind_ledger
from dualcode.models.ledger.fingerprint import Fingerprint, identify, key_of
from dualcode.models.ledger.stats import Entries, LedgerStats, ModelStats, Pruned
from dualcode.models.ledger.store import FOLDER, LedgerStore

__all__ = [
    "FOLDER",
    "Entries",
    "Fingerprint",
    "Ledger",
    "LedgerChat",
    "LedgerStats",
    "LedgerStore",
    "ModelStats",
    "Pruned",
    "behind_ledger",
    "identify",
    "key_of",
]
