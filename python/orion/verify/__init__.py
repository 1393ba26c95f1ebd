"""Models on a device against references that were made elsewhere; prints nothing.

`tokens`: ids with the lead of each choice. `logits`: a directory with `expected.npz`, whose
gradients are compared by `gradients`.
"""

from orion.verify.cache_watch import CacheWatch
from orion.verify.gradients import GradientError, verify_gradients
from orion.verify.logits import REFERENCE, LogitsReport, read_reference, verify_logits
from orion.verify.tokens import Report, read_cases, verify

__all__ = [
    "REFERENCE",
    "CacheWatch",
    "GradientError",
    "LogitsReport",
    "Report",
    "read_cases",
    "read_reference",
    "verify",
    "verify_gradients",
    "verify_logits",
]
