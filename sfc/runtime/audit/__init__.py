"""Reads the log and checks what must be true of it: `sfc audit`.

::

    audit(log, names, scope) -> AuditReport

Only the Log port is used, and nothing is written. One shard is looked at at a time; of a flow a few numbers and its state stay in memory.
Engines may run meanwhile: what could be the moving end is looked at again, and left out (``unsettled``) while it moves.
"""

from sfc.runtime.audit.report import CODES, AuditReport, Finding, Scope
from sfc.runtime.audit.run import audit

__all__ = ["CODES", "AuditReport", "Finding", "Scope", "audit"]
