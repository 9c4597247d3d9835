"""The vocabulary of interaction: each step is one purposeful exchange with a model."""

from dualcode.steps.choice import Choice, choose
from dualcode.steps.draft import Failed, implement, synthesize, write
from dualcode.steps.enrichment import Enrichment, enrich
from dualcode.steps.fix import fix, mend
from dualcode.steps.plan import plan
from dualcode.steps.probes import Probe, probe
from dualcode.steps.review import Finding, Review, critique

__all__ = [
    "Choice",
    "Enrichment",
    "Failed",
    "Finding",
    "Probe",
    "Review",
    "choose",
    "critique",
    "enrich",
    "fix",
    "implement",
    "mend",
    "plan",
    "probe",
    "synthesize",
    "write",
]
