package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

// cpu plays a CPU package of constant power, and its memory of a tenth of it.
// The counter wraps every second.
func (h *host) cpu(watts float64) {
	h.t.Helper()
	write := func(zone, file, text string) {
		dir := h.path(filepath.Join("powercap", zone))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			h.t.Error(err)
		}
		next := filepath.Join(dir, "."+file)
		if err := os.WriteFile(next, []byte(text+"\n"), 0o644); err != nil {
			h.t.Error(err)
		}
		if err := os.Rename(next, filepath.Join(dir, file)); err != nil {
			h.t.Error(err)
		}
	}
	limit := uint64(50 * watts * 1e6)
	begun := time.Now()
	now := func() {
		uj := uint64(watts * 1e6 * time.Since(begun).Seconds())
		write("intel-rapl:0", "energy_uj", strconv.FormatUint((limit-uint64(watts*1e6)+uj)%limit, 10))
		write("intel-rapl:0:0", "energy_uj", strconv.FormatUint(uj/10, 10))
		write("intel-rapl:1", "energy_uj", strconv.FormatUint(2*uj, 10))
	}
	for zone, name := range map[string]string{"intel-rapl:0": "package-0", "intel-rapl:0:0": "dram", "intel-rapl:1": "psys"} {
		write(zone, "name", name)
		write(zone, "max_energy_range_uj", strconv.FormatUint(limit, 10))
	}
	now()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				now()
			}
		}
	}()
	h.t.Cleanup(func() { close(stop); <-done })
}

func checkHost(t *testing.T, e *result.HostEnergy, seconds, watts float64) {
	t.Helper()
	if e == nil || e.Method != "rapl" {
		t.Fatalf("host %+v", e)
	}
	// The counters are played by this process, which a busy host lets wait.
	const late = 0.5
	within(t, "package_j", e.PackageJ, watts*seconds, watts*late)
	within(t, "dram_j", e.DRAMJ, watts*seconds/10, watts/10*late)
}

func TestHostEnergyStandsBesideTheGPUs(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 300})
	h.cpu(120)
	o := h.llem(h.quick("--gpus", "0")...)
	r := o.record(t)
	if o.code != 0 || !strings.Contains(o.stdout, "in no figure above, by rapl") {
		t.Fatalf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	checkHost(t, r.Energy.Host, *r.WindowSeconds, 120)
	within(t, "energy_total_j", r.EnergyTotalJ, 300**r.WindowSeconds, 300**r.WindowSeconds/50+30)

	var c result.Command
	decodeJSON(t, h.llem("measure", "--json", "--", "sleep", "2").stdout, &c)
	checkHost(t, c.Runs[0].Host, c.Runs[0].Seconds, 120)
	within(t, "energy_total_j", c.Runs[0].EnergyTotalJ, 300*c.Runs[0].Seconds, 10+3**c.Runs[0].URepeatabilityJ)
}

func TestMeasureOnAHostWithoutAGPU(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cpu(80)
	var c result.Command
	decodeJSON(t, h.llem("measure", "--json", "--timeseries", h.path("none.parquet"), "--", "sleep", "2").stdout, &c)
	checkHost(t, c.Runs[0].Host, c.Runs[0].Seconds, 80)
	if c.Runs[0].EnergyTotalJ != nil || len(c.GPUs) != 0 {
		t.Errorf("%+v", c.Runs[0])
	}
	if o := h.llem("measure", "--", "true"); o.code != 0 || !strings.Contains(o.stderr, "no NVIDIA GPU") || !strings.Contains(o.stderr, "memory") {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
	if o := h.llem("doctor"); !strings.Contains(o.stdout, "RAPL, 2 domains") {
		t.Errorf("doctor:\n%s", o.stdout)
	}
}

// Only root may read the counters on a kernel since 5.10: doctor and a run that
// insists name the file and the command that allows it.
func TestHostEnergyThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	insists := h.config("engine: {image: llem-test/engine}\nmodel: reference/tiny\nworkload: {prompts: 1}\nenergy: {host: rapl, backend: none}\n")
	h.llem("run", "--quick", insists).refused(t, exitUsage, "energy.host rapl is not available", "no RAPL")
	zone := h.path("powercap/intel-rapl:0")
	if err := os.Mkdir(zone, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"name": "package-0\n", "energy_uj": "1\n"} {
		if err := os.WriteFile(filepath.Join(zone, file), []byte(text), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(zone, "name"), 0o444); err != nil {
		t.Fatal(err)
	}
	out := h.asNobody("doctor").stdout
	for _, want := range []string{"host energy", filepath.Join(zone, "energy_uj"), "sudo chmod a+r"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("doctor does not say %q:\n%s", want, out)
		}
	}
}
