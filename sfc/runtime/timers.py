"""The due order of a shard's flows. Derived from their states, never written: what is due the flow's state says (EXACTLY-ONCE 7)."""

from __future__ import annotations

import heapq


class Timers:
    """A heap of (due time, flow id) with lazy removal."""

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def set(self, flow_id: str, due_ms: int) -> None:
        """The flow's next timer; 0 for none."""
        if not due_ms:
            self._due.pop(flow_id, None)
        elif self._due.get(flow_id) != due_ms:
            self._due[flow_id] = due_ms
            heapq.heappush(self._heap, (due_ms, flow_id))
            # Every job has a deadline days ahead, and most are closed in milliseconds: what they leave behind is swept at times.
            if len(self._heap) > 2 * len(self._due) + 10_000:
                self._heap = [(due, flow) for flow, due in self._due.items()]
                heapq.heapify(self._heap)

    def next_ms(self) -> int:
        """When the first is due; 0 when there is none."""
        while self._heap:
            due_ms, flow_id = self._heap[0]
            if self._due.get(flow_id) == due_ms:
                return due_ms
            heapq.heappop(self._heap)
        return 0

    def pop(self, until_ms: int) -> str | None:
        """The first flow that is due by ``until_ms``, in order of due time and flow id; it leaves the order."""
        due_ms = self.next_ms()
        if not due_ms or due_ms > until_ms:
            return None
        _, flow_id = heapq.heappop(self._heap)
        del self._due[flow_id]
        return flow_id

    def __len__(self) -> int:
        return len(self._due)
