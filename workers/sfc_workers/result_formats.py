"""What a ResultWriter's files contain: results as Step Functions writes them, and the manifest that lists the files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sfc.engine.results import MANIFEST, key_of
from sfc_workers.places import encode


def shaped(results: list[dict[str, Any]], transformation: str, blueprint: str) -> Iterator[tuple[int, Any]]:
    """Each result as it is written, with the place of its item. ``results``: ``{"Index", "Flow", "Output"}``, or with ``Error`` and
    ``Cause``. A failure is told as NONE has it, whatever the transformation."""
    for result in results:
        index, flow = result["Index"], result["Flow"]
        around = {"ExecutionArn": flow, "Name": flow.partition(":")[2] or flow, "StateMachineArn": blueprint}
        if "Output" not in result:
            yield index, {**around, "Status": "FAILED", "Error": result.get("Error"), "Cause": result.get("Cause")}
        elif transformation == "NONE":
            output = encode(result["Output"]).decode()
            yield index, {**around, "Status": "SUCCEEDED", "Output": output, "OutputDetails": {"Included": True}}
        elif transformation == "FLATTEN" and isinstance(result["Output"], list):
            for one in result["Output"]:
                yield index, one
        else:
            yield index, result["Output"]


def content_of(values: list[Any], output_type: str) -> bytes:
    """A file with these."""
    if output_type == "JSONL":
        return b"".join(encode(value) + b"\n" for value in values)
    return encode(values)


def name_of(status: str, number: int, output_type: str) -> str:
    """A part's."""
    return f"{status}_{number}.{output_type.lower()}"


def manifest_of(request: dict[str, Any], parameters: dict[str, Any], output_type: str) -> bytes:
    """Which files there are, as Step Functions lists them."""
    sizes: dict[str, list[int]] = request.get("Sizes") or {}
    files = {
        status: [
            {"Key": key_of(parameters, request["Run"], name_of(status, number, output_type)), "Size": size}
            for number, size in enumerate(sizes.get(status, []))
        ]
        for status in ("FAILED", "PENDING", "SUCCEEDED")
    }
    return encode({"DestinationBucket": parameters.get("Bucket", ""), "MapRunArn": request["MapRunArn"], "ResultFiles": files})


def manifest_key(request: dict[str, Any], parameters: dict[str, Any]) -> str:
    """Where it lies below the Bucket."""
    return key_of(parameters, request["Run"], MANIFEST)
