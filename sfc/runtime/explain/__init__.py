"""Why does this flow not move? What it waits for, what holds it, and a command that helps: `sfc explain`.

::

    explain(flow_id, find, facts, history) -> Explanation

``find`` gives a flow's committed state (the flow index's history, folded, or ``sfc.state``); ``history`` its events; ``facts``
asks the log about shards, topics and consumer groups. Nothing is written.
"""

from sfc.runtime.explain.explanation import ChildExplanation, Explanation, Reason
from sfc.runtime.explain.facts import Facts
from sfc.runtime.explain.finding import folded, in_state
from sfc.runtime.explain.run import explain

__all__ = ["ChildExplanation", "Explanation", "Facts", "Reason", "explain", "folded", "in_state"]
