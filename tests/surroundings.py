"""What the tests find around them: the same, whoever starts them. A test sets what it is about itself."""

import os

from hypothesis import HealthCheck, settings

_NAMES = frozenset({
    "COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE",
    "TTY_INTERACTIVE", "LANG", "LANGUAGE", "TZ", "MPLBACKEND", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
    "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
})  # fmt: skip
_PREFIXES = ("PYTHON", "LC_", "VLLM_", "OPENAI_", "CUDA_")
_OURS = frozenset({"PYTHONPATH"})
"""What of these says where the tested code lies."""


def settle() -> None:
    """Forget what the shell of whoever starts the tests may have set; draw the same examples everywhere.

    How long an example takes is left out of account: the machine may be busy.
    """
    settings.register_profile(
        "any machine",
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("any machine")
    for name in list(os.environ):
        if name not in _OURS and (name.upper() in _NAMES or name.startswith(_PREFIXES)):
            del os.environ[name]
    os.environ["LANG"] = "C.UTF-8"
    os.environ["DUALCODE_WAIT_FOR_SERVER"] = "0"  # scripted servers that are lost do not come back
    os.umask(0o022)
