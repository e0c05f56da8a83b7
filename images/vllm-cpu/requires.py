"""Prints what an installed distribution requires here, but for PyTorch itself."""

import sys
from importlib.metadata import requires

from pip._vendor.packaging.requirements import Requirement

for line in requires(sys.argv[1]):
    r = Requirement(line)
    if r.name != "torch" and (r.marker is None or r.marker.evaluate({"extra": ""})):
        r.marker = None
        print(r)
