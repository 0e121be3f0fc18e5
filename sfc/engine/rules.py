"""The rules number: it changes when ``decide`` would decide something else for the same commands (EXACTLY-ONCE 10).

1: Task, Choice, Parallel, Pass, Wait, Succeed, Fail; holds of blueprints.
2: holds of versions, groups and tasks. No log of rules 1 has any, but a flow that is started or redriven under a blueprint's hold now
says that it ``stood``, its frozen time is counted from there, and a States.Timeout says what was awaited.
3: signals, child flows and distributed Maps. No log of rules 2 has any, and an engine of rules 2 could not read them. What is too large
or too deep fails before it is written (payloads of a Parallel, nesting, one decision's history), and a flow that ends too large is kept
bare: such commands brought an engine of rules 2 down, and it committed nothing of them. JSONata (its limits of steps, depth and sizes,
and the release of jlens that pyproject.toml names, are part of what is decided), variables and chance, which no log of rules 2 has; Map,
which none has either; a Parallel of more than 2,000 transitions in one go yields, where it failed after 10,000; what a ``topic:`` state
sends is kept as its result, and no longer told again when the state is left; a JSONPath filter that asks whether something is there finds
an empty list too; readers of items and writers of results, which no log of rules 2 has. A number that no double holds and half of a
surrogate pair fail where ``StringToJson`` and ``$parse`` read them; they became null, or stopped the decision.
"""

RULES = 3
