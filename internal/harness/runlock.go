package harness

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// RunLock shows other processes that a run is alive. nil holds nothing.
type RunLock struct{ file *os.File }

// runPrefix begins the names of runs' lock files.
const runPrefix = "run-"

// LockRun marks run, whose name must be unique to this host, as alive until
// Release or until the process ends. dir is the folder of its result, of which
// the lock tells whoever cleans up after it.
func LockRun(run, dir string) (*RunLock, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("folder of the result: %w", err)
	}
	// Nobody else has this name but a clean that looks at the file, and lets go.
	const tries, pause = 50, 10 * time.Millisecond
	for n := 1; ; n++ {
		f, holder, err := tryLock(runPrefix+run, run)
		switch {
		case err != nil:
			return nil, err
		case f != nil:
			_, _ = fmt.Fprintln(f, dir) // without it an empty folder may stay
			return &RunLock{f}, nil
		case n == tries:
			return nil, fmt.Errorf("run %s is already held by pid %d", run, holder.PID)
		}
		time.Sleep(pause)
	}
}

// Release ends the run. Its file goes too: no other run has its name.
func (l *RunLock) Release() {
	if l == nil || l.file == nil {
		return
	}
	// What cannot be removed is an empty file that nobody holds.
	_ = os.Remove(l.file.Name())
	unlock(l.file)
	l.file = nil
}

// Path is the lock's file, by which RunHeld knows it; empty for nil.
func (l *RunLock) Path() string {
	if l == nil || l.file == nil {
		return ""
	}
	return l.file.Name()
}

// RunOf is the run, or the study, whose lock is at path.
func RunOf(path string) string {
	return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), runPrefix), ".lock")
}

// RunHeld says whether a living process holds the run whose lock is at path. A
// lock that cannot be looked at counts as held, so that nothing of a living run
// is cleaned away.
func RunHeld(path string) bool {
	f, err := openLock(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer func() { _ = f.Close() }()
	return flock(f, syscall.LOCK_SH|syscall.LOCK_NB) != nil
}

// DeadRun is what a killed run left of itself.
type DeadRun struct {
	Name string
	Dir  string // of its result, where that is an empty folder; else ""
}

// CleanRuns removes the locks of killed runs, and their results' folders where
// nothing was put into them. With dry it only says which. Another user's are left
// to him.
func CleanRuns(dry bool) ([]DeadRun, error) {
	files, err := filepath.Glob(filepath.Join(lockDir(), runPrefix+"*.lock"))
	if err != nil {
		return nil, err
	}
	var dead []DeadRun
	var failed error
	for _, path := range files {
		d, err := cleanRun(path, dry)
		switch {
		case errors.Is(err, fs.ErrPermission):
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("remove the lock of a killed run: %w", err))
		case d != nil:
			dead = append(dead, *d)
		}
	}
	return dead, failed
}

// cleanRun removes the lock at path if its run is dead. It holds the lock and
// makes sure that path still names it, so that it never removes the file of a
// run that has just begun.
func cleanRun(path string, dry bool) (*DeadRun, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, nil // gone, or no lock file
	}
	defer func() { _ = f.Close() }()
	if flock(f, syscall.LOCK_EX|syscall.LOCK_NB) != nil || !names(path, f) {
		return nil, nil
	}
	d := &DeadRun{Name: RunOf(path)}
	if dir := resultDir(f); dir != "" && isEmpty(dir) {
		d.Dir = dir
	}
	if dry {
		return d, nil
	}
	if err := os.Remove(path); err != nil {
		return nil, err
	}
	if d.Dir != "" {
		if err := syscall.Rmdir(d.Dir); err != nil {
			d.Dir = ""
		}
	}
	return d, nil
}

// resultDir is the folder that a lock names. The lock's folder is everybody's: a
// file counts only if it is root's or this user's own.
func resultDir(f *os.File) string {
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid != 0 && int(owner.Uid) != os.Geteuid() {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(f, 8192)) // what is not there names no folder
	_, rest, _ := strings.Cut(string(text), "\n")
	dir := strings.TrimSuffix(rest, "\n")
	if !filepath.IsAbs(dir) {
		return ""
	}
	return dir
}

func isEmpty(dir string) bool {
	list, err := os.ReadDir(dir)
	return err == nil && len(list) == 0
}
