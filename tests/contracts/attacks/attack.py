"""What an attack is, and the code that every attack may use."""

from dataclasses import dataclass, field

from dualcode.sandbox.job import MIB, Expressions, Job, Limits

LIMITS = Limits(call_cpu=0.2, total_cpu=0.4, wall=0.8, memory=1024 * MIB, output=4 * MIB, printed=4 << 10)
"""Small, so that what only a limit can end is ended soon."""


@dataclass(frozen=True)
class Attack:
    """A program whose `attack()` tries to do what a jail must not let it do."""

    name: str
    """What it tries, for the table and the test's id."""
    program: str = field(repr=False)
    """It calls `attempt(what, act)` for each thing it tries. It knows where the outside is (`outside.py`)."""
    bare: bool = True
    """Whether it succeeds in a plain process, which proves that the attack itself works. False where that
    would harm this machine, or where only the harness can be attacked."""
    limits: Limits = LIMITS
    before: str | None = None
    """A program that is run first, in a job of its own."""
    capture: bool = False
    drain: bool = False
    call: str = "attack()"
    admitted: str = ""
    """A word by which a tier that does not hold this says so in `Tier.lacks`."""

    def job(self, known: dict[str, object]) -> Job:
        """Return the job that makes the attack; `known` is what it is told of the outside."""
        return self._job(known, self.program)

    def job_before(self, known: dict[str, object]) -> Job | None:
        """Return the job that comes first."""
        return self._job(known, self.before) if self.before else None

    def _job(self, known: dict[str, object], program: str) -> Job:
        return Job(
            program=source(known, program),
            calls=Expressions((self.call,)),
            limits=self.limits,
            capture=self.capture,
            drain=self.drain,
        )


def source(known: dict[str, object], program: str) -> str:
    """Return the whole text of an attack."""
    return "".join(f"{name} = {value!r}\n" for name, value in known.items()) + COMMON + program + RUN


COMMON = '''
import builtins, io, os, posix, sys
from importlib import machinery
achieved, refused = [], []

def take_back():
    """Undo what a harness did to Python: an attacker would, and only the kernel's refusal counts."""
    sys.meta_path[:] = [machinery.BuiltinImporter, machinery.FrozenImporter, machinery.PathFinder]
    builtins.open = io.open
    for name in dir(posix):
        if not name.startswith("_"):
            setattr(os, name, getattr(posix, name))
    for name in [name for name, module in sys.modules.items() if module is None]:
        del sys.modules[name]
    for name in ("shutil", "subprocess"):
        sys.modules.pop(name, None)
    os.kill, os.fork, os.getcwd  # each is there again, or this attack ends here

take_back()

def attempt(what, act, *args):
    """Note what an act did, or why it did not. False means that it did nothing."""
    try:
        got = act(*args)
    except BaseException as error:
        refused.append(f"{what}: {type(error).__name__}: {error}"[:200])
        return None
    if got is False or got is None:
        refused.append(f"{what}: nothing happened")
    else:
        achieved.append(f"{what}: {got!r}"[:300])
    return got

def libc():
    import ctypes
    return ctypes.CDLL(None, use_errno=True)

def syscall(number, *args):
    import ctypes
    args = [ctypes.c_long(each) if isinstance(each, int) else each for each in args]
    told = libc().syscall(ctypes.c_long(number), *args)
    if told == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return f"returned {told}"

def read_path(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 1 << 16).decode("utf-8", "replace")
    finally:
        os.close(descriptor)

'''

RUN = """
def attack(tries=tries):
    tries()
    import json
    return json.dumps({"achieved": achieved[:20], "refused": refused[:40]})
"""
