from sfc.runtime.timers import Timers


def test_flows_come_in_order_of_due_time_and_id() -> None:
    timers = Timers()
    for flow, due in (("b", 20), ("a", 20), ("c", 10), ("d", 99)):
        timers.set(flow, due)
    assert timers.next_ms() == 10
    assert [timers.pop(20), timers.pop(20), timers.pop(20), timers.pop(20)] == ["c", "a", "b", None]


def test_a_moved_timer_is_due_only_at_its_new_time() -> None:
    timers = Timers()
    timers.set("a", 10)
    timers.set("a", 30)
    assert timers.pop(20) is None
    assert timers.pop(30) == "a"
    assert timers.next_ms() == 0


def test_a_cleared_timer_is_gone() -> None:
    timers = Timers()
    timers.set("a", 10)
    timers.set("a", 0)
    assert timers.pop(100) is None


def test_what_closed_jobs_leave_behind_is_swept() -> None:
    timers = Timers()
    for n in range(50_000):
        timers.set(f"f{n}", 1_000_000 + n)
        timers.set(f"f{n}", 0)
    assert len(timers._heap) < 25_000
