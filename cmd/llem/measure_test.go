package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

func TestMeasureACommand(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 300}, standin.GPU{Power: 60, Phase: 30 * time.Millisecond})
	o := h.llem("measure", "--json", "--timeseries", h.path("series.parquet"), "--", "sh", "-c", "echo hello; sleep 2")
	var c result.Command
	decodeJSON(t, o.stdout, &c)
	if o.code != 0 || len(c.Runs) != 1 || len(c.GPUs) != 2 || !strings.Contains(o.stderr, "hello") {
		t.Fatalf("exit %d, %d runs\n%s", o.code, len(c.Runs), o.stderr)
	}
	r := c.Runs[0]
	if math.Abs(r.Seconds-2) > 0.3 || r.Method != "counter_edge_aligned" || r.URepeatabilityJ == nil {
		t.Errorf("%+v", r)
	}
	within(t, "energy_total_j", r.EnergyTotalJ, 360*r.Seconds, 3**r.URepeatabilityJ)
	within(t, "energy of GPU 0", r.PerGPU[0].EnergyJ, 300*r.Seconds, 3**r.PerGPU[0].UJ)
	within(t, "idle_power_w", r.IdlePowerW, 360, 4)
	if rows := readParquet(t, h.path("series.parquet")); len(rows["power_w"]) < 4 {
		t.Errorf("time series %v", rows)
	}
	if left, _ := filepath.Glob(h.path("out/*")); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

// CUDA's indices among unlike GPUs are taken for nobody's.
func TestMeasureRefusesCUDAsIndicesOfUnlikeGPUs(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Name: "NVIDIA T4"}, standin.GPU{Name: "NVIDIA A100"})
	h.set("CUDA_VISIBLE_DEVICES", "0")
	says := []string{"CUDA_VISIBLE_DEVICES=0", "NVIDIA T4 and NVIDIA A100", "UUID", "CUDA_DEVICE_ORDER=PCI_BUS_ID"}
	h.llem("measure", "--", "true").refused(t, exitUsage, says...)
	h.llem(h.quick()...).refused(t, exitUsage, says...)
	if o := h.llem("measure", "--gpus", "0", "--", "true"); o.code != 0 { // NVML's own
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
	h.set("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
	var c result.Command
	decodeJSON(t, h.llem("measure", "--json", "--", "true").stdout, &c)
	if len(c.GPUs) != 1 || c.GPUs[0].UUID != standin.UUID(0) {
		t.Errorf("measured %+v", c.GPUs)
	}
}

// A neighbour in MIG mode breaks nothing and is not counted.
func TestMeasurePassesMIGNeighboursOver(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100}, standin.GPU{Power: 300})
	h.gpus.SetMIG(1, true)
	var c result.Command
	decodeJSON(t, h.llem("measure", "--json", "--", "sleep", "1").stdout, &c)
	if len(c.GPUs) != 1 || c.GPUs[0].UUID != standin.UUID(0) || !c.GPUsByDefault || !slices.Equal(c.GPUsLeftOut, []int{1}) {
		t.Errorf("measured %+v, left out %v", c.GPUs, c.GPUsLeftOut)
	}
}

func TestMeasureRepeatsAndPrintsTheirMean(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100})
	o := h.llem("measure", "-r", "3", "--gpus", "0", "sleep", "0.7")
	if o.code != 0 || !strings.Contains(o.stderr, "sleep 0.7, 3 runs") || !strings.Contains(o.stderr, "mean of 3 runs") || !strings.Contains(o.stderr, " ± ") || o.stdout != "" {
		t.Errorf("exit %d, stdout %q\n%s", o.code, o.stdout, o.stderr)
	}
}

