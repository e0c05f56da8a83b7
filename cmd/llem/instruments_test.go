package main

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

// installed is a file of scripts/instruments' folder: the real Zeus, its daemon
// and the real CodeCarbon.
func installed(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(os.Getenv("LLEM_TEST_INSTRUMENTS"), name)
	if _, err := os.Stat(path); os.Getenv("LLEM_TEST_INSTRUMENTS") == "" || err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed: make test does it", name)
		}
		t.Skipf("%s is not installed: LLEM_TEST_INSTRUMENTS=$(scripts/instruments) does it", name)
	}
	return path
}

// python gives the host a Python with Zeus and CodeCarbon.
func (h *host) python() string {
	h.t.Helper()
	path := installed(h.t, "python/bin/python")
	h.set("LLEM_PYTHON", path)
	return path
}

// smi gives the host an nvidia-smi, which is all by which CodeCarbon looks for
// GPUs; it reads them through NVML.
func (h *host) smi() {
	h.t.Helper()
	if err := os.Mkdir(h.path("bin"), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(h.path("bin/nvidia-smi"), []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		h.t.Fatal(err)
	}
	h.set("PATH", h.path("bin")+":"+os.Getenv("PATH"))
}

// zeusd starts Zeus's daemon on the host's GPUs.
func (h *host) zeusd() {
	h.t.Helper()
	dir, err := os.MkdirTemp("", "zeusd") // a socket's path may have 108 bytes
	if err != nil {
		h.t.Fatal(err)
	}
	socket := filepath.Join(dir, "sock")
	var log output
	cmd := exec.Command(installed(h.t, "bin/zeusd"), "serve", "--socket-path", socket, "--enable", "gpu-read", "--num-workers", "1")
	cmd.Env, cmd.Stdout, cmd.Stderr = h.env, &log, &log
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		os.RemoveAll(dir)
		if h.t.Failed() {
			h.t.Logf("zeusd:\n%s", log.String())
		}
	})
	h.set("ZEUSD_SOCK_PATH", socket)
	until(h.t, "zeusd's socket", func() bool { _, err := os.Stat(socket); return err == nil })
}

// checkAgree holds the figure and every cross-check to the truth and to each
// other, each within three times its own uncertainty and a stall.
func checkAgree(t *testing.T, r *result.Record, truth float64, methods ...string) {
	t.Helper()
	if r.EnergyTotalJ == nil || r.Energy.URepeatabilityJ == nil {
		t.Fatalf("no figure: %+v", r.Energy)
	}
	u := *r.Energy.URepeatabilityJ
	within(t, r.Energy.Method, r.EnergyTotalJ, truth, 3*u+stall)
	seen := map[string]bool{}
	for _, c := range r.Energy.CrossChecks {
		seen[c.Method] = true
		if c.UJ == nil || c.DifferenceJ == nil {
			t.Errorf("%+v", c)
			continue
		}
		unread := 0.0
		if c.Method == "power_integral" { // a busy host lets requests and readings wait at once: pauses of the load go unread
			unread = truth * 3e-3
		}
		within(t, c.Method, &c.EnergyJ, truth, 3**c.UJ+unread+stall)
		within(t, c.Method+"'s difference", c.DifferenceJ, 0, 3*math.Hypot(u, *c.UJ)+unread+stall)
	}
	for _, m := range methods {
		if !seen[m] {
			t.Errorf("%s is not among the cross-checks %+v", m, r.Energy.CrossChecks)
		}
	}
	if u > truth/20 {
		t.Errorf("an uncertainty of %g J in %g J proves nothing", u, truth)
	}
}

