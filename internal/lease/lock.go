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

// lockDirEnv overrides the folder of the lock files, for tests and for hosts
// where the usual one is not shared by all users.
const lockDirEnv = "LLEM_LOCK_DIR"

// locked is an [ErrBusy]: another process holds the lock of a GPU.
type locked struct {
	UUID  string
	PID   int    // 0: unknown
	Run   string // "": unknown
	Since time.Time
}

func (l *locked) Is(target error) bool { return target == ErrBusy }

func (l *locked) Error() string {
	if l.PID == 0 {
		return fmt.Sprintf("GPU %s is locked by another llem; wait until it ends, or use --wait-gpu", l.UUID)
	}
	return fmt.Sprintf("GPU %s is locked by llem run %s, pid %d since %s; wait until it ends, or use --wait-gpu",
		l.UUID, l.Run, l.PID, l.Since.Format(time.RFC3339))
}

// tryLock takes the lock name, or returns no file and who holds it. A file that
// was cleaned away between opening and locking it is no lock: it tries again.
func tryLock(name, run string) (*os.File, *locked, error) {
	path, err := lockPath(name)
	if err != nil {
		return nil, nil, err
	}
	for {
		f, err := openOrCreateLock(path)
		if err != nil {
			return nil, nil, fmt.Errorf("open lock %s: %w; %s names another folder", path, err, lockDirEnv)
		}
		err = flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case !names(path, f):
			_ = f.Close()
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			defer func() { _ = f.Close() }()
			return nil, readHolder(f), nil
		case err != nil:
			_ = f.Close()
			return nil, nil, fmt.Errorf("lock %s: %w; %s names another folder", path, err, lockDirEnv)
		}
		// Only the message of one who is refused needs this, so a file of another
		// user that this one may not write is no reason to fail.
		if f.Truncate(0) == nil {
			_, _ = fmt.Fprintf(f, "%d %s %s\n", os.Getpid(), time.Now().UTC().Format(time.RFC3339), run)
		}
		return f, nil, nil
	}
}

// names says whether path still names f.
func names(path string, f *os.File) bool {
	there, err := os.Lstat(path)
	if err != nil {
		return false
	}
	open, err := f.Stat()
	return err == nil && os.SameFile(there, open)
}

func readHolder(f *os.File) *locked {
	text, _ := io.ReadAll(io.LimitReader(f, 512))
	var l locked
	var since string
	if _, err := fmt.Sscanf(string(text), "%d %s %s", &l.PID, &since, &l.Run); err != nil {
		return &locked{}
	}
	l.Since, _ = time.Parse(time.RFC3339, since)
	return &l
}

func unlock(f *os.File) {
	_ = f.Truncate(0)
	// Explicitly, since a child between fork and exec still has the file open.
	_ = flock(f, syscall.LOCK_UN)
	_ = f.Close()
}

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// openOrCreateLock opens without O_CREAT first: with fs.protected_regular the
// kernel refuses O_CREAT on another user's file in a sticky folder.
func openOrCreateLock(path string) (*os.File, error) {
	for {
		f, err := openLock(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue // another process was quicker
		}
		if err != nil {
			return nil, err
		}
		if err := f.Chmod(0o666); err != nil { // despite the umask
			_ = f.Close()
			return nil, err
		}
		return f, nil
	}
}

// openLock opens an existing lock file, for reading only where writing is
// forbidden, which is enough for flock. O_NONBLOCK keeps a FIFO from blocking.
func openLock(path string) (*os.File, error) {
	const flags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	f, err := os.OpenFile(path, os.O_RDWR|flags, 0)
	if errors.Is(err, fs.ErrPermission) {
		f, err = os.OpenFile(path, os.O_RDONLY|flags, 0)
	}
	if errors.Is(err, syscall.ELOOP) {
		return nil, errors.New("is a symbolic link: remove it")
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, errors.New("is not a regular file: remove it")
	}
	return f, nil
}

// lockPath is the file of a lock, in a folder that exists.
func lockPath(name string) (string, error) {
	if strings.ContainsAny(name, "/\x00") {
		return "", fmt.Errorf("lock name %q holds a slash", name)
	}
	dir := lockDir()
	if err := os.Mkdir(dir, 0o777); err == nil {
		if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
			return "", fmt.Errorf("share lock folder: %w", err)
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make lock folder: %w; %s names another one", err, lockDirEnv)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("lock folder: %w", err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("lock folder %s is no folder: remove it, or name another one in %s", dir, lockDirEnv)
	}
	return filepath.Join(dir, name+".lock"), nil
}

// takeOver gives the shared folder to root, where root is who asks: the owner
// of a folder may remove the files of others in it, sticky or not. A folder that
// lockDirEnv names is left as it is.
func takeOver() error {
	if os.Geteuid() != 0 || os.Getenv(lockDirEnv) != "" {
		return nil
	}
	return giveToRoot(lockDir())
}

// giveToRoot makes dir root's, sticky and open to all. It follows no link, since
// dir may be anybody's.
func giveToRoot(dir string) error {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return errors.Join(f.Chown(0, 0), f.Chmod(0o777|os.ModeSticky))
}

// lockDir is the one folder that every user of the host shares. It hangs on the
// host and not on who asks, and so never on TMPDIR.
func lockDir() string {
	if dir := os.Getenv(lockDirEnv); dir != "" {
		return filepath.Clean(dir)
	}
	info, err := os.Stat("/run/lock")
	if err == nil && info.IsDir() && info.Mode()&os.ModeSticky != 0 && info.Mode().Perm()&0o002 != 0 {
		return "/run/lock/llem"
	}
	return "/tmp/llem-locks"
}
