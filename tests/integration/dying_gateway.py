"""The edit of a gateway that is killed, or stopped: ``python dying_gateway.py WHERE TASK``, with the settings of a gateway in its
environment."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import nullcontext
from typing import Any

from sfc.adapters.kafka.transaction import KafkaTransaction
from sfc.bootstrap import open_site
from sfc.ports import Transaction
from sfc.registry import Outbox, Registry
from sfc.settings import load_settings


def die(*_args: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(where: str, task: str) -> None:
    site = open_site(load_settings())
    registry = Registry(site.settings.database_url(), site.clock)
    outbox = Outbox(registry, site.log, site.names, site.shards)
    if where == "before-the-commit":
        take = site.log.transaction

        def transaction(transactional_id: str) -> Transaction:
            made = take(transactional_id)
            made.commit = die  # type: ignore[method-assign]
            return made

        site.log.transaction = transaction  # type: ignore[method-assign]
    elif where.startswith("stopped-before-the-commit"):
        take = site.log.transaction

        def stopping(transactional_id: str) -> Transaction:
            made, site.log.transaction = take(transactional_id), take  # type: ignore[method-assign]
            assert isinstance(made, KafkaTransaction)
            commit = made.commit

            def late() -> None:
                if where.endswith("with-all-sent"):
                    made._client.flush()
                os.kill(os.getpid(), signal.SIGSTOP)
                commit()

            made.commit = late  # type: ignore[method-assign]
            return made

        site.log.transaction = stopping  # type: ignore[method-assign]
    elif where == "before-marking":
        registry.mark_published = die  # type: ignore[method-assign, assignment]
    # Nobody else publishes between the edit and the death: this gateway has the turn.
    with registry.alone("outbox", 10.0):
        registry.deploy([(f"{task}.yaml", {"Name": task})])
        registry.alone = lambda *_args: nullcontext(True)  # type: ignore[method-assign, assignment]
        if where != "before-publishing":
            outbox.step()
        if not where.startswith("stopped"):
            die()
    print("rows that still wait:", len(registry.unpublished()))


main(*sys.argv[1:])