// The daemon owns the figure, the Python package and NVML check it, all in one
// run over a load whose truth is known.
func TestZeusAgreesWithNVML(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60}, standin.GPU{Power: 500})
	h.python()
	h.zeusd()
	h.set("CUDA_VISIBLE_DEVICES", "0") // which must not renumber GPUs for the child
	o := h.llem("run", "-o", h.path("out"), "--energy-backend", "zeus", h.full("0", "60", "300"))
	r := o.record(t)
	if o.code != 0 || r.Energy.Backend != "zeus" || r.Energy.Method != "zeusd" || !r.Energy.Valid {
		t.Fatalf("exit %d, backend %s, method %s\n%s", o.code, r.Energy.Backend, r.Energy.Method, o.stderr)
	}
	from := standin.At(*r.WindowStart)
	truth, err := h.gpus.Truth(0, from, from+time.Duration(*r.WindowSeconds*float64(time.Second)))
	if err != nil {
		t.Fatal(err)
	}
	checkAgree(t, r, truth, "counter_edge_aligned", "power_integral", "zeus")
	if i := r.Energy.Instruments; len(i) != 2 || i[1].Versions["zeus"] == "" || i[1].Versions["python"] == "" || i[0].EarlyMS == nil || *i[0].EarlyMS < 0 || *i[0].LateMS < 0 {
		t.Errorf("instruments %+v", i)
	}
	if r.Energy.Components["call_delay"] <= 0 || r.Energy.PerGPU[0].Method != "zeusd" || *r.Energy.PerGPU[0].EnergyJ != *r.EnergyTotalJ {
		t.Errorf("components %v, per GPU %+v", r.Energy.Components, r.Energy.PerGPU)
	}
	adjusted := truth - 60**r.WindowSeconds
	within(t, "energy_adjusted_j", r.EnergyAdjustedJ, adjusted, 3**r.Energy.UAdjustedJ+stall)
	v := h.llem("verify", o.dirs[0])
	if v.code != 0 || !strings.Contains(v.stdout, "counter_edge_aligned") || !strings.Contains(v.stdout, "energy_adjusted_j") {
		t.Errorf("verify: exit %d\n%s", v.code, v.stdout)
	}
	checkZeusTampering(t, h, o.dirs[0], r)
}

// checkZeusTampering doubles what Zeus's Python package said, which nothing but its
// difference to the figure tells.
func checkZeusTampering(t *testing.T, h *host, dir string, r *result.Record) {
	t.Helper()
	at := slices.IndexFunc(r.Energy.CrossChecks, func(c result.CrossCheck) bool { return c.Method == "zeus" })
	path := filepath.Join(dir, result.RecordFile)
	sound, err := os.ReadFile(path)
	if err != nil || at < 0 {
		t.Fatalf("%v, cross-checks %+v", err, r.Energy.CrossChecks)
	}
	check := fmt.Sprintf("energy.cross_checks[%d]", at)
	if err := os.WriteFile(path, doubled(t, sound, check+".energy_j"), 0o644); err != nil {
		t.Fatal(err)
	}
	if v := h.llem("verify", dir); v.code != exitFailed || !strings.Contains(v.stdout, "differs  "+check+".difference_j ") {
		t.Errorf("a doubled total of Zeus: exit %d\n%s", v.code, v.stdout)
	}
}

// auto takes Zeus where it is, the daemon before Python, several GPUs too.
func TestAutoPrefersZeus(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100}, standin.GPU{Power: 300, Phase: 40 * time.Millisecond})
	h.python()
	config := h.config("engine: {image: " + image + ", args: {x-pace: 10}}\nmodel: reference/tiny\ngpus: [1, 0]\nparallel: {tensor: 2}\nworkload: {prompts: 8, max_output_tokens: 100}\n")
	r := h.llem("run", "--quick", "-o", h.path("out"), config).record(t)
	if r.Energy.Method != "zeus" || len(r.Energy.Instruments) != 1 {
		t.Fatalf("%+v", r.Energy)
	}
	checkAgree(t, r, 400**r.WindowSeconds, "counter_edge_aligned")
	within(t, "GPU 1", r.Energy.PerGPU[0].EnergyJ, 300**r.WindowSeconds, 300*0.3)
	if err := os.RemoveAll(h.path("out")); err != nil {
		t.Fatal(err)
	}
	h.zeusd()
	r = h.llem("run", "--quick", "-o", h.path("out"), config).record(t)
	if r.Energy.Method != "zeusd" || len(r.Energy.Instruments) != 1 {
		t.Fatalf("%+v", r.Energy)
	}
	checkAgree(t, r, 400**r.WindowSeconds, "counter_edge_aligned")
}

