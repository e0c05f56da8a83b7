package lease

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

// DeadRun is what a killed run left.
type DeadRun struct {
	Name string
	Dir  string // of its result, where something was done about it; else ""
	Did  string // what was done, or would be; empty with Dir
}

// CleanRuns removes the locks of killed runs, once leftover has done what is to be done
// about the folder of each one's result; it says what, or would do with dry. Where
// containers may be left, the locks of runs that had one stay: without its lock a
// container has no owner. The locks of other users are left to them.
func CleanRuns(dry, containersLeft bool, leftover func(dir string, dry bool) (did string, err error)) ([]DeadRun, error) {
	files, err := runLocks()
	if err != nil {
		return nil, err
	}
	var dead []DeadRun
	var failed error
	for _, path := range files {
		d, err := cleanRun(path, dry, containersLeft, leftover)
		switch {
		case errors.Is(err, fs.ErrPermission):
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("clean up after run %s, which was killed: %w", RunOf(path), err))
		case d != nil:
			dead = append(dead, *d)
		}
	}
	return dead, failed
}

func runLocks() ([]string, error) {
	return filepath.Glob(filepath.Join(lockDir(), runPrefix+"*.lock"))
}

// cleanRun removes the lock at path if its run is dead. It holds the lock and
// makes sure that path still names it, so that it never removes the file of a
// run that has just begun. The lock goes last: a clean that is killed can be
// done again.
func cleanRun(path string, dry, containersLeft bool, leftover func(dir string, dry bool) (string, error)) (*DeadRun, error) {
	f := lockDead(path)
	if f == nil {
		return nil, nil
	}
	defer func() { _ = f.Close() }()
	n := readLock(f)
	if containersLeft && n.asked {
		return nil, nil
	}
	d := &DeadRun{Name: RunOf(path)}
	if dir := n.dir; dir != "" && !noted(dir, path) {
		var err error
		if d.Did, err = leftover(dir, dry); err != nil {
			return nil, err
		}
		if d.Did != "" {
			d.Dir = dir
		}
	}
	if dry {
		return d, nil
	}
	return d, os.Remove(path)
}

// lockDead opens and takes the lock of a run that is dead; nil: it lives, or its
// lock has gone.
func lockDead(path string) *os.File {
	f, err := openLock(path)
	if err != nil {
		return nil
	}
	if flock(f, syscall.LOCK_EX|syscall.LOCK_NB) != nil || !names(path, f) {
		_ = f.Close()
		return nil
	}
	return f
}

// facts are what a lock says of its run.
type facts struct {
	dir      string   // of its result; empty: unknown
	asked    bool     // it had the daemon make a container
	creating Creation // that was being made; no name: none
}

// readLock reads what a lock says. Any user may write into the folder of locks: a file
// counts only if it is root's or this user's own.
func readLock(f *os.File) (n facts) {
	info, err := f.Stat()
	if err != nil {
		return n
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid != 0 && int(owner.Uid) != os.Geteuid() {
		return n
	}
	text, _ := io.ReadAll(io.NewSectionReader(f, 0, maxLock)) // what is not there names nothing
	lines := append(strings.Split(string(text), "\n"), "", "", "")
	if filepath.IsAbs(lines[1]) {
		n.dir = lines[1]
	}
	n.asked = lines[2] != ""
	if rest, ok := strings.CutPrefix(lines[2], creatingWord); ok {
		name, at, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if n.creating.At, err = time.Parse(time.RFC3339, at); err == nil {
			n.creating.Name = name
		}
	}
	return n
}

// noted says whether a living run's lock, other than the one at path, names dir: a
// run notes the folder that it is about to make, which may be another's by then.
func noted(dir, path string) bool {
	files, _ := runLocks() // the pattern is good
	for _, other := range files {
		if other == path || !RunHeld(other) {
			continue
		}
		if f, err := openLock(other); err == nil {
			theirs := readLock(f)
			_ = f.Close()
			if theirs.dir == dir {
				return true
			}
		}
	}
	return false
}

// Creation is a container that the daemon was asked to make.
type Creation struct {
	Name string
	At   time.Time
}

// CutOff lists the containers that killed runs had asked the daemon for and did not
// see made: it may make them yet.
func CutOff() (out []Creation) {
	files, _ := runLocks() // the pattern is good
	for _, path := range files {
		f := lockDead(path)
		if f == nil {
			continue
		}
		if c := readLock(f).creating; c.Name != "" {
			out = append(out, c)
		}
		_ = f.Close()
	}
	return out
}
