package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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

// A neighbour in MIG mode breaks nothing and is not counted.
func TestMeasurePassesMIGNeighboursOver(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100}, standin.GPU{Power: 300})
	h.gpus.SetMIG(1, true)
	var c result.Command
	decodeJSON(t, h.llem("measure", "--json", "--", "sleep", "1").stdout, &c)
	if len(c.GPUs) != 1 || c.GPUs[0].UUID != standin.UUID(0) {
		t.Errorf("%+v", c.GPUs)
	}
	h.gpus.SetMIG(0, true)
	h.llem("measure", "--", "true").refused(t, exitHost, "MIG")
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
	c := h.start("measure", "--", "sh", "-c", "trap 'echo caught; exit 9' INT; echo up; while :; do sleep 0.05; done")
	until(t, "the command", func() bool { return strings.Contains(c.out.String(), "up") })
	time.Sleep(500 * time.Millisecond)
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if o := c.finish(); o.code != 9 || !strings.Contains(o.stdout, "caught") || !strings.Contains(o.stderr, "energy") {
		t.Errorf("exit %d, stdout %q\n%s", o.code, o.stdout, o.stderr)
	}
	c = h.start("measure", "--", "sh", "-c", "echo up; exec sleep 60")
	until(t, "the command", func() bool { return strings.Contains(c.out.String(), "up") })
	time.Sleep(500 * time.Millisecond)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if o := c.finish(); o.code != 128+15 || !strings.Contains(o.stderr, "energy") {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
}

func TestCommandsThatCannotBeMeasured(t *testing.T) {
	t.Parallel()
	newHost(t).llem("measure", "--", "true").refused(t, exitHost, "no NVIDIA driver", "llem doctor")
	h := newHost(t, standin.GPU{Power: 100})
	h.llem("measure", "--", "no-such-program").refused(t, exitUsage, "no-such-program")
	h.llem("measure", "--gpus", "5", "--", "true").refused(t, exitUsage, "5", standin.UUID(0))
	h.llem("measure", "-r", "0", "--", "true").refused(t, exitUsage, "--repeat")
	h.llem("measure", "-r", "2", "--timeseries", "f", "--", "true").refused(t, exitUsage, "--timeseries")
	h.llem("measure", "--gpus", "", "--", "true").refused(t, exitUsage, "--gpus: blank")
	h.llem("measure", "--timeseries", "", "--", "true").refused(t, exitUsage, "--timeseries: blank")
	h.llem("measure").refused(t, exitUsage, "command")
}
