"""The name of a request: equal if and only if nothing that can change the reply differs."""

import hashlib
import json

from dualcode.call import Request
from dualcode.models.ledger.fingerprint import Fingerprint, canonical


def key_of(fingerprint: Fingerprint, request: Request) -> bytes:
    """Return the 32 bytes that the reply to `request` is kept under.

    Every field of the request counts, those at their defaults too: a default that changes later must not
    bring back an old reply. A schema counts as written, not sorted: a server that is held to it writes the
    properties in its order.
    """
    schema = None if request.json_schema is None else json.dumps(request.json_schema)
    asked = request.model_dump(mode="json", exclude={"json_schema"}) | {"json_schema": schema}
    return hashlib.sha256(canonical({"model": fingerprint.digest, "request": asked})).digest()
