"""What may be committed while some jobs still run, against a model that is plainly right."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from sfc_workers.progress import Progress


@given(st.lists(st.integers(1, 3), max_size=30), st.randoms(use_true_random=False))
def test_the_position_is_behind_the_last_job_before_which_all_are_done(steps: list[int], random: Random) -> None:
    offsets = [sum(steps[: n + 1]) for n in range(len(steps))]  # rising, with gaps
    progress, done = Progress(), set[int]()
    for offset in offsets:
        progress.take(offset)
    order = offsets[:]
    random.shuffle(order)
    for offset in order:
        progress.finish(offset)
        done.add(offset)
        expected = None
        for each in offsets:
            if each not in done:
                break
            expected = each + 1
        assert progress.position == expected
