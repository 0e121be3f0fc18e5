"""What would break the promises, before it does: `sfc doctor` looks at brokers, topics, shards and consumer groups, and changes nothing.

::

    examine(log, cluster, names, ...) -> Diagnosis

``accept_rules`` is the one thing that is done on an operator's word.
"""

from sfc.runtime.doctor.accepting import Accepted, accept_rules
from sfc.runtime.doctor.cluster import Broker, Cluster, TopicHealth
from sfc.runtime.doctor.diagnosis import Diagnosis, Finding
from sfc.runtime.doctor.run import examine

__all__ = ["Accepted", "Broker", "Cluster", "Diagnosis", "Finding", "TopicHealth", "accept_rules", "examine"]
