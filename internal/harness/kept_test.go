package harness

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	simulated "github.com/llenergymeasure/llem/internal/meter"
	"github.com/llenergymeasure/llem/internal/result"
)

const keeps = ", restart: engine_change, gap_seconds: 0, cycle_gap_seconds: 0"

// kinds are how many records of a study are of a kept server, and why not.
func (b *bench) kinds(t *testing.T) (kept int, gaps string) {
	t.Helper()
	for n := range b.plan(t).Runs {
		r, _, err := result.Read(b.folder(t, n+1))
		if err != nil {
			t.Fatal(err)
		}
		if gaps += r.Gap + "\n"; r.Engine.Kept != nil {
			kept++
			if k := r.Engine.Kept; k.CachedAfter != 0 || k.CacheReset == "" || k.CachedBy == "" || k.StartedFor == "" || k.Runs != n || r.Engine.StartupSeconds != nil {
				t.Errorf("run %d: %+v", n+1, k)
			}
		}
	}
	return kept, gaps
}

// One container serves all runs of one spec.
func TestAServerIsKeptWhileItsSpecIsTheSame(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, keeps)
	if err := b.run(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	if kept, gaps := b.kinds(t); kept != 3 || b.f.launched != 1 || strings.Count(gaps, "waited") != 3 || b.f.ended != "stopped" {
		t.Errorf("%d kept, %d containers, the last was %q:\n%s", kept, b.f.launched, b.f.ended, gaps)
	}
}

// A file's prompts are counted once a run, though a kept server is proven cold first.
func TestAKeptServerCountsEachRunsPromptsOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{counts: true}, keeps)
	path := filepath.Join(t.TempDir(), "p.jsonl")
	if err := os.WriteFile(path, []byte("{\"prompt\":\"one\"}\n{\"prompt\":\"two\"}\n{\"prompt\":\"three\"}\n{\"prompt\":\"four\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.write(t, strings.Replace(fmt.Sprintf(grid, keeps), "max_input_tokens: 8", fmt.Sprintf("source: %q", path), 1))
	if err := b.run(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	if kept, _ := b.kinds(t); kept != 3 || b.f.seen["/tokenize"] != 4*4 {
		t.Errorf("%d kept, %d prompts counted, want 4 in each of 4 runs", kept, b.f.seen["/tokenize"])
	}
}

// What is not proven cold is not kept, and the record says why.
func TestAServerThatIsNotProvenColdIsStartedAnew(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]*fake{
		"it still found 5 tokens": {cached: 5},
		"neither its answers nor": {mute: true},
	} {
		b := newBench(t, f, keeps)
		if err := b.run(t, t.Context()); err != nil {
			t.Fatal(err)
		}
		if kept, gaps := b.kinds(t); kept != 0 || f.launched != 4 || strings.Count(gaps, want) != 3 {
			t.Errorf("%s: %d kept, %d containers:\n%s", want, kept, f.launched, gaps)
		}
	}
}

// A server that has failed a run is not trusted with another.
func TestAServerThatFailedIsNotKept(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{fails: 1}, keeps+", max_consecutive_failures: 0")
	if err := b.run(t, t.Context()); launch.KindOf(err) != launch.ExperimentFault {
		t.Fatal(err)
	}
	if kept, _ := b.kinds(t); kept != 0 || b.f.launched != 4 {
		t.Errorf("%d kept, %d containers", kept, b.f.launched)
	}
}

// The run after one on one GPU may be on two: of the second nothing is known from before.
func TestAKeptServerIsRemovedForOneOnMoreGPUs(t *testing.T) {
	t.Parallel()
	takeTurn(t)
	b := newBench(t, &fake{}, keeps)
	b.write(t, strings.NewReplacer("workload.load.concurrency: [1, 2]", "parallel.tensor: [1, 2]", "cycles: 2", "cycles: 1").Replace(fmt.Sprintf(grid, keeps)))
	b.r.OpenGPUs = func(context.Context) (device.Session, error) {
		return simulated.Simulate(nil, make([]simulated.Simulated, 2)...), nil
	}
	if err := b.run(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	if kept, gaps := b.kinds(t); kept != 0 || b.f.launched != 2 || strings.Count(gaps, "started with something else") != 1 {
		t.Errorf("%d kept, %d containers:\n%s", kept, b.f.launched, gaps)
	}
}

// What a server says that is not kept may quote what was sent to it.
func TestWhyAServerIsNotKeptHidesSecrets(t *testing.T) {
	t.Parallel()
	const secret = "sk-verysecret123456"
	f := &fake{}
	b := newBench(t, f, keeps)
	b.r.Headers = "X-Api-Key: " + secret
	var requests atomic.Int32
	f.odd = func(w io.Writer, _, _, _ int) bool {
		if requests.Add(1) == 6 { // the first after those of the first run
			fmt.Fprintf(w, "data: {\"error\":{\"message\":\"bad key %s\"}}\n\n", secret)
			return true
		}
		return false
	}
	if err := b.run(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	r, _, err := result.Read(b.folder(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	if all := r.Gap + strings.Join(b.w.said, "\n"); strings.Contains(all, secret) || !strings.Contains(r.Gap, "bad key") {
		t.Error(all)
	}
}

func TestSpecsAreTheSameButForTheRunsNames(t *testing.T) {
	t.Parallel()
	a := launch.Spec{Cmd: []string{"x"}, Env: map[string]string{"A": "1"}, Name: "llem-1", Run: "1"}
	b := launch.Spec{Cmd: []string{"x"}, Env: map[string]string{"A": "1"}, Name: "llem-2", Run: "2", PID: 3}
	if !same(a, b) {
		t.Error("names alone differ")
	}
	if b.Cmd = []string{"y"}; same(a, b) {
		t.Error("the command differs")
	}
}

// The gap's end is what the user sees who interrupts it, and no word of a library.
// After the last run nothing is kept.
func TestAGapThatIsInterrupted(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, ", restart: engine_change, gap_seconds: 600")
	ctx, cancel := context.WithCancel(t.Context())
	b.w.at = func(phase string) {
		if phase == measure.Gap.String() {
			cancel()
		}
	}
	err := b.run(t, ctx)
	j, jerr := result.OpenJournal(b.dir)
	if jerr != nil {
		t.Fatal(jerr)
	}
	reason := ""
	for _, e := range j.Entries() {
		if e.Event == result.RunEnded {
			reason = e.Reason
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if launch.KindOf(err) != launch.InterruptFault || reason != "interrupted" {
		t.Errorf("%v; the run ended with %q", err, reason)
	}
	b.w.at = nil
	b.write(t, fmt.Sprintf(grid, keeps))
	if r := b.rerun(t, 4); r.Status != result.Completed || b.f.ended != "stopped" || b.w.last != "container removed, GPU memory cannot be read" && b.w.last != "container removed" {
		t.Errorf("%s; after the last run: %q", r.Status, b.w.last)
	}
}
