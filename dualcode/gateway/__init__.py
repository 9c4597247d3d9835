"""The gateway: the pair as one model of an OpenAI-compatible server, for editors, agents and scripts.

    request ── protocol (read, refuse) ── catalogue (whose name) ── routing ──┬── pair: conversation
                                                                             ├── function: a pipeline
                                                                             └── alone: raw, one model
    voice: what the work says while it goes on ── answers (chunks, comments, one object) ──> client

`app.py` has the routes, `service.py` a request's way through them, `edits.py` the clients' forms of edits.
"""
