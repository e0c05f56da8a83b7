//go:build linux && cgo

package meter

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// underStandin says that this process already has the stand-in's library.
const underStandin = "LLEM_TEST_UNDER_STANDIN"

// TestMain starts the test binary over with the stand-in on the loader's path,
// which is only read when a process starts. The tests below use the real
// binding on it; the others never load a library.
func TestMain(m *testing.M) {
	if os.Getenv(underStandin) == "" {
		dir, err := standin.Build()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		self, err := os.Executable()
		if err == nil {
			err = syscall.Exec(self, os.Args, append(os.Environ(), underStandin+"=1", "LD_LIBRARY_PATH="+dir))
		}
		fmt.Fprintln(os.Stderr, "start over:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// openStandin opens NVML on stand-in GPUs.
func openStandin(t testing.TB, gpus ...standin.GPU) (*standin.Control, *nvmlSession) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gpus")
	c, err := standin.New(path, gpus...)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(standin.FileEnv, path)
	n, err := open(nvml.New())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, n
}

func watchStandin(t testing.TB, n *nvmlSession, ids ...string) *nvmlSampler {
	t.Helper()
	devices, err := n.Select(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	s, err := n.watch(devices)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// child runs a test of this binary in a process of its own.
func child(t *testing.T, test, mark string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), mark+"=1"), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// atTick polls GPU 0 until its counter moves and returns the reading after.
func atTick(t *testing.T, s *nvmlSampler, epoch time.Time) device.Sample {
	t.Helper()
	first := sampleAt(t, s, epoch)
	for time.Since(epoch) < 10*time.Second {
		if now := sampleAt(t, s, epoch); now.EnergyMJ != first.EnergyMJ {
			return now
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the counter does not move")
	return first
}

func sampleAt(t *testing.T, s *nvmlSampler, epoch time.Time) device.Sample {
	t.Helper()
	got, err := s.Sample(epoch, nil)
	if err != nil {
		t.Fatal(err)
	}
	return got[0]
}

func TestStandinDevices(t *testing.T) {
	c, n := openStandin(t, standin.GPU{}, standin.GPU{NoPersist: true, PowerLimit: 300, Memory: 24 << 30})
	c.SetMIG(1, true)
	got, err := n.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Fatalf("got %d GPUs, want 2", len(got))
	}
	d := got[1]
	if d.UUID != standin.UUID(1) || d.MemoryBytes != 24<<30 || *d.PowerLimitW != 300 || *d.Persistence || !*d.MIG ||
		d.CUDA != "12.4" || d.ComputeCapability != "8.0" || d.PCIBusID != "00000000:02:00.0" || *d.PCIeGen != 4 || *d.SMClockMHz != 1410 {
		t.Errorf("got %+v", d)
	}
	if _, err := n.Select(t.Context(), []string{standin.UUID(1)}); err == nil || !strings.Contains(err.Error(), "MIG") {
		t.Errorf("selected a GPU with MIG: %v", err)
	}
	c.Fail(0, "*", 15)
	if got, err := n.Devices(t.Context()); err != nil || len(got) != 1 || got[0].Index != 1 {
		t.Errorf("with GPU 0 lost got %+v, %v; want GPU 1", got, err)
	}
}

func TestStandinConstantPower(t *testing.T) {
	c, n := openStandin(t, standin.GPU{Power: 60}, standin.GPU{Power: 300, Phase: 30 * time.Millisecond})
	s := watchStandin(t, n, "1", "0")
	epoch := time.Now()
	a := atTick(t, s, epoch)
	time.Sleep(700 * time.Millisecond)
	b := atTick(t, s, epoch)
	// From tick to tick, so that only the polling is uncertain, and it less than
	// 1.5 ms of 0.8 s here; the exact value is below.
	ticks := math.Round((b.At - a.At).Seconds() / 0.1)
	if got := float64(b.EnergyMJ-a.EnergyMJ) / 1000 / (ticks * 0.1); math.Abs(got/300-1) > 0.001 {
		t.Errorf("the counter rises by %.3f W, want 300 within 0.1 %%", got)
	}
	if b.PowerInstMW != 300_000 || b.PowerAvgMW != 300_000 {
		t.Errorf("power is %d and %d mW, want 300000", b.PowerInstMW, b.PowerAvgMW)
	}
	joules, err := c.Truth(1, standin.At(epoch), standin.At(epoch.Add(2*time.Second)))
	if err != nil || math.Abs(joules-600) > 0.001 {
		t.Errorf("truth is %v J, %v; want 600", joules, err)
	}
	both, err := s.Sample(epoch, nil)
	if err != nil || len(both) != 2 || both[1].GPU != 1 || both[1].PowerInstMW != 60_000 {
		t.Errorf("got %+v, %v; want the second sample at 60 W", both, err)
	}
}

func TestStandinPowerSwitchedByAnotherProcess(t *testing.T) {
	const mark = "LLEM_TEST_SWITCH"
	if os.Getenv(mark) != "" {
		c, err := standin.Open(os.Getenv(standin.FileEnv))
		if err != nil {
			t.Fatal(err)
		}
		c.SetPower(0, 420)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	const refresh = 20 * time.Millisecond
	c, n := openStandin(t, standin.GPU{Power: 80, Refresh: refresh})
	s := watchStandin(t, n, "0")
	epoch := time.Now()
	a := atTick(t, s, epoch)
	if out, err := child(t, t.Name(), mark); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b := atTick(t, s, epoch)
	b = atTick(t, s, epoch)
	if b.PowerInstMW != 420_000 {
		t.Errorf("power is %d mW, want 420000", b.PowerInstMW)
	}
	if got, want := float64(b.EnergyMJ-a.EnergyMJ)/1000, truthAtTicks(t, c, refresh, epoch, a, b); math.Abs(got-want) > 0.002 {
		t.Errorf("the counter rose by %.3f J, truth from tick to tick is %.3f J", got, want)
	}
}

// truthAtTicks is what GPU 0 used between the ticks that a and b were read
// after. A reading close to a tick may show the one before or after it: of
// these, the truth nearest to what the counter says.
func truthAtTicks(t *testing.T, c *standin.Control, refresh time.Duration, epoch time.Time, a, b device.Sample) float64 {
	t.Helper()
	start, nearest := standin.At(epoch), math.Inf(1)
	said := float64(b.EnergyMJ-a.EnergyMJ) / 1000
	for _, i := range []time.Duration{-1, 0, 1} {
		for _, j := range []time.Duration{-1, 0, 1} {
			truth, err := c.Truth(0, (start+a.At).Truncate(refresh)+i*refresh, (start+b.At).Truncate(refresh)+j*refresh)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(truth-said) < math.Abs(nearest-said) {
				nearest = truth
			}
		}
	}
	return nearest
}

func TestStandinRefreshIsMeasured(t *testing.T) {
	c, n := openStandin(t,
		standin.GPU{}, standin.GPU{Refresh: 20 * time.Millisecond, Phase: 7 * time.Millisecond}, standin.GPU{})
	c.Fail(0, "field:191", 3)
	c.Fail(2, "field:191", 3)
	c.Fail(2, "nvmlDeviceGetTotalEnergyConsumption", 3)
	epoch := time.Now()
	polls, err := watchStandin(t, n, "0", "1", "2").PollCounters(t.Context(), epoch)
	if took := time.Since(epoch); err != nil || polls[len(polls)-1].At > took || polls[0].At <= 0 {
		t.Fatalf("%v, polls until %v in %v", err, polls[len(polls)-1].At, took)
	}
	got, jitter := measure.Refresh(polls, 3)
	for i, want := range []time.Duration{100 * time.Millisecond, 20 * time.Millisecond, 0} {
		if diff := (got[i] - want).Abs(); diff > want/20 {
			t.Errorf("GPU %d refreshes every %v, want %v within 5 %%", i, got[i], want)
		}
		if jitter[i] > 4*measure.PollEvery {
			t.Errorf("GPU %d: ticks on a grid have a jitter of %v", i, jitter[i])
		}
	}
}

func TestStandinCounterReset(t *testing.T) {
	c, n := openStandin(t, standin.GPU{Refresh: 10 * time.Millisecond})
	s := watchStandin(t, n, "0")
	epoch := time.Now()
	before := sampleAt(t, s, epoch)
	c.ResetCounter(0)
	after := atTick(t, s, epoch)
	if after.EnergyMJ >= before.EnergyMJ {
		t.Errorf("the counter went from %d to %d mJ, want backwards", before.EnergyMJ, after.EnergyMJ)
	}
}

func TestStandinState(t *testing.T) {
	c, n := openStandin(t)
	s := watchStandin(t, n, standin.UUID(0))
	c.SetTemperature(0, 71)
	c.SetThrottle(0, 0x60)
	c.SetUtilisation(0, 97)
	c.SetMemoryUsed(0, 5<<30)
	c.SetProcesses(0, standin.Process{PID: os.Getpid(), Memory: 4 << 30}, standin.Process{PID: 1, Graphics: true})
	m := sampleAt(t, s, time.Now())
	if m.TemperatureC != 71 || m.Throttle != 0x60 || m.SMUtil != 97 || m.MemUsed != 5<<30 || m.MemTotal != 80<<30 {
		t.Errorf("got %+v", m)
	}
	procs, err := s.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(procs) != 2 || procs[0].PID != 1 || procs[1].PID != os.Getpid() || procs[1].MemoryUsed != 4<<30 || procs[1].Name == "" {
		t.Errorf("got %+v, want pid 1 and this process with its name", procs)
	}
}

func TestStandinInitFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gpus")
	c, err := standin.New(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	t.Setenv(standin.FileEnv, path)
	c.Fail(-1, "nvmlInit_v2", 18)
	if _, err := openNVML(); !errors.Is(err, ErrInit) || !strings.Contains(err.Error(), "version mismatch") {
		t.Errorf("got %v, want ErrInit with NVML's text", err)
	}
	c.Fail(-1, "nvmlInit_v2", 0)
	n, err := openNVML()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func TestNoLibrary(t *testing.T) {
	const mark = "LLEM_TEST_NO_LIBRARY"
	if os.Getenv(mark) != "" {
		if _, err := openNVML(); !errors.Is(err, ErrNoLibrary) {
			t.Errorf("got %v, want ErrNoLibrary", err)
		}
		return
	}
	// An empty file stops the loader before it finds a driver of this host.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "libnvidia-ml.so.1"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := child(t, t.Name(), mark, "LD_LIBRARY_PATH="+dir); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestOldDriverDoesNotEndTheProcess(t *testing.T) {
	const mark = "LLEM_TEST_OLD_DRIVER"
	if os.Getenv(mark) == "" {
		dir, err := standin.Build(standin.Old)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := child(t, t.Name(), mark, "LD_LIBRARY_PATH="+dir); err != nil || !strings.Contains(out, "PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	c, n := openStandin(t)
	c.SetThrottle(0, 0x4)
	c.SetProcesses(0, standin.Process{PID: 1})
	s := watchStandin(t, n, "0")
	m := sampleAt(t, s, time.Now())
	// It counts the time of the two older reasons.
	if m.Has != hasAll|device.HasThrottled|device.HasThrottled<<1 || m.Throttle != 0x4 || m.MemUsed != 512<<20 {
		t.Errorf("got %+v, want all readings, reserved memory among the used", m)
	}
	if procs, err := s.Processes(t.Context()); err != nil || len(procs) != 1 {
		t.Errorf("got %+v, %v; want one process", procs, err)
	}
	if devices, err := n.Devices(t.Context()); err != nil || devices[0].MIG != nil {
		t.Errorf("got %+v, %v; want MIG unknown", devices, err)
	}
}

func TestStandinAsksForWhatAnswersInOneCall(t *testing.T) {
	log := filepath.Join(t.TempDir(), "calls")
	t.Setenv(standin.LogEnv, log)
	c, n := openStandin(t)
	c.Fail(0, "field:185", 3)
	s := watchStandin(t, n, "0")
	epoch := time.Now()
	for range 3 {
		_ = sampleAt(t, s, epoch)
	}
	calls, err := standin.ReadCalls(log)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, call := range calls {
		switch call.Function {
		case "nvmlDeviceGetFieldValues":
			asked = append(asked, fmt.Sprint(call.Fields))
		case "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetPowerUsage":
			t.Errorf("called %s without need", call.Function)
		}
	}
	if got, want := strings.Join(asked, " "), "[191 186 185 74 75 269 270 271] [191 186 74 75 269 270 271] [191 186 74 75 269 270 271]"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
}

// TestBindingAllocatesOnlyAnswers holds what the package comment says of the
// binding: one small place for each answer.
func TestBindingAllocatesOnlyAnswers(t *testing.T) {
	_, n := openStandin(t)
	s := watchStandin(t, n, "0")
	dst := make([]device.Sample, 0, 1)
	epoch := time.Now()
	got := testing.AllocsPerRun(200, func() { dst, _ = s.Sample(epoch, dst[:0]) })
	if got > 5 {
		t.Errorf("a reading allocates %v times, want at most 5", got)
	}
	t.Logf("%v allocations a reading", got)
}

// The times of throttling are the driver's counters, so that what lies between
// two readings is in them.
func TestStandinThrottleTimes(t *testing.T) {
	c, n := openStandin(t)
	s, epoch := watchStandin(t, n, "0"), time.Now()
	before := sampleAt(t, s, epoch)
	begun := standin.Now()
	c.SetThrottle(0, 0x40)
	time.Sleep(20 * time.Millisecond)
	c.SetThrottle(0, 0)
	held := standin.Now() - begun
	after := sampleAt(t, s, epoch)
	for k := range device.ThrottleTimes {
		got := after.Throttled[k] - before.Throttled[k]
		want := 20 * time.Millisecond
		if key := measure.ThrottleKey(k); key != "thermal" && key != "hw_thermal" {
			want = 0
		}
		if after.Has&(device.HasThrottled<<k) == 0 || got < want || got > held || want == 0 && got != 0 {
			t.Errorf("%s moved by %v, want %v to %v", measure.ThrottleKey(k), got, want, held)
		}
	}
}

func BenchmarkSample(b *testing.B) {
	_, n := openStandin(b)
	s := watchStandin(b, n, "0")
	dst := make([]device.Sample, 0, 1)
	epoch := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = s.Sample(epoch, dst[:0])
	}
}
