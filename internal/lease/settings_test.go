package lease

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
)

// lister can only list processes.
type lister struct {
	device.Watcher
	list []device.Process
	err  error
}

func (l lister) Processes(context.Context) ([]device.Process, error) { return l.list, l.err }

// crowd is a host's GPUs with processes on them.
type crowd struct {
	device.Session
	lister
}

func (c crowd) Watch([]device.Device) (device.Watcher, error) { return c.lister, nil }

// A GPU that others came to after the run had looked is not changed.
func TestGPUSettingsAreNotChangedBesideOthers(t *testing.T) {
	t.Parallel()
	for want, w := range map[string]lister{
		"others use: late (pid 7)": {list: []device.Process{{PID: 7, Name: "late"}}},
		"others may use: no list":  {err: errors.New("no list")},
	} {
		if _, err := New("r", nil).Tune(t.Context(), crowd{lister: w}, []device.Device{{}}, "r", Tuning{PowerLimitW: 250}); err == nil || launch.KindOf(err) != launch.HostFault || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// What is where a note is to be written is named, with the command that removes it.
func TestANoteThatCannotBeWritten(t *testing.T) {
	for name, c := range map[string]struct {
		put  func(path string) error
		says string
	}{
		"another's":       {func(path string) error { return os.Mkdir(path, 0o755) }, "sudo rm -r "},
		"one cut off":     {func(path string) error { return os.WriteFile(path, []byte("{"), 0o644) }, "sudo llem clean"},
		"a symbolic link": {func(path string) error { return os.Symlink("/dev/null", path) }, "sudo llem clean"},
	} {
		dir := useLockDir(t)
		path := settingPath(gpuA)
		if err := errors.Join(os.MkdirAll(dir, 0o777), c.put(path)); err != nil {
			t.Fatal(err)
		}
		err := (&setting{UUID: gpuA, path: path}).write()
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", name, err, c.says)
		}
	}
}

// A note that was damaged restores no other limit than the GPU had; one that was cut
// off while it was written says that nothing was changed yet.
func TestADamagedNoteRestoresNothing(t *testing.T) {
	useLockDir(t)
	path := settingPath(gpuA)
	note := &setting{UUID: gpuA, Index: 1, Run: "r", LimitW: 400, Clock: true, path: path}
	if err := note.write(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readSetting(path); err != nil || got.LimitW != 400 || !got.Clock {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range sound {
		bad := bytes.Clone(sound)
		bad[i] ^= 1 << (i % 7)
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := readSetting(path)
		if err == nil && (got.LimitW != 400 || !got.Clock || got.UUID != gpuA) {
			t.Errorf("byte %d of %s: %+v", i, bad, got)
		}
		if err != nil && !errors.Is(err, errDamagedNote) {
			t.Errorf("byte %d of %s: %v", i, bad, err)
		}
	}
	for _, text := range []string{
		`{"uuid":"` + gpuA + `","power_limit_before_w":-5}`, `{"uuid":"GPU-of-another","power_limit_before_w":300}`, `{"uuid":7}`, `nothing}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := readSetting(path); !errors.Is(err, errDamagedNote) || !strings.Contains(err.Error(), "nvidia-smi -pl") {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for n := range len(sound) {
		if err := os.WriteFile(path, sound[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readSetting(path); err == nil || errors.Is(err, errDamagedNote) {
			t.Errorf("cut off after %d bytes: %v", n, err)
		}
	}
}

// The folder that a user has made first lets nobody but root remove root's notes.
func TestTheSharedFolderBecomesRoots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	link := dir + "-link"
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if err := giveToRoot(link); err == nil {
		t.Error("it followed a link")
	}
	if os.Geteuid() != 0 { // who may not
		if err := giveToRoot(dir); err == nil {
			t.Error("a user gave a folder to root")
		}
		return
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := giveToRoot(dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 || info.Mode().Perm() != 0o777 || info.Mode()&os.ModeSticky == 0 {
		t.Errorf("owner %d, mode %v", owner, info.Mode())
	}
}

// stubborn is a GPU whose limit cannot be put back. Its session is closed at the end of a
// run: nothing may ask it then.
type stubborn struct {
	device.Session
	limit  float64
	closed bool
	asked  int // after it was closed
}

func (s *stubborn) PowerLimit(device.Device) (float64, error) {
	if s.closed {
		s.asked++
	}
	return s.limit, nil
}

func (s *stubborn) SetPowerLimit(_ device.Device, watts float64) error {
	if s.limit == 400 {
		s.limit = watts
		return nil
	}
	return errors.New("the driver refuses")
}

func (s *stubborn) Watch([]device.Device) (device.Watcher, error) { return lister{}, nil }

func (s *stubborn) Select(context.Context, []string) ([]device.Device, error) {
	return []device.Device{{UUID: gpuA}}, nil
}

// A later run of a study asks nothing of the session of an earlier one, which is closed.
func TestWhatCannotBePutBackIsLeftToClean(t *testing.T) {
	useLockDir(t)
	gpus := &stubborn{limit: 400}
	l := New("study", slog.New(slog.DiscardHandler))
	if _, err := l.Tune(t.Context(), gpus, []device.Device{{UUID: gpuA}}, "first", Tuning{PowerLimitW: 250}); err != nil {
		t.Fatal(err)
	}
	l.PutBack()
	if got := l.Settings("first"); len(got) != 1 || got[0].Restored {
		t.Fatalf("settings %+v, want one that is not restored", got)
	}
	l.Forget()
	gpus.closed = true
	l.PutBack()
	if gpus.asked > 0 {
		t.Errorf("a closed session was asked %d times", gpus.asked)
	}
	if _, err := os.Stat(settingPath(gpuA)); err != nil {
		t.Errorf("the note for llem clean: %v", err)
	}
}