func TestBackendsThatAreNotThere(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100})
	h.llem(h.quick("--energy-backend", "zeus")...).refused(t, exitUsage, "energy.backend zeus is not available", "no-zeusd", "no-python", "LLEM_PYTHON")
	bare := newHost(t)
	bare.llem(bare.quick("--energy-backend", "zeus")...).refused(t, exitUsage, "energy.backend zeus is not available", "no NVIDIA driver")
	for _, h := range []*host{h, bare} {
		// A Python without what this host may have installed for its own.
		bare := h.path("bare-python")
		if err := os.WriteFile(bare, []byte("#!/bin/sh\nexec python3 -I -S \"$@\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		h.set("LLEM_PYTHON", bare)
		h.llem(h.quick("--energy-backend", "codecarbon")...).refused(t, exitUsage, "energy.backend codecarbon is not available", "-m pip install codecarbon")
	}
	h.llem(h.quick("--energy-backend", "zeus")...).refused(t, exitUsage, "-m pip install zeus", "no-zeusd")
	// auto goes without what is not there, and says so where it matters.
	o := bare.llem(bare.quick()...)
	if r := o.record(t); o.code != 0 || r.EnergyTotalJ != nil || r.Energy.Backend != "none" || !strings.Contains(o.stdout, "NO ENERGY FIGURE") {
		t.Errorf("exit %d\n%s", o.code, o.stdout)
	}
	if r := h.llem(h.quick("--gpus", "0")...).record(t); r.Energy.Backend != "nvml" {
		t.Errorf("backend %s", r.Energy.Backend)
	}
}

// A child that is killed in the window costs its figure and nothing else.
func TestAChildThatDiesInTheWindow(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 300})
	python := h.python()
	c := h.start(h.quick("--gpus", "0", "--energy-backend", "zeus", h.slow(8))...)
	c.reach("window")
	time.Sleep(time.Second)
	pids := childrenOf(t, c.Process.Pid, python)
	if len(pids) != 1 {
		t.Fatalf("children %v", pids)
	}
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	o := c.finish()
	h.clean(c.Process.Pid)
	r := o.record(t)
	if o.code != 0 || r.EnergyTotalJ != nil || r.Energy.Valid || !strings.Contains(strings.Join(r.Energy.Reasons, ""), "zeus: its Python child ended (signal: killed)") {
		t.Errorf("exit %d, %+v", o.code, r.Energy)
	}
	if !strings.Contains(strings.Join(r.MeasurementWarnings, "\n"), "energy_unavailable") || !strings.Contains(o.stdout, "NO ENERGY FIGURE") {
		t.Errorf("warnings %v\n%s", r.MeasurementWarnings, o.stdout)
	}
	for _, check := range r.Energy.CrossChecks {
		within(t, check.Method, &check.EnergyJ, 300**r.WindowSeconds, 300**r.WindowSeconds/50)
	}
	if len(r.Energy.CrossChecks) != 2 {
		t.Errorf("cross-checks %+v, want NVML's two", r.Energy.CrossChecks)
	}
}

// An interrupt, and a kill of llem itself, leave no child behind.
func TestNoChildIsLeftBehind(t *testing.T) {
	t.Parallel()
	for _, sig := range []os.Signal{os.Interrupt, os.Kill} {
		h := newHost(t, standin.GPU{Power: 300})
		python := h.python()
		c := h.start(h.quick("--gpus", "0", "--energy-backend", "zeus", h.slow(100))...)
		c.reach("window")
		pids := childrenOf(t, c.Process.Pid, python)
		if len(pids) != 1 {
			t.Fatalf("children %v", pids)
		}
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		until(t, "the child is gone", func() bool { return syscall.Kill(pids[0], 0) != nil })
		for _, id := range containers(t, c.Process.Pid) {
			dockerCLI(t, "rm", "-f", id) // of the llem that was killed
		}
	}
}

// childrenOf are the processes below pid that run program.
func childrenOf(t *testing.T, pid int, program string) (pids []int) {
	t.Helper()
	out, _ := exec.Command("pgrep", "-P", strconv.Itoa(pid), "-f", program).Output() // none is an error
	for _, f := range strings.Fields(string(out)) {
		p, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, p)
	}
	return pids
}

