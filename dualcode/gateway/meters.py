"""What `GET /metrics` tells: prometheus's counters of one gateway."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from dualcode.call import Usage
from dualcode.gateway.admission import Admission
from dualcode.gateway.conversation import Outcome

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600)


class Meters:
    """The counters, on a registry of their own."""

    def __init__(self, admission: Admission) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "dualcode_gateway_requests_total", "Requests by model, way and how they ended",
            ["model", "path", "status"], registry=self._registry,
        )  # fmt: skip
        self.tokens = Counter(
            "dualcode_gateway_tokens_total", "Tokens of all calls", ["kind"], registry=self._registry
        )
        self.reviewed = Counter(
            "dualcode_gateway_drafts_total", "Drafts that were reviewed, by what came of it", ["outcome"],
            registry=self._registry,
        )  # fmt: skip
        self.findings = Counter(
            "dualcode_gateway_findings_total", "Findings of reviews, untried", registry=self._registry
        )
        self.first = Histogram(
            "dualcode_gateway_first_delta_seconds", "Time to the first delta", buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self.whole = Histogram(
            "dualcode_gateway_request_seconds", "Time to the end", ["path"], buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        inside = Gauge(
            "dualcode_gateway_requests_inside", "Requests at work or waiting", registry=self._registry
        )
        inside.set_function(lambda: admission.inside)
        waiting = Gauge("dualcode_gateway_requests_waiting", "Requests waiting", registry=self._registry)
        waiting.set_function(lambda: admission.waiting)

    def count(self, usage: Usage) -> None:
        """Count the tokens of a piece of work."""
        self.tokens.labels("prompt").inc(usage.prompt_tokens)
        self.tokens.labels("completion").inc(usage.completion_tokens)
        self.tokens.labels("reasoning").inc(usage.reasoning_tokens)

    def judge(self, outcome: Outcome) -> None:
        """Count what came of a review."""
        if outcome.amended is not None:
            word = "refused" if outcome.refused else "amended" if outcome.amended else "stood"
            self.reviewed.labels(word).inc()
        self.findings.inc(len(outcome.findings))

    def page(self) -> bytes:
        """Return the page."""
        return generate_latest(self._registry)
