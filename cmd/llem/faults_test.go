package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

// broken is an experiment whose engine breaks as fault says, from the
// completion after on. The warmup is the first completion.
func (h *host) broken(fault string, after int, more string) string {
	return h.config(fmt.Sprintf(`
name: broken
model: reference/tiny
engine: {image: %s, args: {x-fault: %s, x-after: %d}, startup_timeout_seconds: 60%s}
workload: {prompts: 6, max_output_tokens: 64, request_timeout_seconds: 2}
`, image, fault, after, more))
}

// failed checks an experiment that failed: its record says why, and the
// engine's log is beside it.
func (o outcome) failed(t *testing.T, says ...string) *result.Record {
	t.Helper()
	o.says(t, exitFailed, says...)
	r := o.record(t)
	if r.Status != result.Failed || r.Error == "" {
		t.Errorf("status %q, error %q", r.Status, r.Error)
	}
	if _, err := os.Stat(filepath.Join(o.dirs[0], result.LogFile)); err != nil {
		t.Error(err)
	}
	if r.EnergyTotalJ != nil && *r.EnergyTotalJ == 0 {
		t.Error("0 J is no reading")
	}
	return r
}

func TestContainersThatDoNotServe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, fault, more string
		says              []string
	}{
		{"exits at once", "exit", "", []string{"exit code 7", "cannot find the model weights", "engine.log"}},
		{"never ready", "never-ready", ", startup_timeout_seconds: 3", []string{"503", "engine.startup_timeout_seconds"}},
		{"out of memory", "oom", ", container: {memory: 64MiB}", []string{"memory limit", "engine.container.memory"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			config := h.broken(c.fault, 0, c.more)
			if strings.Contains(c.more, "startup") { // a key stands once
				text, err := os.ReadFile(config)
				if err != nil {
					t.Fatal(err)
				}
				config = h.config(strings.Replace(string(text), ", startup_timeout_seconds: 60", "", 1))
			}
			r := h.llem("run", "--quick", "-o", h.path("out"), config).failed(t, c.says...)
			if r.WindowSeconds != nil || r.Requests.Completed != 0 {
				t.Errorf("a window of %v s, %+v", r.WindowSeconds, r.Requests)
			}
		})
	}
}

// Every completion of the window breaks: the experiment failed, and what was
// received is kept.
func TestServersThatBreakInTheWindow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault, status string
		tokens        bool // some were received before it broke
		says          []string
	}{
		{"400", "failed", false, []string{"400 Bad Request", "max_tokens is too large"}},
		{"500", "failed", false, []string{"500", "the scheduler is dead"}},
		{"garbage", "failed", false, []string{"Bad Gateway"}},
		{"half", "failed", true, []string{"broke off after 1 tokens"}},
		{"close", "failed", true, []string{"broke off after 2 tokens"}},
		{"early", "failed", true, []string{"ended early"}},
		{"hang", "timeout", false, []string{"workload.request_timeout_seconds"}},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			o := h.llem("run", "--quick", "-o", h.path("out"), h.broken(c.fault, 1, ""))
			r := o.failed(t, append(c.says, "no request completed (6 failed)")...)
			if r.Requests.Failed != 6 || r.Tokens.Output != nil || r.WindowSeconds == nil {
				t.Errorf("requests %+v, tokens %+v, window %v", r.Requests, r.Tokens, r.WindowSeconds)
			}
			rows := readParquet(t, filepath.Join(o.dirs[0], result.RequestsFile))
			for i := range rows["status"] {
				if rows["status"][i] != c.status || rows["error"][i] == "" || (rows["first_token_ns"][i] != "(null)") != c.tokens {
					t.Errorf("request %d: status %q, error %q", i, rows["status"][i], rows["error"][i])
				}
			}
			if len(rows["status"]) != 6 {
				t.Errorf("%d requests kept, want 6", len(rows["status"]))
			}
		})
	}
}

