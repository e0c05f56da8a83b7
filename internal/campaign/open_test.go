package campaign

import (
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
)

// warned is what a record warns of under a code; empty: nothing.
func warned(r *result.Record, code string) string {
	for _, w := range r.MeasurementWarnings {
		if strings.HasPrefix(w, code+": ") {
			return w
		}
	}
	return ""
}

// A point that the executor refuses is in the plan with the reason, and the others are run.
func TestAPointThatIsRefusedIsNotRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{site: Site{Refused: map[int]string{0: "no room for it"}}}, "")
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := b.plan(t); len(b.records(t)) != 2 || p.Points[0].Invalid != "no room for it" || p.Points[1].Invalid != "" {
		t.Errorf("%d records of %+v", len(b.records(t)), p.Points)
	}
}

// What cannot be run at all leaves no folder.
func TestAStudyThatIsNotBegun(t *testing.T) {
	t.Parallel()
	for want, x := range map[string]*fake{
		"none of the study's points can be run:\nconcurrency-1: too large\nconcurrency-2: too small": {site: Site{Refused: map[int]string{0: "too large", 1: "too small"}}},
		"lacks its image": {fails: launch.Faultf(launch.ConfigFault, "lacks its image")},
	} {
		b := newBench(t, x, "")
		if err := b.run(t.Context()); err == nil || err.Error() != want || launch.KindOf(err) != launch.ConfigFault || x.closed != 1 {
			t.Errorf("got %v, closed %d times", err, x.closed)
		}
		if list, err := os.ReadDir(filepath.Dir(b.file)); err != nil || len(list) != 1 {
			t.Errorf("left %v, %v", list, err)
		}
	}
	b := newBench(t, &fake{}, "")
	b.write(t, strings.Replace(fmt.Sprintf(grid, ""), ", image: i", "", 1))
	if err := b.run(t.Context()); err == nil || !strings.Contains(err.Error(), "2 points name neither an image nor a server") || b.x.closed != 0 {
		t.Errorf("got %v", err)
	}
}

// A record that was written as the window ended, and not again, is finished and not
// measured again.
func TestARecordWithoutItsEndIsFinished(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	r := b.completed(t, 2)
	dir := b.folder(t, 2)
	r.Files = nil
	if err := errors.Join(result.Open(dir).PutRecord(r), os.WriteFile(filepath.Join(dir, ".engine.log123"), []byte("half"), 0o644)); err != nil {
		t.Fatal(err)
	}
	again := b.completed(t, 2)
	if again.ExperimentID != r.ExperimentID || warned(again, "record_unfinished") == "" || len(again.Files) == 0 || len(b.x.ran) != 0 {
		t.Errorf("%d runs, %d files, %q", len(b.x.ran), len(again.Files), again.MeasurementWarnings)
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
	b.x.site.Host.Kernel = "5.0"
	if r := b.completed(t, 1); warned(r, "study_host_changed")+warned(r, "clock_changed") != "" {
		t.Errorf("on one host: %v", r.MeasurementWarnings)
	}
	b.x.site.Host.Kernel, b.x.site.Images = "6.0", []result.StudyImage{{Ref: "i", ID: "sha256:2"}}
	if err := os.RemoveAll(b.folder(t, 3)); err != nil {
		t.Fatal(err)
	}
	r := b.completed(t, 3)
	if got := strings.Join(r.MeasurementWarnings, "\n"); !strings.Contains(got, "kernel: as the study began 5.0, now 6.0") || !strings.Contains(got, "image i: as the study began 1, now 2") {
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

// A change of the study's file is refused unless it is accepted. Then what is in both is
// not run again, and what is only in the old one is set aside.
func TestAStudyThatIsChanged(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := b.plan(t).ID
	b.write(t, strings.Replace(fmt.Sprintf(grid, ""), "[1, 2]", "[2, 3]", 1))
	b.refuse = true
	if err := b.run(t.Context()); launch.KindOf(err) != launch.ConfigFault || !strings.Contains(err.Error(), "is not as it was when the study was begun") {
		t.Errorf("without --accept-changes: %v", err)
	}
	b.refuse = false
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"002_c1_concurrency-2": result.Completed, "004_c2_concurrency-2": result.Completed,
		"005_c1_concurrency-3": result.Completed, "006_c2_concurrency-3": result.Completed,
	}
	if diff := cmp.Diff(want, b.records(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if aside := b.aside(t); len(b.x.ran) != 2 || len(aside) != 2 || b.plan(t).ID != id || !b.saidAny("the study's file has changed:") {
		t.Errorf("%d runs, set aside %q, said %q", len(b.x.ran), aside, b.said)
	}
	if got := strings.Join(b.journal(t), "\n"); strings.Count(got, "study_changed") != 1 || strings.Contains(got, "study_resumed") {
		t.Errorf("the journal has\n%s", got)
	}
}

// The study that is gone on with where none is named.
func TestTheNewestStudy(t *testing.T) {
	t.Parallel()
	in := t.TempDir()
	if _, err := Newest(in); launch.KindOf(err) != launch.ConfigFault {
		t.Errorf("of none: %v", err)
	}
	for i, name := range []string{"b", "a", "c"} {
		p := changing("x")
		p.SchemaVersion, p.CreatedAt = result.SchemaVersion, time.Unix(int64([]int{1, 3, 2}[i]), 0)
		dir := filepath.Join(in, name)
		if err := errors.Join(os.Mkdir(dir, 0o755), result.Open(dir).PutPlan(p, nil)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Newest(in); err != nil || got != filepath.Join(in, "a") {
		t.Errorf("%s, %v", got, err)
	}
}
