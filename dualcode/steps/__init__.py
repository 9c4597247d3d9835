"""The vocabulary of interaction: each step is one purposeful exchange with a model."""

from dualcode.steps.claims import Claim, Tried, state, try_claims, try_findings
from dualcode.steps.enrichment import Enrichment, Probe, enrich, probe
from dualcode.steps.review import Choice, Finding, Review, choose, critique
from dualcode.steps.writing import Failed, fix, implement, mend, plan, synthesize, write

__all__ = [
    "Choice",
    "Claim",
    "Enrichment",
    "Failed",
    "Finding",
    "Probe",
    "Review",
    "Tried",
    "choose",
    "critique",
    "enrich",
    "fix",
    "implement",
    "mend",
    "plan",
    "probe",
    "state",
    "synthesize",
    "try_claims",
    "try_findings",
    "write",
]