func TestSomeFailedRequestsAreAWarning(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	r := h.llem("run", "--quick", "-o", h.path("out"), h.broken("close", 4, "")).record(t)
	if r.Status != result.Completed || r.Requests.Completed != 3 || r.Requests.Failed != 3 || r.WarningSeverities["requests_failed"] != "doubt" {
		t.Errorf("status %s, requests %+v, warnings %v", r.Status, r.Requests, r.MeasurementWarnings)
	}
	if r.Tokens.Output == nil || *r.Tokens.Output != 3*64 {
		t.Errorf("%v tokens, want those of the whole answers: no usage came of the others", r.Tokens.Output)
	}
}

func TestAnEngineThatDiesInTheWindow(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.llem("run", "--quick", "-o", h.path("out"), h.broken("die", 4, ""))
	r := o.failed(t, "exit code 9", "an illegal memory access", "engine.log")
	status := readParquet(t, filepath.Join(o.dirs[0], result.RequestsFile))["status"]
	if r.Requests.Completed != 3 || len(status) < 4 || status[0] != "ok" || r.WindowSeconds == nil {
		t.Errorf("requests %+v, status %v", r.Requests, status)
	}
}

// A container that dies before the window is told with its exit code and the end
// of its log, whatever broke first.
func TestContainersThatDieBeforeTheWindow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault, more string
		says        []string
	}{
		{"die", "", []string{"exit code 9", "an illegal memory access", "engine.log"}},
		{"hog", ", container: {memory: 64MiB}", []string{"exit code 137", "memory limit", "engine.container.memory"}},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			r := h.llem("run", "--quick", "-o", h.path("out"), h.broken(c.fault, 0, c.more)).failed(t, c.says...)
			if r.WindowSeconds != nil {
				t.Errorf("a window of %v s", *r.WindowSeconds)
			}
		})
	}
}

func TestAContainerThatIsKilledInTheThermalFloor(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := h.start("run", "--quick", "-o", h.path("out"), h.config(`
model: reference/tiny
engine: {image: `+image+`}
warmup: {thermal_floor_seconds: 120}
`))
	c.reach("thermal floor")
	dockerCLI(t, "kill", containers(t, c.Process.Pid)[0])
	o := c.finish()
	h.clean(c.Process.Pid)
	o.failed(t, "exit code 137", "engine.log")
}

// An engine that is stopped ends its answers as if they were whole.
func TestAContainerThatIsStoppedInTheWindow(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := h.start("run", "--quick", "-o", h.path("out"), h.config(`
model: reference/small
engine: {image: `+image+`}
warmup: {n_warmup: 0}
workload: {prompts: 4, max_output_tokens: 3000, load: {concurrency: 4}}
`))
	c.reach("window")
	id := containers(t, c.Process.Pid)[0]
	address := strings.TrimSpace(dockerCLI(t, "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", id))
	until(t, "four requests that run", func() bool {
		resp, err := http.Get("http://" + address + ":8000/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(text), "requests_running 4")
	})
	dockerCLI(t, "stop", id)
	o := c.finish()
	h.clean(c.Process.Pid)
	r := o.failed(t, "container died: exit code 0", "engine.log")
	if r.Requests.Completed != 0 || r.Requests.Failed != 4 || r.WindowSeconds == nil {
		t.Errorf("%+v, window %v", r.Requests, r.WindowSeconds)
	}
	if reasons := readParquet(t, filepath.Join(o.dirs[0], result.RequestsFile))["finish_reason"]; !slices.Contains(reasons, "abort") {
		t.Errorf("finish reasons %v, want those of answers that were given up", reasons)
	}
}

func TestAnEngineThatBreaksInTheWarmup(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.llem("run", "--quick", "-o", h.path("out"), h.broken("500", 0, "")).failed(t, "the scheduler is dead", "warmup")
}

func TestTheTimeoutEndsAnExperiment(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	begun := time.Now()
	o := h.llem("run", "--quick", "--timeout", "1s", "-o", h.path("out"), h.broken("hang", 1, ""))
	o.failed(t, "--timeout")
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

// interrupted checks a run that was stopped by a signal.
func (c *command) interrupted(t *testing.T) *result.Record {
	t.Helper()
	o := c.finish()
	c.h.clean(c.Process.Pid)
	o.says(t, exitInterrupted, "interrupted")
	r := o.record(t)
	if r.Status != result.Interrupted {
		t.Errorf("status %q", r.Status)
	}
	return r
}

func TestOneInterruptStopsKeepsAndCleansUp(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]os.Signal{"SIGINT": os.Interrupt, "SIGTERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			c := h.start(h.long()...)
			c.reach("window")
			time.Sleep(4 * time.Second) // some requests are to complete, on a busy machine too
			if err := c.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			r := c.interrupted(t)
			if r.Requests.Completed == 0 || r.Tokens.Output == nil || r.WindowSeconds == nil {
				t.Errorf("what was measured is lost: %+v %+v", r.Requests, r.Tokens)
			}
		})
	}
}

