"""What a command means for a flow. The contract, settled before its body::

    decide(program, flow, command, shard, offset) -> Decision(flow, events, effects)

``flow`` is None where the shard knows none of that id. ``decide`` applies ``evolve`` to each event as it is decided, so that later events
see the state that earlier ones made; the flow passed in is changed, and only by evolve. ``Decision.flow`` is None
when nothing is to be kept (forgotten, or never was).
"""
