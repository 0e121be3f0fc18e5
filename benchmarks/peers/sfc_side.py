"""SFC's engine, worker and client, as ``make bench`` runs them. A flow is done when its reply record is read."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from load import arguments

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import Sfc

a = arguments("deploy", "drive")
if a.mode == "drive":
    sfc = Sfc(os.environ["PEER_KAFKA"])
    try:
        sfc.measure(20, a.warm)
        for at_once in a.open:
            print(json.dumps({"open": at_once, **sfc.measure(at_once, a.seconds)}), flush=True)
    finally:
        sfc.close()
