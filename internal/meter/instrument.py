"""Lets llem read another's instrument: JSON lines on stdin and stdout.

Asked: {"op": "open", "kind": "zeus" | "codecarbon", "gpus": [NVML indices],
"country": ISO code}, then {"op": "begin"}, {"op": "end"}; or {"op": "find", "kind":
...}, which looks at what is installed and imports none of it. Answered with one
line each: {"llem": 1, "ok": {...}} or {"llem": 1, "error": text}. The end of stdin
is the end of this process.
"""

import sys

# -c puts the working folder before all others, and anything may lie there.
sys.path[:] = [folder for folder in sys.path if folder]

import json
import os
import platform
import re

# Libraries print on stdout, and what they start may read stdin. These are for the
# protocol alone: what is said goes to the log, on stderr.
questions = os.fdopen(os.dup(0))
answers = os.dup(1)
os.dup2(2, 1)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


class Missing(Exception):
    """What has to be installed first. Its text is for people."""


def versions(package, least):
    """The versions of Python and package, which must be least (major, minor) or newer."""
    install = f"{sys.executable} -m pip install {package}"
    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:  # before 3.8
        raise Missing(f"{sys.executable} is Python {platform.python_version()}, too old for {package}; name another with energy.python or LLEM_PYTHON")
    try:
        have = version(package)
    except PackageNotFoundError:
        raise Missing(f"{sys.executable} has no package {package}; {install}")
    if tuple(int(part) for part in re.findall(r"\d+", str(have))[:2]) < least:
        raise Missing(f"{sys.executable} has {package} {have}, which is older than {least[0]}.{least[1]}; {install} --upgrade")
    return {"python": platform.python_version(), package: have}


class Zeus:
    needs = ("zeus", (0, 10))

    def __init__(self, ask):
        from zeus.monitor import ZeusMonitor

        self.gpus = ask["gpus"]
        self.monitor = ZeusMonitor(gpu_indices=self.gpus, cpu_indices=[])

    def begin(self):
        self.monitor.begin_window("llem", sync_execution=False)
        return {}

    def end(self):
        energy = self.monitor.end_window("llem", sync_execution=False).gpu_energy
        return {"gpu_j": [energy.get(i) for i in self.gpus]}


class CodeCarbon:
    needs = ("codecarbon", (3, 0))

    def __init__(self, ask):
        from codecarbon import OfflineEmissionsTracker

        self.gpus = ask["gpus"]
        self.tracker = OfflineEmissionsTracker(
            country_iso_code=ask["country"],
            gpu_ids=self.gpus,
            measure_power_secs=1,
            output_methods=[],
            allow_multiple_runs=True,
            tracking_mode="machine",
            log_level="warning",
        )
        self.begin()  # what the first task sets up takes seconds
        if self.end()["gpu_total_j"] is None and self.gpus:
            raise Missing("CodeCarbon finds no GPU: nvidia-smi, by which it looks for them, must be in PATH")

    def begin(self):
        self.task = "llem" + os.urandom(4).hex()
        self.tracker.start_task(self.task)
        return {}

    def source(self):
        if getattr(self.tracker, "_force_carbon_intensity_g_co2e_kwh", None) is not None:
            return "CodeCarbon's configuration"
        if getattr(self.tracker, "_electricitymaps_api_token", None):
            return "Electricity Maps"
        return "CodeCarbon's data of countries"

    def end(self):
        e = self.tracker.stop_task(self.task)
        if e is None:
            raise RuntimeError("CodeCarbon did not measure")
        modes = {type(h).__name__: getattr(h, "_mode", "") for h in self.tracker._hardware}
        # Energies are kWh and already times the PUE.
        joules = 3.6e6 / (e.pue or 1)
        return {
            "gpu_total_j": e.gpu_energy * joules if "GPU" in modes and self.gpus else None,
            "cpu_j": e.cpu_energy * joules,
            "cpu_method": modes.get("CPU") or "unknown",
            "ram_j": e.ram_energy * joules,
            "emissions_kg": e.emissions,
            "energy_kwh": e.energy_consumed,
            "source": self.source(),
            "country": e.country_iso_code,
            "pue": e.pue or 1,
        }


KINDS = {"zeus": Zeus, "codecarbon": CodeCarbon}


def answer(ask, instrument):
    """The instrument after a question, and the line that answers it."""
    try:
        if ask["op"] in ("find", "open"):
            kind = KINDS[ask["kind"]]
            ok = {"versions": versions(*kind.needs)}
            if ask["op"] == "open":
                instrument = kind(ask)
        else:
            ok = getattr(instrument, ask["op"])()
        return instrument, json.dumps({"llem": 1, "ok": ok}, allow_nan=False)
    except Missing as e:
        text = str(e)
    except Exception as e:
        text = f"{type(e).__name__}: {e}"
    return instrument, json.dumps({"llem": 1, "error": text[:500]})


def main():
    instrument = None
    for line in questions:
        instrument, text = answer(json.loads(line), instrument)
        # It begins a line, whatever was said before, and is one short write, which
        # a pipe keeps in one piece.
        os.write(answers, f"\n{text}\n".encode())


main()