func TestMeasurePassesExitCodeAndSignalsThrough(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100})
	if o := h.llem("measure", "--", "sh", "-c", "exit 7"); o.code != 7 || !strings.Contains(o.stderr, "exit code            7") {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
	for _, s := range []struct {
		name, script string
		signals      []syscall.Signal
		code         int
		says         string
	}{
		{"interrupt", "trap 'echo caught; exit 9' INT; echo up; while :; do sleep 0.05; done", []syscall.Signal{syscall.SIGINT}, 9, "caught"},
		{"interrupt that the command takes well", "trap 'echo caught; exit 0' INT; echo up; while :; do sleep 0.05; done", []syscall.Signal{syscall.SIGINT}, 0, "caught"},
		{"end that the command takes well", "trap 'echo caught; exit 0' TERM; echo up; while :; do sleep 0.05; done", []syscall.Signal{syscall.SIGTERM}, 0, "caught"},
		{"end", "echo up; exec sleep 60", []syscall.Signal{syscall.SIGTERM}, 128 + 15, ""},
		{"quit", "echo up; exec sleep 60", []syscall.Signal{syscall.SIGQUIT}, 128 + 3, ""},
		{"four interrupts", "n=0; trap 'n=$((n+1)); echo $n; [ $n -lt 4 ] || exit 5' INT; echo up; while :; do sleep 0.05; done", []syscall.Signal{syscall.SIGINT, syscall.SIGINT, syscall.SIGINT, syscall.SIGINT}, 5, "4"},
		{
			"signals of a command's own", "for s in USR1 USR2 WINCH CONT; do trap \"echo got $s\" $s; done; trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done",
			[]syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT, syscall.SIGTERM}, 3, "got USR1\ngot USR2\ngot WINCH\ngot CONT\n",
		},
	} {
		c := h.command("measure", "--", "sh", "-c", s.script)
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal sends anything
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }) // nothing to kill where the test went well
		until(t, "the command", func() bool { return strings.Contains(c.out.String(), "up") })
		for _, sig := range s.signals {
			time.Sleep(300 * time.Millisecond) // so that none is lost behind the one before
			if err := c.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
		}
		if o := c.finish(); o.code != s.code || !strings.Contains(o.stdout, s.says) || !strings.Contains(o.stderr, "energy") {
			t.Errorf("%s: exit %d, want %d, stdout %q\n%s", s.name, o.code, s.code, o.stdout, o.stderr)
		}
	}
}

// A terminal sends its interrupt to the command by itself: llem does not send it
// again, wherever its standard input comes from.
func TestATerminalsInterruptComesOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100})
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	c := h.command("measure", "--", "bash", "-c", "n=0; trap 'n=$((n+1))' INT; trap 'echo $n times; exit 0' TERM; echo up; while :; do :; done")
	c.ExtraFiles = []*os.File{terminal}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }) // nothing to kill where the test went well
	until(t, "the command", func() bool { return strings.Contains(c.out.String(), "up") })
	if _, err := master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // a second one would come by now
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if o := c.finish(); o.code != 0 || o.stdout != "up\n1 times\n" {
		t.Errorf("exit %d, stdout %q\n%s", o.code, o.stdout, o.stderr)
	}
}

// One repeat that fails is a failure, whatever the last one does, and what an
// interrupt leaves undone is not done.
func TestMeasureTellsOfRepeatsThatFail(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100})
	o := h.llem("measure", "-r", "3", "--", "sh", "-c", "echo >> n; [ $(wc -l < n) != 2 ] || exit 6")
	if o.code != 6 || !strings.Contains(o.stderr, "1 of 3 runs failed") {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
	c := h.command("measure", "-r", "9", "--", "sh", "-c", "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() }) // nothing to kill where the test went well
	until(t, "the command", func() bool { return strings.Contains(c.out.String(), "up") })
	time.Sleep(500 * time.Millisecond)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if o := c.finish(); o.code != exitInterrupted || !strings.Contains(o.stderr, "interrupted after 1 of 9 runs") || !strings.Contains(o.stderr, "energy") {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
}

// Who is on the GPU beside the command voids its figure; what the command starts
// is its own.
func TestMeasureSeesOthersOnTheGPU(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		pid  func(child int) int
		want string
	}{
		{"the command's own", func(child int) int { return child }, ""},
		{"a stranger", func(int) int { return os.Getpid() }, "invalid"},
		{"one that cannot be looked at", func(int) int { return 1 << 30 }, "doubt"},
	} {
		h := newHost(t, standin.GPU{Power: 100})
		l := h.start("measure", "--json", "--", "sh", "-c", "sleep 3 & echo up $!; wait")
		until(t, "the command", func() bool { return strings.Contains(l.err.String(), "\n") })
		child := 0
		if _, err := fmt.Sscanf(l.err.String(), "up %d", &child); err != nil {
			t.Fatalf("%v: %s", err, l.err.String())
		}
		h.gpus.SetProcesses(0, standin.Process{PID: c.pid(child), Memory: 1 << 30})
		o := l.finish()
		var out result.Command
		decodeJSON(t, o.stdout, &out)
		code, reasons := "gpu_not_exclusive", []string{}
		switch c.want {
		case "doubt":
			code = "exclusivity_unknown"
		case "invalid":
			reasons = []string{code}
		}
		if r := out.Runs[0]; r.WarningSeverities[code] != c.want || r.Valid != (c.want != "invalid") || !slices.Equal(r.Reasons, reasons) {
			t.Errorf("%s: valid %v, reasons %v, warnings %v", c.name, r.Valid, r.Reasons, r.MeasurementWarnings)
		}
	}
}

// A figure is marked where it does not stand, and says of which GPUs it is.
func TestMeasureMarksItsFigure(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100}, standin.GPU{Power: 60})
	h.gpus.SetProcesses(0, standin.Process{PID: os.Getpid(), Memory: 1 << 30})
	if o := h.llem("measure", "--", "sleep", "1"); o.code != 0 || !strings.Contains(o.stderr, " J INVALID") || !strings.Contains(o.stderr, "2 GPUs, summed: all of this host; --gpus chooses") || !strings.Contains(o.stderr, "gpu_not_exclusive") {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
}