// CodeCarbon's GPU figure is NVML's; CPU and memory stand apart, marked as
// estimates, and its carbon is its own.
func TestCodeCarbonOnAGPUHost(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60}, standin.GPU{Power: 250})
	h.python()
	h.smi()
	config := h.config("engine: {image: " + image + ", args: {x-pace: 10}}\nmodel: reference/tiny\ngpus: [1]\nenergy: {backend: codecarbon, country: FRA}\nworkload: {prompts: 8, max_output_tokens: 100}\n")
	o := h.llem("run", "--quick", "-o", h.path("out"), config)
	r := o.record(t)
	c := r.Energy.CodeCarbon
	if o.code != 0 || r.Energy.Method != "codecarbon" || r.Energy.Scope != "gpu" || c == nil {
		t.Fatalf("exit %d, %+v\n%s", o.code, r.Energy, o.stderr)
	}
	checkAgree(t, r, 250**r.WindowSeconds, "counter_edge_aligned", "power_integral")
	if *c.GPUJ != *r.EnergyTotalJ || c.CPUJ <= 0 || c.RAMJ <= 0 || c.CPUMethod == "" || c.Country != "FRA" || c.PUE != 1 {
		t.Errorf("%+v", c)
	}
	// France's mix was 56 g/kWh in 2023; what CodeCarbon makes of all three parts.
	within(t, "intensity", &c.IntensityGPerKWh, 56, 20)
	within(t, "emissions", &c.EmissionsKg, (*c.GPUJ+c.CPUJ+c.RAMJ)/3.6e6*c.IntensityGPerKWh/1000, 1e-9)
	if !strings.Contains(o.stdout, "CodeCarbon") || !strings.Contains(o.stdout, "CO2eq") {
		t.Errorf("table:\n%s", o.stdout)
	}
}

// busy keeps every core at work until the function that it returns is called.
func busy() (stop func()) {
	var over atomic.Bool
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for !over.Load() {
			}
		})
	}
	return func() { over.Store(true); wg.Wait() }
}

// On a host without a GPU auto takes CodeCarbon, of the whole host, as does who asks
// for it, and agrees with CodeCarbon's own command over the same span.
func TestCodeCarbonOnAHostWithoutAGPU(t *testing.T) { // not parallel: all watch the load of the whole host
	for _, backend := range []string{"auto", "codecarbon"} {
		t.Run(backend, func(t *testing.T) { checkCodeCarbon(t, backend) })
	}
}

func checkCodeCarbon(t *testing.T, backend string) {
	h := newHost(t)
	python := h.python()
	defer busy()() // so that both see the same load, however their spans differ
	c := h.start(h.quick("--energy-backend", backend, h.slow(10))...)
	c.reach("window")
	monitor := exec.Command(filepath.Join(filepath.Dir(python), "codecarbon"), "monitor", "--offline", "--country-iso-code", "USA", "--no-api", "--measure-power-secs", "1")
	monitor.Dir, monitor.Env = t.TempDir(), h.env
	if err := monitor.Start(); err != nil {
		t.Fatal(err)
	}
	o := c.finish()
	h.clean(c.Process.Pid)
	if err := monitor.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = monitor.Wait()
	r := o.record(t)
	if o.code != 0 || r.Energy.Scope != "host" || r.Energy.Backend != "codecarbon" || r.EnergyTotalJ == nil || r.Energy.CodeCarbon == nil {
		t.Fatalf("exit %d, %+v\n%s", o.code, r.Energy, o.stderr)
	}
	if r.WarningSeverities["energy_scope_host"] == "" || !strings.Contains(o.stdout, "of the host") || r.EnergyAdjustedJ != nil {
		t.Errorf("warnings %v\n%s", r.MeasurementWarnings, o.stdout)
	}
	theirs := emissions(t, filepath.Join(monitor.Dir, "emissions.csv"))
	mine, seconds := r.Energy.CodeCarbon, *r.WindowSeconds
	ram := mine.RAMJ / seconds
	within(t, "power of memory", &ram, theirs("ram_energy")*3.6e6/theirs("duration"), ram/50)
	cpu := mine.CPUJ / seconds
	within(t, "power of CPUs", &cpu, theirs("cpu_energy")*3.6e6/theirs("duration"), cpu/10)
	within(t, "intensity", &mine.IntensityGPerKWh, theirs("emissions")/theirs("energy_consumed")*1000, 0.01)
	if v := h.llem("verify", o.dirs[0]); v.code != 0 {
		t.Errorf("verify: exit %d\n%s", v.code, v.stdout)
	}
}

// emissions are the columns of the last row of CodeCarbon's file.
func emissions(t *testing.T, path string) func(column string) float64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%v, %v", rows, err)
	}
	return func(column string) float64 {
		t.Helper()
		at := slices.Index(rows[0], column)
		if at < 0 {
			t.Fatalf("no column %s in %v", column, rows[0])
		}
		v, err := strconv.ParseFloat(rows[len(rows)-1][at], 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
