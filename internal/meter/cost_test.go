//go:build linux && cgo

package meter

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
)

// eight is a sampler of eight GPUs whose driver costs nothing.
func eight(tb testing.TB) *nvmlSampler {
	tb.Helper()
	lib := &fakeLib{missing: map[string]bool{}}
	for i := range 8 {
		lib.gpus = append(lib.gpus, newFakeDevice(fmt.Sprintf("GPU-%d", i)))
	}
	n, err := open(lib)
	if err != nil {
		tb.Fatal(err)
	}
	devices, err := n.Devices(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	s, err := n.watch(devices)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// What llem itself adds to reading eight GPUs ten times a second is under half a
// per cent of a core, and nothing is allocated for a reading. What the driver
// takes comes on top, and needs a GPU to be known.
func TestOurOwnShareOfSamplingIsSmall(t *testing.T) {
	const readings, interval = 500, 2 * time.Millisecond
	r := measure.NewRecorder(eight(t), 8, interval)
	r.SetPhase(measure.WindowPhase, 2*readings*interval)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := cpuTime(t)
	r.Start()
	time.Sleep(readings * interval)
	r.Stop()
	cpu = cpuTime(t) - cpu
	runtime.ReadMemStats(&after)
	n := len(r.Samples()) / 8
	if n < readings/10 {
		t.Fatalf("%d readings of eight GPUs, want about %d", n, readings)
	}
	share := 10 * cpu.Seconds() / float64(n)
	if share > 0.005 {
		t.Errorf("%.2f %% of a core at 10 Hz, want under 0.5 %%", 100*share)
	}
	if allocs := float64(after.Mallocs-before.Mallocs) / float64(n); allocs >= 1 {
		t.Errorf("%.2f allocations a reading of eight GPUs", allocs)
	}
	t.Logf("%.3f %% of a core at 10 Hz, %d readings", 100*share, n)
}

// cpuTime is what this process has used, of user and system.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkEightGPUs(b *testing.B) {
	s := eight(b)
	dst := make([]device.Sample, 0, 8)
	epoch := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = s.Sample(epoch, dst[:0])
	}
}