func TestAnInterruptBeforeTheWindowLeavesARecord(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := h.start("run", "--quick", "-o", h.path("out"), h.broken("never-ready", 0, ""))
	c.reach("launch")
	until(t, "a container", func() bool { return len(containers(t, c.Process.Pid)) > 0 })
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	c.interrupted(t)
}

// An engine that ignores SIGTERM holds llem up for ten seconds; the second
// interrupt does not wait for it.
func TestTwoInterruptsKillTheContainer(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	text := h.config("model: reference/tiny\nengine: {image: " + image + ", args: {x-fault: ignore-term, x-pace: 10}}\nworkload: {prompts: 500, max_output_tokens: 8}\n")
	c := h.start("run", "--quick", "-o", h.path("out"), text)
	c.reach("window")
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	c.reach("after")
	second := time.Now()
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	c.interrupted(t)
	if took := time.Since(second); took > 5*time.Second {
		t.Errorf("the container was given %s after the second interrupt", took)
	}
}

// After kill -9 in any phase one llem clean removes all that was left, and the
// GPU can be had again at once. The tests of this function do not run beside
// others, whose containers this clean could not tell from its own.
func TestCleanAfterKillInEachPhase(t *testing.T) {
	h := newHost(t, standin.GPU{Power: 60})
	h.llem("clean") // of what test runs that were cut off have left on this daemon
	config := h.config(fmt.Sprintf(`
model: reference/tiny
engine: {image: %s, args: {x-fault: ignore-term, x-pace: 20}}
gpus: [0]
workload: {prompts: 5, max_output_tokens: 16}
baseline: {cache_ttl_seconds: 0}
warmup: {n_warmup: 3, thermal_floor_seconds: 2}
`, image))
	for _, phase := range []string{"preflight", "baseline", "launch", "warmup", "thermal floor", "window", "after"} {
		c := h.start("run", "--quick", "-o", h.path("out"), config)
		c.reach(phase)
		time.Sleep(100 * time.Millisecond) // into the phase
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()            // killed
		time.Sleep(time.Second) // the daemon ends what it had begun
		left := containers(t, c.Process.Pid)
		if want := phase != "preflight" && phase != "baseline"; want != (len(left) > 0) && phase != "launch" {
			t.Errorf("killed in %s: containers %v", phase, left)
		}
		if dry := h.llem("clean", "--dry-run"); dry.code != 0 || len(containers(t, c.Process.Pid)) != len(left) {
			t.Errorf("clean --dry-run after %s: exit %d\n%s%s", phase, dry.code, dry.stdout, dry.stderr)
		}
		o := h.llem("clean")
		if o.code != 0 || strings.Count(o.stdout, "removed container") != len(left) {
			t.Errorf("clean after %s: exit %d\n%s%s", phase, o.code, o.stdout, o.stderr)
		}
		h.clean(c.Process.Pid)
	}
	if o := h.llem("clean"); o.code != 0 || !strings.Contains(o.stdout, "no container is left over") {
		t.Errorf("clean of a clean host: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}

// clean leaves a living run alone.
func TestCleanSparesTheLiving(t *testing.T) {
	h := newHost(t)
	c := h.start(h.quick()...)
	until(t, "a container", func() bool { return len(containers(t, c.Process.Pid)) > 0 })
	if o := h.start("clean").finish(); o.code != 0 || strings.Contains(o.stdout, "removed container") {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if o := c.finish(); o.code != 0 {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
	h.clean(c.Process.Pid)
}
