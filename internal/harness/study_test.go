package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	f   *fake
	w   *telling
	r   *Runner
	p   *study.Plan
	dir string

	failFast bool
}

func newBench(t *testing.T, f *fake, execution string) *bench {
	t.Helper()
	b := &bench{f: f, w: &telling{}, dir: t.TempDir()}
	b.r = f.runner(t, &b.w.watching)
	b.r.Observer = b.w
	b.decode(t, fmt.Sprintf(grid, execution))
	return b
}

func (b *bench) decode(t *testing.T, text string) {
	t.Helper()
	s, err := study.DecodeStudy("s.yaml", []byte(text), study.Options{Quick: true})
	if err != nil {
		t.Fatal(err)
	}
	if b.p, err = s.Plan(); err != nil {
		t.Fatal(err)
	}
}

// plan is plan.json of the study.
func (b *bench) plan() *result.StudyPlan {
	out := &result.StudyPlan{SchemaVersion: result.SchemaVersion, Name: b.p.Name, Hash: b.p.Hash}
	for i := range b.p.Points {
		out.Points = append(out.Points, result.StudyPoint{Name: b.p.Points[i].Name, ConfigHash: b.p.Points[i].Hash})
	}
	for r := range b.p.Runs() {
		out.Runs = append(out.Runs, [2]int{r.Cycle, r.Point + 1})
	}
	return out
}

