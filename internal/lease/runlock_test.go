package lease

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// killed leaves the lock of a run as a killed process does: a file that no
// process holds.
func killed(t *testing.T, run, dir string) (path string) {
	t.Helper()
	l, err := LockRun(run, dir)
	if err != nil {
		t.Fatal(err)
	}
	path = l.Path()
	l.Leave()
	l.Release()
	return path
}

// A run that was killed while the daemon made its container says so, until the
// container is there; so does one that gave up on a daemon that hangs.
func TestALockTellsOfAContainerThatMayComeYet(t *testing.T) {
	useLockDir(t)
	dir := t.TempDir()
	for _, name := range []string{"base", "base_2", "base_10"} { // paths that are tried one after the other
		l, err := LockRun("r", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Note(filepath.Join(dir, "b")); err != nil { // shorter than the one before
			t.Fatal(err)
		}
		l.Creating("llem-a")
		l.Creating("llem-b")
		if got := CutOff(); len(got) != 0 {
			t.Errorf("of a living run: %v", got)
		}
		path := l.Path()
		l.Leave()
		l.Release()
		if got := CutOff(); len(got) != 1 || got[0].Name != "llem-b" || time.Since(got[0].At) > time.Minute {
			t.Errorf("got %v, want llem-b", got)
		}
		if RunHeld(path) {
			t.Error("a lock that is left is held")
		}
		if own, there := OwnLock(path); !own || !there {
			t.Errorf("own %v, there %v", own, there)
		}
		if l, err = LockRun("r", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		l.Creating("llem-c")
		l.Creating("")
		l.Leave()
		l.Release()
		if got := CutOff(); len(got) != 0 {
			t.Errorf("after the container was made: %v", got)
		}
	}
}

// spare leaves the folders of results alone.
func spare(string, bool) (string, error) { return "", nil }

// Where the daemon cannot be asked, a lock that names a container stays.
func TestCleanRunsKeepsTheLocksOfContainersThatMayBeLeft(t *testing.T) {
	useLockDir(t)
	dir := t.TempDir()
	for _, name := range []string{"without", "made", "creating"} {
		l, err := LockRun(name, filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if name != "without" {
			l.Creating("llem-" + name)
		}
		if name == "made" {
			l.Creating("")
		}
		l.Leave()
		l.Release()
	}
	for i, want := range [][]DeadRun{{{Name: "without"}}, {{Name: "creating"}, {Name: "made"}}} {
		got, err := CleanRuns(false, i == 0, spare)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("containers left: %v: -want +got:\n%s%v", i == 0, diff, err)
		}
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
	if _, err := CleanRuns(false, false, func(dir string, _ bool) (string, error) {
		t.Errorf("a stranger's lock names %s", dir)
		return "", nil
	}); err != nil {
		t.Fatal(err)
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
				if _, err := CleanRuns(false, false, spare); err != nil && !strings.Contains(err.Error(), "no such file") {
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
