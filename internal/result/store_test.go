package result

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var at = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func store(t *testing.T) *Store {
	t.Helper()
	s, err := Create(t.TempDir(), "run", at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func p[T any](v T) *T { return &v }

func TestChecksumsFindOneChangedByte(t *testing.T) {
	s := store(t)
	for _, name := range []string{"a", "b", RecordFile} {
		if err := s.PutFile(name, []byte("content of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := Files(s.Dir())
	if err != nil || len(files) != 2 || files[0].Name != "a" || files[0].Bytes != 12 {
		t.Fatalf("%+v, %v", files, err)
	}
	if diff := files[0].Check(s.Dir()); diff != "" {
		t.Errorf("an unchanged file: %s", diff)
	}
	for text, says := range map[string]string{"content of b": "SHA-256", "content": "bytes"} {
		if err := s.PutFile("a", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if diff := files[0].Check(s.Dir()); !strings.Contains(diff, says) {
			t.Errorf("%q says %q", text, diff)
		}
	}
	if diff := (File{Name: "gone"}).Check(s.Dir()); !strings.Contains(diff, "no such file") {
		t.Errorf("a file that is gone: %q", diff)
	}
}

func TestTwoRunsOfOneSecondHaveTheirOwnDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "too")
	seen := map[string]bool{}
	for range 3 {
		s, err := Create(dir, "run", at)
		if err != nil || seen[s.Dir()] {
			t.Fatalf("%v, %v", s, err)
		}
		seen[s.Dir()] = true
	}
	if !seen[filepath.Join(dir, "run_20261124T100000Z")] || !seen[filepath.Join(dir, "run_20261124T100000Z_3")] {
		t.Errorf("%v", seen)
	}
}

// A file is replaced whole or not at all, and nothing is left beside it.
func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	s := store(t)
	if err := s.PutFile("a", []byte("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := s.Put("a", func(w io.Writer) error {
		if _, err := w.Write(bytes.Repeat([]byte("new"), 1000)); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "write a") {
		t.Errorf("error %v", err)
	}
	checkOnly(t, s, "a", "old")
}

// The owner writes, everybody reads, nobody executes; the umask has its say.
func TestModes(t *testing.T) {
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	s, err := Create(filepath.Join(t.TempDir(), "out"), "run", at)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutFile("a", nil); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{s.Dir(): 0o750, filepath.Dir(s.Dir()): 0o750, filepath.Join(s.Dir(), "a"): 0o640} {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := st.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

func checkOnly(t *testing.T, s *Store, name, want string) {
	t.Helper()
	list, err := os.ReadDir(s.Dir())
	if err != nil || len(list) != 1 || list[0].Name() != name {
		t.Errorf("the directory holds %v, %v; want %s alone", list, err, name)
	}
	if got, err := os.ReadFile(filepath.Join(s.Dir(), name)); err != nil || string(got) != want {
		t.Errorf("%s holds %.20q, %v; want %q", name, got, err, want)
	}
}

// tmpfs mounts a small filesystem, or skips the test where that is not allowed.
func tmpfs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=256k", "llem-test", dir).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must be able to mount a small filesystem: %v\n%s", err, out)
		}
		t.Skipf("only who may mount a small filesystem can fill one: %v", err)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "--lazy", dir).Run() }) // the folder goes with the test
	return dir
}

func checkFull(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "--output") || !strings.Contains(err.Error(), "write a: ") {
		t.Errorf("error %v, want one that says where and what to do", err)
	}
}

func TestAFullDeviceLeavesTheOldFileAndSaysWhatToDo(t *testing.T) {
	s := store(t)
	if err := s.PutFile("a", []byte("old")); err != nil {
		t.Fatal(err)
	}
	checkFull(t, s.Put("a", func(io.Writer) error {
		return os.WriteFile("/dev/full", []byte("new"), 0)
	}))
	checkOnly(t, s, "a", "old")
}

func TestAFullDiskLeavesTheOldFile(t *testing.T) {
	s, err := Create(tmpfs(t), "run", at)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutFile("a", []byte("old")); err != nil {
		t.Fatal(err)
	}
	checkFull(t, s.PutFile("a", make([]byte, 1<<20)))
	checkOnly(t, s, "a", "old")
	rng := rand.New(rand.NewPCG(1, 1))
	err = s.PutSamples(func(yield func(SampleRow) bool) {
		for yield(SampleRow{MonotonicNS: rng.Int64(), UTCNS: rng.Int64(), ReadTookNS: rng.Int64()}) {
		}
	})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("samples without end: %v", err)
	}
	checkOnly(t, s, "a", "old")
	if err := s.PutFile("a", []byte("small enough")); err != nil {
		t.Errorf("the disk has room again: %v", err)
	}
}

// readOnly makes dir so that nothing can be created in it.
func readOnly(t *testing.T) (dir string, lock func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		dir = t.TempDir()
		return dir, func() {
			if err := os.Chmod(dir, 0o555); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(dir, 0o755) }) // so that it can be removed
		}
	}
	dir = tmpfs(t) // modes do not hold root
	return dir, func() {
		if out, err := exec.Command("mount", "-o", "remount,ro", dir).CombinedOutput(); err != nil {
			t.Fatalf("remount: %v\n%s", err, out)
		}
	}
}

func TestAnOutputDirectoryThatCannotBeWritten(t *testing.T) {
	dir, lock := readOnly(t)
	lock()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for dir, named := range map[string]string{dir: dir, filepath.Join(dir, "below"): dir, file: file, filepath.Join(file, "below"): file} {
		s, err := Create(dir, "run", at)
		if err == nil {
			t.Fatalf("made %s", s.Dir())
		}
		for _, says := range []string{"output directory: ", named, "--output"} {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("error %v does not say %q", err, says)
			}
		}
	}
}

func TestADirectoryThatBecomesReadOnlyKeepsItsFiles(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must run as root, to mount a small filesystem")
		}
		t.Skip("only root can turn a filesystem read-only")
	}
	dir, lock := readOnly(t)
	s, err := Create(dir, "run", at)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutFile("a", []byte("old")); err != nil {
		t.Fatal(err)
	}
	lock()
	if err := s.PutFile("a", []byte("new")); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "write a: ") {
		t.Errorf("error %v, want one that says where", err)
	}
	checkOnly(t, s, "a", "old")
}
