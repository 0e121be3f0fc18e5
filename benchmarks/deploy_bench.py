"""Writes the benchmark's blueprint and tasks to ``sfc.definitions``, as the registry would; prints version, hash and end offset.

deploy_bench.py BLUEPRINT_JSON DELIVERY TASK…       settings from the environment; an empty DELIVERY is the default
"""

from __future__ import annotations

import hashlib
import json
import sys

from sfc.bootstrap import open_site
from sfc.ports import Partition, TopicSpec
from sfc.settings import Settings
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, Definition, TaskHead, TaskVersion, encode_definition, key_of
from sfc.wire.topics import job_topic


def main() -> None:
    document, delivery, *tasks = json.loads(sys.argv[1]), *sys.argv[2:]
    site = open_site(Settings())
    for state in document["States"].values():
        state["Resource"] += "@1"
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    definitions: list[Definition] = []
    for task in tasks:
        definitions += [TaskVersion(task, 1, digest, {"Name": task, **({"Delivery": delivery} if delivery else {})}), TaskHead(task, 1, 1)]
        partitions, config = job_topic(site.shards)
        site.log.create([TopicSpec(site.names.task(task), partitions, config)])
    name = document["Sfc"]["Name"]
    definitions += [BlueprintVersion(name, 1, digest, document), BlueprintHead(name, 1, "enabled", 1)]
    producer = site.log.producer()
    for definition in definitions:
        producer.send(site.names.definitions, encode_definition(definition), key_of(definition).encode(), None, 0)
    producer.flush()
    partition = Partition(site.names.definitions, 0)
    print(json.dumps({"version": 1, "hash": digest, "definitions": site.log.ends([partition])[partition]}))


if __name__ == "__main__":
    main()