// run carries the study out, or goes on with it.
func (b *bench) run(t *testing.T, ctx context.Context, plan *result.StudyPlan) error {
	t.Helper()
	s, err := b.r.OpenStudy(ctx, b.p, func(e study.Experiment) (study.Experiment, error) { return e, nil })
	if err != nil {
		return err
	}
	defer func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		s.End()
	}()
	s.backoff = []time.Duration{time.Millisecond, time.Millisecond}
	if plan.ID == "" {
		s.Settle(plan)
	}
	j, err := result.OpenJournal(b.dir)
	if err != nil {
		return err
	}
	defer j.Close()
	return s.Run(ctx, StudyOptions{Dir: b.dir, Record: plan, Journal: j, FailFast: b.failFast})
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
	if err := b.run(t, t.Context(), b.plan()); err != nil {
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
	plan := b.plan()
	ctx, cancel := context.WithCancel(t.Context())
	windows := 0
	b.w.at = func(phase string) {
		if phase == "window" {
			if windows++; windows == 2 {
				cancel()
			}
		}
	}
	err := b.run(t, ctx, plan)
	if launch.KindOf(err) != launch.InterruptFault {
		t.Fatalf("interrupted: %v", err)
	}
	b.w.at = nil
	if err := b.run(t, t.Context(), plan); err != nil {
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
	if err := b.run(t, t.Context(), plan); err != nil || b.f.launched != 5 {
		t.Errorf("a whole study again: %v, %d containers", err, b.f.launched)
	}
}

// However the journal was cut, and whatever of it was damaged, a whole study stays
// whole and nothing is run twice.
func TestAStudyOutlivesItsJournal(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	plan := b.plan()
	if err := b.run(t, t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.dir, result.JournalFile)
	journal, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(journal) + 1 {
		if err := os.WriteFile(path, journal[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		if err := b.run(t, t.Context(), plan); err != nil {
			t.Fatalf("cut at byte %d: %v", cut, err)
		}
	}
	for at := 0; at < len(journal); at += 13 {
		damaged := append([]byte{}, journal...)
		damaged[at] ^= 0x11
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := b.run(t, t.Context(), plan); err != nil {
			t.Fatalf("damaged at byte %d: %v", at, err)
		}
	}
	if b.f.launched != 4 {
		t.Errorf("%d containers, want 4", b.f.launched)
	}
	if diff := cmp.Diff(whole, b.records(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestARecordThatIsGoneOrDamagedIsMeasuredAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	plan := b.plan()
	if err := b.run(t, t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(b.dir, plan.Folder(1))); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(b.dir, plan.Folder(3), result.RecordFile)
	data, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(record, []byte(strings.Replace(string(data), `"output": 16`, `"output": 17`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	b.f.launched = 0
	if err := b.run(t, t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, b.records(t)); diff != "" || b.f.launched != 2 {
		t.Errorf("%d containers, want 2; -want +got:\n%s", b.f.launched, diff)
	}
}

func TestTwoCannotRunOneStudy(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	plan := b.plan()
	if err := b.run(t, t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	j, err := result.OpenJournal(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := b.run(t, t.Context(), plan); !errors.Is(err, result.ErrStudyHeld) {
		t.Errorf("a second: %v", err)
	}
}

func TestFailuresInARowEndAStudy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		most string
		fast bool
		runs int
		want string
	}{
		{", max_consecutive_failures: 2", false, 2, "2 runs in a row failed"},
		{", max_consecutive_failures: 0", false, 4, "4 of the study's 4 runs failed"},
		{"", true, 1, "--fail-fast"},
	} {
		b := newBench(t, &fake{fails: 1}, c.most)
		b.failFast = c.fast
		err := b.run(t, t.Context(), b.plan())
		if err == nil || !strings.Contains(err.Error(), c.want) || launch.KindOf(err) != launch.ExperimentFault {
			t.Errorf("%s: %v", c.most, err)
		}
		if got := len(b.records(t)); got != c.runs {
			t.Errorf("%s: %d records, want %d", c.most, got, c.runs)
		}
	}
}

// An image that is gone is the host's fault, and no run's: none of them is a failed
// one that no resume would repeat.
func TestAnImageThatIsGoneEndsTheStudy(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{lost: 4}, "")
	plan := b.plan()
	if err := b.run(t, t.Context(), plan); launch.KindOf(err) != launch.HostFault || !strings.Contains(err.Error(), "image i (1), which the study took") {
		t.Errorf("got %v", err)
	}
	if got := b.records(t); len(got) != 1 {
		t.Errorf("records %v, want that of the run before", got)
	}
	b.f.lost = 0
	if err := b.run(t, t.Context(), plan); err != nil {
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
	if err := b.run(t, t.Context(), b.plan()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole, b.records(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestADaemonThatStaysAwayEndsTheStudy(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{away: 1000}, "")
	if err := b.run(t, t.Context(), b.plan()); !errors.Is(err, launch.ErrAway) || launch.KindOf(err) != launch.HostFault {
		t.Errorf("got %v", err)
	}
}

// A point that its engine cannot do is kept with the reason, and the others are run.
func TestAPointThatItsEngineRefusesIsNotRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	text := strings.Replace(fmt.Sprintf(grid, ""), "workload.load.concurrency: [1, 2]", "dtype: [auto, float16]", 1)
	b.decode(t, text)
	plan := b.plan()
	if err := b.run(t, t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if got := len(b.records(t)); got != 2 || plan.Points[0].Invalid != "" || plan.Points[1].Invalid == "" {
		t.Errorf("%d records of %+v", got, plan.Points)
	}
}

func (b *bench) rerun(t *testing.T, plan *result.StudyPlan, run int) *result.Record {
	t.Helper()
	if err := b.run(t, t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	r, _, err := result.Read(filepath.Join(b.dir, plan.Folder(run)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A record that was written as the window ended, and not again, is finished and not
// measured again.
func TestARecordWithoutItsEndIsFinished(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	plan := b.plan()
	r := b.rerun(t, plan, 2)
	dir := filepath.Join(b.dir, plan.Folder(2))
	r.Files = nil
	if err := errors.Join(result.Open(dir).PutRecord(r), os.WriteFile(filepath.Join(dir, ".engine.log123"), []byte("half"), 0o644)); err != nil {
		t.Fatal(err)
	}
	again := b.rerun(t, plan, 2)
	if again.ExperimentID != r.ExperimentID || told(again, "record_unfinished") == "" || len(again.Files) == 0 || b.f.launched != 4 {
		t.Errorf("%d containers, %d files, %q", b.f.launched, len(again.Files), again.MeasurementWarnings)
	}
	for _, f := range again.Files {
		if strings.HasPrefix(f.Name, ".") {
			t.Errorf("%s is kept", f.Name)
		}
	}
}

// A host that is not as it was when the study began is a doubt in what is measured
// from then on, and so is a clock that was set back.
func TestAStudyThatGoesOnElsewhere(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	plan := b.plan()
	if r := b.rerun(t, plan, 1); told(r, "study_host_changed")+told(r, "clock_changed") != "" {
		t.Errorf("on one host: %v", r.MeasurementWarnings)
	}
	plan.Host.Kernel, plan.Images[0].ID = "5.0", "sha256:2"
	if err := os.RemoveAll(filepath.Join(b.dir, plan.Folder(3))); err != nil {
		t.Fatal(err)
	}
	r := b.rerun(t, plan, 3)
	if got := told(r, "study_host_changed"); !strings.Contains(got, "kernel: as the study began 5.0") || !strings.Contains(got, "image i: as the study began 2, now 1") {
		t.Errorf("warnings %q", r.MeasurementWarnings)
	}
	if r.Study.Attempt != 2 {
		t.Errorf("attempt %d, want 2", r.Study.Attempt)
	}
	later := newClock([]result.JournalEntry{{At: time.Now().Add(time.Hour)}})
	if w := later.doubts(); len(w) != 1 || w[0].Code != "clock_changed" || len(newClock(nil).doubts()) != 0 {
		t.Errorf("a clock that was set back: %v", w)
	}
}

func TestAStudyEndsWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	b.p.Execution.TimeoutHours = 1e-7
	plan := b.plan()
	if err := b.run(t, t.Context(), plan); !errors.Is(err, errStudyTime) || launch.KindOf(err) != launch.ExperimentFault {
		t.Errorf("got %v", err)
	}
	b.p.Execution.TimeoutHours = 1
	if r := b.rerun(t, plan, 4); r.Status != result.Completed {
		t.Errorf("resumed: %s", r.Status)
	}
}
