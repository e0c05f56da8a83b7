package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/record/verify"
	"github.com/llenergymeasure/llem/internal/result"
)

// The tests of this package drive the real binary, against the real daemon.
var (
	bin     string // llem
	library string // folder of the stand-in's libnvidia-ml.so.1
	noGPUs  string // why the daemon takes no stand-in GPUs; empty: it does
)

// image is the reference engine behind a proxy that can break.
const image = "llem-test/engine"

func TestMain(m *testing.M) { testscript.Main(suite{m}, map[string]func(){"llem": main}) }

// suite is all tests, or the scripts alone, which are played by this binary and need
// nothing to be built.
type suite struct{ *testing.M }

func (m suite) Run() int {
	if os.Getenv(damageChild) != "" {
		return answerCommands()
	}
	flag.Parse()
	if chosen := flag.Lookup("test.run").Value.String(); strings.HasPrefix(strings.TrimPrefix(chosen, "^"), "TestScripts") && !strings.Contains(chosen, "|") {
		return m.M.Run()
	}
	if exec.Command("docker", "info").Run() != nil {
		if os.Getenv("CI") == "true" {
			fmt.Println("no Docker daemon: scripts/docker-up --stand-in-gpu starts one")
			return 1
		}
		fmt.Println("skipped but for scripts: no Docker daemon (scripts/docker-up --stand-in-gpu starts one)")
		if flag.Lookup("test.run").Value.String() != "" {
			return 0
		}
		if err := flag.Set("test.run", "^TestScripts$"); err != nil {
			fmt.Println(err)
			return 1
		}
		return m.M.Run()
	}
	dir, err := os.MkdirTemp("", "llem-test-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := errors.Join(os.Chmod(dir, 0o755), prepare(dir)); err != nil {
		fmt.Println(err)
		return 1
	}
	noGPUs = tryGPU()
	return m.M.Run()
}

// tryGPU says why the daemon gives no stand-in GPU to a container.
func tryGPU() string {
	id, err := exec.Command("docker", "create", "--gpus", "device="+standin.UUID(0), image).Output()
	if err != nil {
		return err.Error()
	}
	name := strings.TrimSpace(string(id))
	out, err := exec.Command("docker", "start", name).CombinedOutput()
	_ = exec.Command("docker", "rm", "--force", name).Run() // whatever became of it
	if err == nil {
		return ""
	}
	return strings.TrimSpace(string(out)) + "; a daemon that scripts/docker-up --stand-in-gpu has started does"
}

// prepare builds the binary, the stand-in's library and the test image.
func prepare(dir string) (err error) {
	bin = filepath.Join(dir, "llem")
	if library, err = standin.Build(); err != nil {
		return err
	}
	context := filepath.Join(dir, "image")
	if err := os.Mkdir(context, 0o755); err != nil {
		return err
	}
	static := []string{"CGO_ENABLED=0"}
	for _, c := range []struct {
		env  []string
		args []string
	}{
		{nil, []string{"go", "build", "-race", "-o", bin, "."}},
		{static, []string{"go", "build", "-o", filepath.Join(context, "reference"), "../../images/reference"}},
		{static, []string{"go", "build", "-o", filepath.Join(context, "engine"), "./testdata/engine"}},
		{nil, []string{"cp", "testdata/engine/Dockerfile", context}},
		{nil, []string{"docker", "build", "-q", "-t", image, context}},
	} {
		cmd := exec.Command(c.args[0], c.args[1:]...)
		cmd.Env = append(os.Environ(), c.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(c.args, " "), err, out)
		}
	}
	return nil
}

// host is a place of its own for one test: locks, cache, results, GPUs.
type host struct {
	t    *testing.T
	dir  string
	env  []string
	file string // the stand-in's
	gpus *standin.Control
}

