package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// outside are doctor's findings of what is not of this process or this host's
// hardware: Docker, Zeus's daemon, Zeus and CodeCarbon.
func (h *host) outside() map[string]finding {
	h.t.Helper()
	var list []finding
	decodeJSON(h.t, h.llem("doctor", "--json").stdout, &list)
	found := map[string]finding{}
	for _, f := range list {
		if slices.Contains([]string{"docker", "zeusd", "zeus", "codecarbon"}, f.What) {
			found[f.What] = f
		}
	}
	return found
}

func checkFinding(t *testing.T, f finding, state, seen, remedy string) {
	t.Helper()
	if f.State != state || !strings.Contains(f.Seen, seen) || !strings.Contains(f.Remedy, remedy) {
		t.Errorf("%+v; want %s, %q, %q", f, state, seen, remedy)
	}
}

func TestDoctorNamesInstruments(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{}, standin.GPU{})
	h.python()
	h.zeusd()
	found := h.outside()
	checkFinding(t, found["zeusd"], "ok", "for 2 GPUs", "")
	checkFinding(t, found["zeus"], "ok", "0.16", "")
	checkFinding(t, found["codecarbon"], "ok", "3.3", "")
}

func TestDoctorSaysHowToInstallInstruments(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	bare := h.path("bare-python")
	if err := os.WriteFile(bare, []byte("#!/bin/sh\nexec python3 -I -S \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.set("LLEM_PYTHON", bare)
	found := h.outside()
	checkFinding(t, found["zeusd"], "optional", "no-zeusd", "zeusd serve --enable gpu-read --socket-path "+h.path("no-zeusd"))
	checkFinding(t, found["zeus"], "optional", "has no package zeus", "-m pip install zeus")
	checkFinding(t, found["codecarbon"], "optional", "has no package codecarbon", "-m pip install codecarbon")
	h.set("LLEM_PYTHON", h.path("no-python"))
	checkFinding(t, h.outside()["zeus"], "optional", "no-python", "LLEM_PYTHON")
	h.set("LLEM_ENERGY_PYTHON", h.path("users-python")) // as energy.python of the user's file
	checkFinding(t, h.outside()["zeus"], "optional", "users-python", "energy.python")
	h.set("LLEM_ENERGY_PYTHON", " ")
	checkFinding(t, h.outside()["codecarbon"], "lacking", "LLEM_ENERGY_PYTHON", "mend it")
}

// Daemons and a Python that never answer cost some seconds, and once.
func TestDoctorDoesNotHang(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	deaf := h.path("deaf-python")
	if err := os.WriteFile(deaf, []byte("#!/bin/sh\nsleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "zeusd") // a socket's path may have 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h.set("LLEM_PYTHON", deaf)
	h.set("ZEUSD_SOCK_PATH", l.Addr().String())
	h.set("DOCKER_HOST", "unix://"+l.Addr().String())
	begun := time.Now()
	found := h.outside()
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
	checkFinding(t, found["docker"], "broken", "no Docker daemon answers", "start it")
	checkFinding(t, found["zeusd"], "optional", "does not answer", "zeusd serve")
	checkFinding(t, found["zeus"], "optional", "did not answer in 5s", "LLEM_PYTHON")
	checkFinding(t, found["codecarbon"], "optional", "did not answer in 5s", "LLEM_PYTHON")
}
