"""Models on a device against references that were made elsewhere; prints nothing.

`tokens`: ids with the lead of each choice. `logits`: a directory with `expected.npz`.
"""

from orion.verify.cache_watch import CacheWatch
from orion.verify.logits import REFERENCE, LogitsReport, read_reference, verify_logits
from orion.verify.tokens import Report, read_cases, verify

__all__ = [
    "REFERENCE",
    "CacheWatch",
    "LogitsReport",
    "Report",
    "read_cases",
    "read_reference",
    "verify",
    "verify_logits",
]
