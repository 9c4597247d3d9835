"""The vocabulary of interaction: each step is one purposeful exchange with a model."""

from dualcode.steps.choice import Choice, choose
from dualcode.steps.claims import Claim, Tried, state, try_claims, try_findings
from dualcode.steps.draft import Failed, implement, synthesize, write
from dualcode.steps.enrichment import Enrichment, enrich
from dualcode.steps.fix import fix, mend
from dualcode.steps.plan import plan
from dualcode.steps.probes import Probe, probe
from dualcode.steps.review import Finding, Review, critique

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
