package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

// long is a run whose window lasts until it is stopped.
func (h *host) long(args ...string) []string {
	return append([]string{"run", "--quick", "-o", h.path("out"), h.config("model: reference/tiny\nengine: {image: " + image + ", args: {x-pace: 10}}\nworkload: {prompts: 500, max_output_tokens: 8}\n")}, args...)
}

// A session that is lost stops a run as an interrupt does, however often its
// terminal says so.
func TestALostSessionStopsKeepsAndCleansUp(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := h.command(h.long()...)
	// The tests themselves may have been begun under nohup.
	c.Path, c.Args = "/usr/bin/env", append([]string{"env", "--default-signal=HUP"}, c.Args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() }) // nothing to kill where the test went well
	c.reach("window")
	time.Sleep(2 * time.Second) // some requests are to complete
	for range 4 {
		if err := c.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if r := c.interrupted(t); r.Requests.Completed == 0 || r.WindowSeconds == nil {
		t.Errorf("what was measured is lost: %+v", r.Requests)
	}
}

// A run under nohup has no session to lose.
func TestNohupIsHonoured(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := h.command(h.quick()...)
	c.Path, c.Args = "/usr/bin/nohup", append([]string{"nohup"}, c.Args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() }) // nothing to kill where the test went well
	c.reach("launch")
	if err := c.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	o := c.finish()
	h.clean(c.Process.Pid)
	if r := o.record(t); o.code != 0 || r.Status != result.Completed {
		t.Errorf("exit %d, status %s\n%s", o.code, r.Status, o.stderr)
	}
}

// Who reads the output may leave, as head does: the run goes on, cleans up, and
// ends with its own exit code.
func TestOutputThatNobodyReads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		both bool // standard error too
		args []string
	}{
		{"stdout", false, nil},
		{"stdout and stderr", true, nil},
		{"as JSON", false, []string{"--json"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd := h.command(h.quick(c.args...)...)
			if cmd.Stdout = w; c.both {
				cmd.Stderr = w
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill() }) // nothing to kill where the test went well
			until(t, "a container", func() bool { return len(containers(t, cmd.Process.Pid)) > 0 })
			r.Close()
			w.Close()
			o := cmd.finish()
			h.clean(cmd.Process.Pid)
			if rec := o.record(t); o.code != 0 || rec.Status != result.Completed || len(rec.Phases) != 8 {
				t.Errorf("exit %d, status %s, phases %v", o.code, rec.Status, rec.Phases)
			}
			if !c.both && (!strings.Contains(o.stderr, "could not be printed") || !strings.Contains(o.stderr, filepath.Base(o.dirs[0]))) {
				t.Errorf("it does not say where the result is:\n%s", o.stderr)
			}
		})
	}
}

// What is measured of a command is kept when nobody reads it, and the command
// itself still ends at a broken pipe, or lives under nohup, as it would alone.
func TestMeasureLeavesTheCommandItsSignals(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100})
	o := h.llem("measure", "--", "bash", "-c", "yes | head -1; echo ${PIPESTATUS[0]}")
	if o.code != 0 || o.stdout != "y\n141\n" {
		t.Errorf("exit %d, stdout %q\n%s", o.code, o.stdout, o.stderr)
	}
	sh := exec.Command("bash", "-c", `"$0" measure --timeseries series.parquet -- sh -c 'sleep 2; exit 7' 2>&1 | true; echo ${PIPESTATUS[0]}`, bin)
	sh.Env, sh.Dir = h.env, h.dir
	if out, err := sh.Output(); err != nil || string(out) != "7\n" {
		t.Errorf("with nobody to read it, exit %s, %v", out, err)
	}
	if rows := readParquet(t, h.path("series.parquet")); len(rows["power_w"]) == 0 {
		t.Error("the time series is lost")
	}
	sh = exec.Command("nohup", bin, "measure", "--", "sh", "-c", "kill -HUP $$; echo lives")
	sh.Env, sh.Dir = h.env, h.dir
	if out, err := sh.Output(); err != nil || string(out) != "lives\n" {
		t.Errorf("under nohup: %q, %v", out, err)
	}
}
