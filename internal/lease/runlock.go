package lease

import (
	"crypto/rand"
	"encoding/hex"
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

// RunLock shows other processes that a run is alive, and says what it may leave
// to those who clean up after it. nil holds nothing.
//
// Its file's first line is the holder, the second the folder of the result, and the
// third, of a fixed length, the container that the daemon is asked to make.
type RunLock struct {
	file  *os.File
	at    int64 // where the third line begins
	stays bool  // the file, after Release
}

// NewID names a run or a campaign: 12 hexadecimal digits, unique on any host.
func NewID() string {
	var b [6]byte
	rand.Read(b[:]) // never fails: crypto/rand
	return hex.EncodeToString(b[:])
}

// runPrefix begins the names of runs' lock files.
const runPrefix = "run-"

// LockRun marks run, whose name must be unique to this host, as alive until
// Release or until the process ends. dir is the folder of its result; empty: not
// yet made, see Note.
func LockRun(run, dir string) (*RunLock, error) {
	// Nobody else has this name but a clean that looks at the file, and lets go.
	const tries, pause = 50, 10 * time.Millisecond
	for n := 1; ; n++ {
		f, holder, err := tryLock(runPrefix+run, run)
		switch {
		case err != nil:
			return nil, err
		case f != nil:
			l := &RunLock{file: f}
			if dir == "" {
				return l, nil
			}
			return l, l.Note(dir)
		case n == tries:
			return nil, fmt.Errorf("run %s is already held by pid %d", run, holder.PID)
		}
		time.Sleep(pause)
	}
}

// Note names the folder of the result. It comes before the folder is made, so that no
// kill leaves one that no lock names.
func (l *RunLock) Note(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("folder of the result: %w", err)
	}
	text, err := io.ReadAll(io.NewSectionReader(l.file, 0, maxLock))
	if err != nil {
		return fmt.Errorf("note the folder of the result: %w", err)
	}
	from := int64(strings.IndexByte(string(text), '\n') + 1)
	if _, err := l.file.WriteAt([]byte(dir+"\n"), from); err != nil {
		return fmt.Errorf("note the folder of the result: %w", err)
	}
	l.at = from + int64(len(dir)) + 1
	return l.file.Truncate(l.at)
}

// maxLock bounds what is read of a lock file.
const maxLock = 8192

// Creating names a container before the daemon is asked to make it: a daemon
// that is slow may make it after llem was killed. Empty: there is no such container,
// or it is there.
func (l *RunLock) Creating(name string) {
	if l == nil || l.file == nil || l.at == 0 {
		return
	}
	line := ""
	if name != "" {
		line = creatingWord + name + " " + time.Now().UTC().Format(time.RFC3339)
	}
	// One write of one length: a kill leaves the old line or the new one. Without it
	// clean looks for the container once.
	_, _ = l.file.WriteAt(fmt.Appendf(nil, "%-100s\n", line), l.at)
}

const creatingWord = "creating "

// Leave has Release keep the file, as a kill does, since a container may be left: clean
// takes a container for one that was left only where it finds the lock of its run.
func (l *RunLock) Leave() {
	if l != nil {
		l.stays = true
	}
}

// Release ends the run. Its file is removed too, unless Leave was called: no other run
// has its name.
func (l *RunLock) Release() {
	if l == nil || l.file == nil {
		return
	}
	if l.stays {
		_ = flock(l.file, syscall.LOCK_UN)
		_ = l.file.Close()
	} else {
		// A file that cannot be removed is empty and held by no process.
		_ = os.Remove(l.file.Name())
		unlock(l.file)
	}
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

// OwnLock says whether the lock at path is in this llem's folder of locks, and
// whether it is there.
func OwnLock(path string) (own, there bool) {
	if filepath.Dir(path) != lockDir() {
		return false, false
	}
	_, err := os.Lstat(path)
	return true, !errors.Is(err, fs.ErrNotExist)
}
