package harness

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// killed leaves the lock of a run as a killed process does: a file that nobody
// holds.
func killed(t *testing.T, run, dir string) (path string) {
	t.Helper()
	l, err := LockRun(run, dir)
	if err != nil {
		t.Fatal(err)
	}
	path = l.Path()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Release()
	if err := os.WriteFile(path, text, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCleanRunsRemovesTheDeadAndSparesTheLiving(t *testing.T) {
	locks := useLockDir(t)
	results := t.TempDir()
	empty, full, living := filepath.Join(results, "empty"), filepath.Join(results, "full"), filepath.Join(results, "living")
	for _, dir := range []string{empty, full, living} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(full, "requests.parquet"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	alive, err := LockRun("living", living)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Release()
	gpus, err := LockGPUs([]string{gpuA}, "living")
	if err != nil {
		t.Fatal(err)
	}
	defer gpus.Release()
	killed(t, "a", empty)
	killed(t, "b", full)
	want := []DeadRun{{"a", empty}, {"b", ""}}
	for _, dry := range []bool{true, false} {
		got, err := CleanRuns(dry)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("dry %v: -want +got:\n%s%v", dry, diff, err)
		}
		if _, err := os.Stat(empty); (err == nil) != dry {
			t.Errorf("dry %v: the empty folder: %v", dry, err)
		}
	}
	for _, dir := range []string{full, living} {
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
	left, err := filepath.Glob(filepath.Join(locks, "*"))
	if want := []string{filepath.Join(locks, "gpu-"+gpuA+".lock"), alive.Path()}; err != nil || !cmp.Equal(want, left) {
		t.Errorf("left %v, want %v", left, want)
	}
	if !RunHeld(alive.Path()) {
		t.Error("the living run is not held any more")
	}
}

// Only a note of root's or of one's own names a folder.
func TestCleanRunsTrustsNoStranger(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must run as root, to give a file away")
		}
		t.Skip("only root can give a file away")
	}
	useLockDir(t)
	dir := t.TempDir()
	path := killed(t, "a", dir)
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := CleanRuns(false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("a stranger's note removed a folder: %v", err)
	}
}

// A run that begins while a clean looks at its file holds a file that is there.
func TestARunBeginsWhileOthersClean(t *testing.T) {
	useLockDir(t)
	stop := make(chan struct{})
	var cleaners sync.WaitGroup
	for range 2 {
		cleaners.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := CleanRuns(false); err != nil && !strings.Contains(err.Error(), "no such file") {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 500 {
		l, err := LockRun(strconv.Itoa(i), "")
		if err != nil {
			t.Error(err)
			break
		}
		if !RunHeld(l.Path()) {
			t.Errorf("run %d began and is not held", i)
			break
		}
		l.Release()
	}
	close(stop)
	cleaners.Wait()
}
