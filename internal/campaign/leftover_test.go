package campaign

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/result"
)

// killed leaves the lock of a run as a killed process does: a file that no
// process holds.
func killed(t *testing.T, run, dir string) (path string) {
	t.Helper()
	l, err := lease.LockRun(run, dir)
	if err != nil {
		t.Fatal(err)
	}
	path = l.Path()
	l.Leave()
	l.Release()
	return path
}

func TestCleanRunsRemovesTheDeadAndSparesTheLiving(t *testing.T) {
	locks := filepath.Join(t.TempDir(), "locks")
	t.Setenv("LLEM_LOCK_DIR", locks)
	results := t.TempDir()
	folder := func(name string, files ...string) string {
		dir := filepath.Join(results, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	living := folder("living")
	alive, err := lease.LockRun("living", living)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Release()
	gpus := lease.New("living", slog.New(slog.DiscardHandler))
	if err := gpus.Lock([]device.Device{{UUID: "GPU-a"}}); err != nil {
		t.Fatal(err)
	}
	defer gpus.Release()
	empty, partial := folder("empty"), folder("partial", result.RequestsFile, ".samples.parquet123", ".result.json9")
	strange, damaged := folder("strange", result.RequestsFile, "notes.txt"), folder("damaged", result.RecordFile)
	begun, plan := folder("begun", result.StudyInputFile, ".plan.json77"), folder("plan", result.PlanFile, ".summary.json1")
	for run, dir := range map[string]string{"a": empty, "b": partial, "c": strange, "d": damaged, "e": begun, "f": plan, "g": filepath.Join(results, "never-made"), "h": living} {
		killed(t, run, dir)
	}
	dead := func(name, dir, did string) lease.DeadRun { return lease.DeadRun{Name: name, Dir: dir, Did: did} }
	want := []lease.DeadRun{dead("a", empty, removedEmpty), dead("b", partial, removedPartial), dead("c", "", ""), dead("d", "", ""), dead("e", begun, removedPartial), dead("f", plan, resumable), dead("g", "", ""), dead("h", "", "")}
	for _, dry := range []bool{true, false} {
		got, err := CleanRuns(dry, false)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("dry %v: -want +got:\n%s%v", dry, diff, err)
		}
		for _, dir := range []string{empty, partial, begun} {
			if _, err := os.Stat(dir); (err == nil) != dry {
				t.Errorf("dry %v: %s: %v", dry, dir, err)
			}
		}
	}
	for dir, want := range map[string]int{strange: 2, damaged: 1, living: 0, plan: 1} {
		if list, err := os.ReadDir(dir); err != nil || len(list) != want {
			t.Errorf("%s has %v, %v; want %d files", dir, list, err, want)
		}
	}
	left, err := filepath.Glob(filepath.Join(locks, "*"))
	if want := []string{filepath.Join(locks, "gpu-GPU-a.lock"), alive.Path()}; err != nil || !cmp.Equal(want, left) {
		t.Errorf("left %v, want %v", left, want)
	}
	if !lease.RunHeld(alive.Path()) {
		t.Error("the living run is not held any more")
	}
}