// A GPU that a killed run has left changed is not measured as if it were not.
func TestMeasureRefusesGPUsThatAreLeftChanged(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100})
	note := filepath.Join(h.path("locks"), "settings-"+standin.UUID(0)+".json")
	if err := os.WriteFile(note, []byte(`{"run": "abc", "power_limit_before_w": 400}`), 0o644); err != nil {
		t.Fatal(err)
	}
	h.llem("measure", "--", "true").refused(t, exitHost, "GPU 0", "run abc", "llem clean")
}

// Without a GPU that can be read the command runs all the same: its time is known,
// energy of GPUs is null with the reason, and its exit code is passed on.
func TestMeasureRunsTheCommandWithoutAGPU(t *testing.T) {
	t.Parallel()
	mig := newHost(t, standin.GPU{}, standin.GPU{})
	mig.gpus.SetMIG(0, true)
	mig.gpus.SetMIG(1, true)
	granted := newHost(t, standin.GPU{})
	granted.set("CUDA_VISIBLE_DEVICES", "")
	broken := newHost(t, standin.GPU{})
	broken.gpus.Fail(-1, "nvmlInit_v2", 18)
	for name, c := range map[string]struct {
		h      *host
		reason string
	}{
		"no driver":               {newHost(t), "no NVIDIA driver"},
		"all in MIG mode":         {mig, "MIG"},
		"none granted":            {granted, "CUDA_VISIBLE_DEVICES"},
		"a driver that is broken": {broken, "NVML"},
	} {
		for _, code := range []int{0, 7, 255} {
			o := c.h.llem("measure", "--json", "--", "sh", "-c", fmt.Sprintf("echo ran; exit %d", code))
			if o.code != code || !strings.Contains(o.stderr, "ran") {
				t.Errorf("%s: exit %d, want %d\n%s", name, o.code, code, o.stderr)
				continue
			}
			var got result.Command
			decodeJSON(t, o.stdout, &got)
			one := got.Runs[0]
			if one.ExitCode != code || one.Seconds <= 0 || one.EnergyTotalJ != nil || one.Valid || !slices.Equal(one.Reasons, []string{"energy_unavailable"}) || len(got.GPUs) != 0 {
				t.Errorf("%s: %+v", name, one)
			}
			if got.NoGPUEnergy == nil || !strings.Contains(*got.NoGPUEnergy, c.reason) {
				t.Errorf("%s: the reason is %v, want %q", name, got.NoGPUEnergy, c.reason)
			}
		}
		if o := c.h.llem("measure", "-r", "2", "--", "sh", "-c", "exit 7"); o.code != 7 || !strings.Contains(o.stderr, c.reason) || !strings.Contains(o.stderr, "2 of 2 runs failed") {
			t.Errorf("%s, twice: exit %d\n%s", name, o.code, o.stderr)
		}
	}
}

func TestCommandsThatCannotBeMeasured(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100})
	h.llem("measure", "--", "no-such-program").refused(t, exitUsage, "no-such-program")
	h.llem("measure", "--gpus", "5", "--", "true").refused(t, exitUsage, "5", standin.UUID(0))
}
