package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/campaign"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// grid is a study of two concurrencies, with what execution says.
const grid = `model: reference/tiny
engine: {name: reference, image: i}
workload: {prompts: 4, max_input_tokens: 8, max_output_tokens: 4}
sweep: {workload.load.concurrency: [1, 2]}
execution: {order: interleave, cycles: 2%s}
`

// telling keeps what a study says.
type telling struct {
	watching
	said []string
}

func (w *telling) Say(note string) { w.said = append(w.said, note) }

// bench is a study of grid in a folder, on f.
type bench struct {
	f    *fake
	w    *telling
	r    *Runner
	file string
	dir  string // empty: the study is not begun
}

func newBench(t *testing.T, f *fake, execution string) *bench {
	t.Helper()
	b := &bench{f: f, w: &telling{}, file: filepath.Join(t.TempDir(), "s.yaml")}
	b.r = f.runner(t, &b.w.watching)
	b.r.Observer = b.w
	b.write(t, fmt.Sprintf(grid, execution))
	return b
}

// write makes text the study's file.
func (b *bench) write(t *testing.T, text string) {
	t.Helper()
	text += fmt.Sprintf("output: {dir: %q}\n", filepath.Dir(b.file))
	if err := os.WriteFile(b.file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// campaign begins the study, or goes on with it.
func (b *bench) campaign() (*campaign.Campaign, error) {
	if b.dir == "" {
		data, err := os.ReadFile(b.file)
		if err != nil {
			return nil, err
		}
		return campaign.New(campaign.Source{Name: b.file, Data: data, Options: study.Options{Quick: true}})
	}
	return campaign.Resume(b.dir, campaign.ResumeOptions{
		AcceptChanges: true, User: func() (*study.Layer, error) { return nil, nil }, Say: b.w.Say,
	})
}

// run carries the study out, or goes on with it.
func (b *bench) run(t *testing.T, ctx context.Context) error {
	t.Helper()
	c, err := b.campaign()
	if err == nil {
		err = c.Hold()
	}
	if err != nil {
		return err
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	o := campaign.Options{Say: b.w.Say, Waits: []time.Duration{time.Millisecond, time.Millisecond}}
	if err := c.Open(ctx, b.r.Pool(), o); err != nil {
		return err
	}
	b.dir = c.Dir()
	return c.Run(ctx)
}

// plan is the study's, as it is written.
func (b *bench) plan(t *testing.T) *result.StudyPlan {
	t.Helper()
	p, err := result.ReadStudyPlan(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// folder is the path of a run's.
func (b *bench) folder(t *testing.T, run int) string {
	t.Helper()
	return filepath.Join(b.dir, b.plan(t).Folder(run))
}

// records are the statuses of the study's runs, by their folders.
func (b *bench) records(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	list, err := filepath.Glob(filepath.Join(b.dir, "*", result.RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range list {
		r, _, err := result.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if seen, ok := result.CheckRecord(filepath.Dir(path)); !ok {
			t.Error(path, seen)
		}
		if r.Study == nil || r.Study.Attempt < 1 || len(r.Files) == 0 {
			t.Errorf("%s: study %+v, %d files", path, r.Study, len(r.Files))
		}
		out[filepath.Base(filepath.Dir(path))] = r.Status
	}
	return out
}

// whole is the grid's result.
var whole = map[string]string{
	"001_c1_concurrency-1": result.Completed, "002_c1_concurrency-2": result.Completed,
	"003_c2_concurrency-1": result.Completed, "004_c2_concurrency-2": result.Completed,
}

func TestAStudyRunsItsPlan(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	if err := b.run(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, b.records(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if last := b.w.said[len(b.w.said)-1]; !strings.Contains(last, "4 of 4 done, 0 failed, 0 left") {
		t.Errorf("it said last %q", last)
	}
}

func TestAResumedStudyRunsWhatIsLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	ctx, cancel := context.WithCancel(t.Context())
	windows := 0
	b.w.at = func(phase string) {
		if phase == "window" {
			if windows++; windows == 2 {
				cancel()
			}
		}
	}
	err := b.run(t, ctx)
	if launch.KindOf(err) != launch.InterruptFault {
		t.Fatalf("interrupted: %v", err)
	}
	b.w.at = nil
	if err := b.run(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, b.records(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := b.f.launched; got != 5 {
		t.Errorf("%d containers, want 4 and the one that was cut off", got)
	}
	if old, err := filepath.Glob(filepath.Join(b.dir, result.SupersededDir, "002_*", result.RecordFile)); err != nil || len(old) != 1 {
		t.Errorf("what was cut off: %v, %v", old, err)
	}
	if err := b.run(t, t.Context()); err != nil || b.f.launched != 5 {
		t.Errorf("a whole study again: %v, %d containers", err, b.f.launched)
	}
}

// An image that is gone is the host's fault, and no run's: none of them is a failed
// one that no resume would repeat.
func TestAnImageThatIsGoneEndsTheStudy(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{lost: 4}, "")
	if err := b.run(t, t.Context()); launch.KindOf(err) != launch.HostFault || !strings.Contains(err.Error(), "image i (1), which the study took") {
		t.Errorf("got %v", err)
	}
	if got := b.records(t); len(got) != 1 {
		t.Errorf("records %v, want that of the run before", got)
	}
	b.f.lost = 0
	if err := b.run(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, b.records(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A daemon that goes away and comes back costs a try, and no run.
func TestADaemonThatGoesAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{away: 2}, "")
	if err := b.run(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, b.records(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestADaemonThatStaysAwayEndsTheStudy(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{away: 1000}, "")
	if err := b.run(t, t.Context()); !errors.Is(err, launch.ErrAway) || launch.KindOf(err) != launch.HostFault {
		t.Errorf("got %v", err)
	}
}

// A point that its engine cannot do is kept with the reason, and the others are run.
func TestAPointThatItsEngineRefusesIsNotRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	text := strings.Replace(fmt.Sprintf(grid, ""), "workload.load.concurrency: [1, 2]", "dtype: [auto, float16]", 1)
	b.write(t, text)
	if err := b.run(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	if plan, got := b.plan(t), len(b.records(t)); got != 2 || plan.Points[0].Invalid != "" || plan.Points[1].Invalid == "" {
		t.Errorf("%d records of %+v", got, plan.Points)
	}
}

func (b *bench) rerun(t *testing.T, run int) *result.Record {
	t.Helper()
	if err := b.run(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	r, _, err := result.Read(b.folder(t, run))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// execution.experiment_timeout_seconds counts from when the server is ready.
func TestAnExperimentOfAStudyThatTakesTooLong(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	f := &fake{odd: func(io.Writer, int, int, int) bool {
		<-stuck
		return true
	}}
	b := newBench(t, f, ", experiment_timeout_seconds: 1, max_consecutive_failures: 1")
	t.Cleanup(func() { close(stuck) })
	err := b.run(t, t.Context())
	r, _, readErr := result.Read(b.folder(t, 1))
	if err == nil || readErr != nil || r.Status != result.Failed || !strings.Contains(r.Error, "execution.experiment_timeout_seconds") {
		t.Errorf("%v; the record: %v, %+v", err, readErr, r)
	}
}
