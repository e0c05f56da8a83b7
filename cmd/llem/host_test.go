package main

import (
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

// rapl is what counters of a host showed, as they were played: a busy host lets
// the player wait, and the counter stand.
type rapl struct {
	mu    sync.Mutex
	times []time.Time // from when on each value was surely seen
	uj    []uint64
}

// showed bounds the counter at t: what it showed at least and at most.
func (p *rapl) showed(t time.Time) (least, most float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := sort.Search(len(p.times), func(i int) bool { return p.times[i].After(t) })
	return float64(p.uj[max(i-1, 0)]) / 1e6, float64(p.uj[min(i, len(p.uj)-1)]) / 1e6
}

// cpu plays a CPU package of constant power, and its memory of a tenth of it.
// The counter wraps within the first second.
func (h *host) cpu(watts float64) *rapl {
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
	begun, p := time.Now(), &rapl{}
	now := func() {
		uj := uint64(watts * 1e6 * time.Since(begun).Seconds())
		write("intel-rapl:0", "energy_uj", strconv.FormatUint((limit-uint64(watts*1e6)+uj)%limit, 10))
		write("intel-rapl:0:0", "energy_uj", strconv.FormatUint(uj/10, 10))
		write("intel-rapl:1", "energy_uj", strconv.FormatUint(2*uj, 10))
		p.mu.Lock()
		p.times, p.uj = append(p.times, time.Now()), append(p.uj, uj)
		p.mu.Unlock()
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
	return p
}

// check holds a span's energy to what the counters showed right around it.
func (p *rapl) check(t *testing.T, e *result.HostEnergy, from time.Time, seconds float64) {
	t.Helper()
	if e == nil || e.Method != "rapl" || e.PackageJ == nil || e.DRAMJ == nil {
		t.Fatalf("host %+v", e)
	}
	// llem reads before it begins and after it ends, so much at the most.
	const around = 100 * time.Millisecond
	to := from.Add(time.Duration(seconds * float64(time.Second)))
	_, begin := p.showed(from)
	end, _ := p.showed(to)
	early, _ := p.showed(from.Add(-around))
	_, late := p.showed(to.Add(around))
	for what, j := range map[string]float64{"package_j": *e.PackageJ, "dram_j": *e.DRAMJ * 10} {
		if j < end-begin-1e-4 || j > late-early+1e-4 {
			t.Errorf("%s: %g J, want %g to %g", what, j, end-begin, late-early)
		}
	}
}

func TestHostEnergyStandsBesideTheGPUs(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 300})
	cpu := h.cpu(120)
	o := h.llem("run", "--quick", "-o", h.path("out"), "--gpus", "0", h.slow(3))
	r := o.record(t)
	if o.code != 0 || !strings.Contains(o.stdout, "in no figure above, by rapl") {
		t.Fatalf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	cpu.check(t, r.Energy.Host, *r.WindowStart, *r.WindowSeconds)
	within(t, "energy_total_j", r.EnergyTotalJ, 300**r.WindowSeconds, 3**r.Energy.URepeatabilityJ)

	var c result.Command
	decodeJSON(t, h.llem("measure", "--json", "--", "sleep", "2").stdout, &c)
	cpu.check(t, c.Runs[0].Host, c.Runs[0].StartedAt, c.Runs[0].Seconds)
	within(t, "energy_total_j", c.Runs[0].EnergyTotalJ, 300*c.Runs[0].Seconds, 3**c.Runs[0].URepeatabilityJ)
}

func TestMeasureOnAHostWithoutAGPU(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	cpu := h.cpu(80)
	var c result.Command
	decodeJSON(t, h.llem("measure", "--json", "--timeseries", h.path("none.parquet"), "--", "sleep", "2").stdout, &c)
	cpu.check(t, c.Runs[0].Host, c.Runs[0].StartedAt, c.Runs[0].Seconds)
	if c.Runs[0].EnergyTotalJ != nil || len(c.GPUs) != 0 {
		t.Errorf("%+v", c.Runs[0])
	}
	if o := h.llem("measure", "--", "true"); o.code != 0 || !strings.Contains(o.stderr, "no NVIDIA driver") || !strings.Contains(o.stderr, "memory") {
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
