package standin

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func newControl(t *testing.T, gpus ...GPU) (*Control, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gpus")
	c, err := New(path, gpus...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, path
}

func truth(t *testing.T, c *Control, gpu int, from, to time.Duration) float64 {
	t.Helper()
	joules, err := c.Truth(gpu, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return joules
}

func TestTruthIsTheIntegralOfPower(t *testing.T) {
	c, _ := newControl(t, GPU{Power: 60}, GPU{Power: 100})
	start := c.SetPower(0, 300)
	mid := c.SetPower(0, 75.5)
	end := mid + 3*time.Second
	want := 300*(mid-start).Seconds() + 75.5*3
	if got := truth(t, c, 0, start, end); math.Abs(got-want) > 1e-8 {
		t.Errorf("got %.9f J, want %.9f", got, want)
	}
	// Within one step, and on the other GPU.
	if got := truth(t, c, 0, mid+time.Second, mid+1500*time.Millisecond); math.Abs(got-37.75) > 1e-8 {
		t.Errorf("got %.9f J, want 37.75", got)
	}
	if got, want := truth(t, c, 1, start, end), 100*(end-start).Seconds(); math.Abs(got-want) > 1e-8 {
		t.Errorf("got %.9f J on the other GPU, want %.9f", got, want)
	}
	if got := truth(t, c, 0, 0, time.Second); got != 0 {
		t.Errorf("got %v J before there was a GPU, want 0", got)
	}
	if got := c.power(0); got != 75.5 {
		t.Errorf("power is %v W, want 75.5", got)
	}
}

func TestTruthOverAMonthDoesNotOverflow(t *testing.T) {
	c, _ := newControl(t, GPU{Power: 1000})
	month := 30 * 24 * time.Hour
	if got, want := truth(t, c, 0, Now(), Now()+month), 1000*month.Seconds(); math.Abs(got/want-1) > 1e-9 {
		t.Errorf("got %v J, want %v", got, want)
	}
}

func TestTruthSaysWhenTheFileHoldsNoMore(t *testing.T) {
	c, _ := newControl(t)
	start := c.SetPower(0, 100)
	for range ringSize {
		c.SetPower(0, 100)
	}
	end := Now()
	if _, err := c.Truth(0, start, end); err == nil {
		t.Error("an instant before the ring has a truth")
	}
	if got, want := truth(t, c, 0, end-time.Microsecond, end+time.Second), 100*1.000001; math.Abs(got-want) > 1e-6 {
		t.Errorf("after the ring has gone round got %v J, want %v", got, want)
	}
}

func TestManyWritersKeepTheTruth(t *testing.T) {
	c, path := newControl(t)
	start := c.SetPower(0, 200)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			other, err := Open(path)
			if err != nil {
				t.Error(err)
				return
			}
			for range 200 {
				other.SetPower(0, 200)
				c.SetPower(0, 200)
			}
			if err := other.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	end := Now()
	if n := c.shared.file.gpu[0].changes; n != 2+4*400 {
		t.Errorf("%d changes, want %d", n, 2+4*400)
	}
	if got, want := truth(t, c, 0, start, end), 200*(end-start).Seconds(); math.Abs(got-want) > 1e-5 {
		t.Errorf("got %.6f J, want %.6f", got, want)
	}
}

func TestOpenRefusesWhatIsNoStandin(t *testing.T) {
	_, path := newControl(t)
	dir := t.TempDir()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"empty": nil, "zeros": make([]byte, info.Size())} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(p); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: got %v, want a refusal that names it", name, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "none")); err == nil {
		t.Error("opened a file that is not there")
	}
	if _, err := New(path, make([]GPU, maxGPUs+1)...); err == nil {
		t.Error("made more GPUs than the file has room for")
	}
}

func TestAtIsOnTheSameClock(t *testing.T) {
	before, at, after := Now(), At(time.Now()), Now()
	if at < before-time.Millisecond || at > after+time.Millisecond {
		t.Errorf("time.Now is at %v, want between %v and %v", at, before, after)
	}
}

func TestBuildIsDoneOnce(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, err := Build()
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.Stat(filepath.Join(dir, "libnvidia-ml.so.1"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Build()
	if err != nil || again != dir {
		t.Fatalf("got %s, %v; want %s again", again, err, dir)
	}
	second, err := os.Stat(filepath.Join(dir, "libnvidia-ml.so.1"))
	if err != nil || !os.SameFile(first, second) {
		t.Errorf("built twice: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v; want the library alone", left, err)
	}
	if old, err := Build(Old); err != nil || old == dir {
		t.Errorf("got %s, %v; want a folder of its own", old, err)
	}
	if _, err := Build("-DSTANDIN_OLD", "-not-a-flag"); err == nil {
		t.Error("cc failed and Build did not")
	}
}

func TestReadCalls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	text := "12 7 nvmlInit_v2 -1 0 \n15 7 nvmlDeviceGetFieldValues 1 3 191,186\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := ReadCalls(path)
	want := []Call{
		{At: 12, PID: 7, Function: "nvmlInit_v2", GPU: -1},
		{At: 15, PID: 7, Function: "nvmlDeviceGetFieldValues", GPU: 1, Result: 3, Fields: []int{191, 186}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if err := os.WriteFile(path, []byte(text+"broken\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCalls(path); err == nil || !strings.Contains(err.Error(), ":3:") {
		t.Errorf("got %v, want the number of the broken line", err)
	}
}

func TestCommandChangesTheFile(t *testing.T) {
	dir := t.TempDir()
	bin, path := filepath.Join(dir, "standin"), filepath.Join(dir, "gpus")
	build := exec.Command("go", "build", "-o", bin, "./cmd/standin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(args ...string) error { return exec.Command(bin, append([]string{path}, args...)...).Run() }
	for _, args := range []string{"new 2", "power 1 250.5", "temperature 1 66", "mig 0 1", "process 0 42", "fail 1 field:186 3", "throttle 1 8"} {
		if err := run(strings.Fields(args)...); err != nil {
			t.Fatalf("%s: %v", args, err)
		}
	}
	c, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	a, b := &c.shared.file.gpu[0], &c.shared.file.gpu[1]
	if c.power(1) != 250.5 || b.temperature != 66 || b.throttle != 8 || a.mig != 1 || a.processes != 1 || a.process[0].pid != 42 {
		t.Errorf("power %v, temperature %d, throttle %d, MIG %d, processes %v", c.power(1), b.temperature, b.throttle, a.mig, a.process[:1])
	}
	if f := c.shared.file.failure[0]; text(f.name[:]) != "field:186" || f.gpu != 1 || f.code != 3 {
		t.Errorf("failure is %+v", f)
	}
	for _, args := range []string{"power 2 100", "power 0", "power 0 much", "dance 0 1", "power", ""} {
		if err := run(strings.Fields(args)...); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