// newHost makes a host with these GPUs; with none it has no NVML at all.
func newHost(t *testing.T, gpus ...standin.GPU) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir()}
	for _, d := range []string{"powercap", "locks", "cache", "config", "home", "out"} {
		if err := os.Mkdir(filepath.Join(h.dir, d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "LLEM_") && !strings.HasPrefix(v, "HF_") && !strings.HasPrefix(v, "CUDA_") && !strings.HasPrefix(v, "SLURM_") && !strings.HasPrefix(v, "LD_LIBRARY_PATH") {
			h.env = append(h.env, v)
		}
	}
	// What does not test baselines does not wait for them.
	if err := os.MkdirAll(h.path("config/llem"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.path("config/llem/config.yaml"), []byte("baseline: {duration_seconds: 1}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.set("LLEM_LOCK_DIR", h.path("locks"))
	h.set("LLEM_POWERCAP", h.path("powercap"))
	h.set("LLEM_PYTHON", h.path("no-python"))
	h.set("ZEUSD_SOCK_PATH", h.path("no-zeusd"))
	h.set("XDG_CACHE_HOME", h.path("cache"))
	h.set("XDG_CONFIG_HOME", h.path("config"))
	h.set("HOME", h.path("home"))
	h.set("GORACE", "halt_on_error=1 exitcode=66")
	if len(gpus) > 0 {
		if noGPUs != "" && os.Getenv("CI") == "true" {
			t.Fatal("the daemon takes no stand-in GPU: ", noGPUs)
		} else if noGPUs != "" {
			t.Skip("the daemon takes no stand-in GPU: ", noGPUs)
		}
		h.file = h.path("gpus")
		var err error
		if h.gpus, err = standin.New(h.file, gpus...); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.gpus.Close() })
		h.set(standin.FileEnv, h.file)
		h.set("LD_LIBRARY_PATH", library)
	}
	return h
}

func (h *host) set(k, v string)         { h.env = append(h.env, k+"="+v) }
func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

// config writes an experiment file that uses the test image.
func (h *host) config(text string) string {
	h.t.Helper()
	path := h.path("experiment.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// outcome of one llem.
type outcome struct {
	code           int
	stdout, stderr string
	records        []*result.Record
	dirs           []string
}

// record is the only record that was left.
func (o outcome) record(t *testing.T) *result.Record {
	t.Helper()
	if len(o.records) != 1 {
		t.Fatalf("%d records left, want 1; exit %d, stderr:\n%s", len(o.records), o.code, o.stderr)
	}
	computedAgain(t, o.records[0], o.dirs[0])
	return o.records[0]
}

// computedAgain has what a run left computed again: of a record that is as it was written
// nothing differs, for runs that failed too.
func computedAgain(t *testing.T, r *result.Record, dir string) {
	t.Helper()
	if r.State != result.Whole || r.SamplesFile == "" {
		return
	}
	for _, f := range verify.Record(r, dir, version) {
		if !f.OK {
			t.Errorf("%s: %s: %s", dir, f.What, f.Seen)
		}
	}
}

// command is an llem that is ready to start; its output goes to the outcome of
// finish.
type command struct {
	*exec.Cmd
	h        *host
	out, err output
}

// output is written by one goroutine and read by another.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func (h *host) command(args ...string) *command {
	c := &command{Cmd: exec.Command(bin, args...), h: h}
	c.Env, c.Dir, c.Stdout, c.Stderr = h.env, h.dir, &c.out, &c.err
	return c
}

// limit is longer than any test's llem may take.
const limit = 4 * time.Minute

// finish waits for a started llem and checks what must hold after any.
func (c *command) finish() outcome {
	c.h.t.Helper()
	timer := time.AfterFunc(limit, func() { c.Process.Kill() })
	err := c.Wait()
	if !timer.Stop() {
		c.h.t.Fatalf("llem hangs; stderr so far:\n%s", c.err.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.h.t.Fatal(err)
	}
	o := outcome{code: c.ProcessState.ExitCode(), stdout: c.out.String(), stderr: c.err.String()}
	if o.code == 66 {
		c.h.t.Fatalf("data race:\n%s", o.stderr)
	}
	files, _ := filepath.Glob(filepath.Join(c.h.path("out"), "*", result.RecordFile)) // the pattern is good
	for _, f := range files {
		r, dir, err := result.Read(f)
		if err != nil {
			c.h.t.Fatal(err)
		}
		o.records, o.dirs = append(o.records, r), append(o.dirs, dir)
	}
	return o
}

// llem runs to its end and checks that nothing of it is left behind.
func (h *host) llem(args ...string) outcome {
	h.t.Helper()
	c := h.start(args...)
	o := c.finish()
	h.clean(c.Process.Pid)
	return o
}

// clean checks that no container of process pid is left and every lock can be
// taken.
func (h *host) clean(pid int) {
	h.t.Helper()
	if ids := containers(h.t, pid); len(ids) > 0 {
		h.t.Errorf("containers left behind: %v", ids)
	}
	locks, _ := filepath.Glob(filepath.Join(h.path("locks"), "*")) // the pattern is good
	for _, l := range locks {
		if exec.Command("flock", "--nonblock", l, "true").Run() != nil {
			h.t.Errorf("lock %s is still held", l)
		}
	}
}

// containers lists those, running or not, that process pid made.
func containers(t *testing.T, pid int) []string {
	t.Helper()
	return strings.Fields(dockerCLI(t, "ps", "-aq", "--no-trunc", "--filter", fmt.Sprintf("label=io.llem.pid=%d", pid)))
}

func dockerCLI(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).Output()
	if err != nil {
		t.Fatalf("docker %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// until polls for something that another process does.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

// start starts an llem that is still to be finished.
func (h *host) start(args ...string) *command {
	h.t.Helper()
	c := h.command(args...)
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.Process.Kill() }) // nothing to kill where the test went well
	return c
}

// reach waits until the status lines say that a phase has begun.
func (c *command) reach(phase string) {
	c.h.t.Helper()
	until(c.h.t, "phase "+phase, func() bool {
		if c.ended() {
			c.h.t.Fatalf("llem ended before its phase %s:\n%s", phase, c.err.String())
		}
		return strings.Contains("\n"+c.err.String(), "\n"+phase)
	})
}

// ended says whether the process is gone but for its exit code.
func (c *command) ended() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.Process.Pid))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

// quick is a run of seconds without warmup, for what does not depend on the
// protocol's waits.
func (h *host) quick(args ...string) []string {
	return append([]string{"run", "--quick", "--image", image, "--model", "reference/tiny", "-o", h.path("out")}, args...)
}

// slow is an experiment of so many requests, each a second long on any machine.
func (h *host) slow(prompts int) (config string) {
	return h.config(fmt.Sprintf("model: reference/tiny\nengine: {image: %s, args: {x-pace: 10}}\nworkload: {prompts: %d, max_output_tokens: 100}\n", image, prompts))
}

func decodeJSON(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
}

// readParquet reads every value of a file as text, by column, with a reader
// that is not the one that wrote it.
func readParquet(t *testing.T, path string) map[string][]string {
	t.Helper()
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := r.ReadTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	out := map[string][]string{}
	for i := range int(table.NumCols()) {
		name := table.Schema().Field(i).Name
		out[name] = []string{}
		for _, chunk := range table.Column(i).Data().Chunks() {
			for j := range chunk.Len() {
				out[name] = append(out[name], chunk.ValueStr(j))
			}
		}
	}
	return out
}
