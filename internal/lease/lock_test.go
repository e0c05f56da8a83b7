package lease

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/llenergymeasure/llem/internal/device"
)

func TestMain(m *testing.M) {
	if os.Getenv(lockHolderEnv) != "" { // the second process of another test, with its folder
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "llem-lease-")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Setenv(lockDirEnv, filepath.Join(dir, "locks"))
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

const (
	gpuA = "GPU-00000000-0000-0000-0000-00000000000a"
	gpuB = "GPU-00000000-0000-0000-0000-00000000000b"
)

// lockHolderEnv makes the test binary take locks, say so and wait to be ended.
const lockHolderEnv = "LLEM_TEST_HOLD_LOCKS"

// TestLockHolder is the second process of the tests below.
func TestLockHolder(t *testing.T) {
	held := os.Getenv(lockHolderEnv)
	if held == "" {
		return // runs only as the child of another test
	}
	locks, err := lockGPUs("other", strings.Split(held, ",")...)
	if err != nil {
		t.Fatal(err)
	}
	defer locks.Release()
	run, err := LockRun("other", "")
	if err != nil {
		t.Fatal(err)
	}
	defer run.Release()
	fmt.Println("held")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until killed
}

// lockGPUs is a lease of GPUs that are known by their UUIDs.
func lockGPUs(run string, uuids ...string) (*Lease, error) {
	l := New(run, nil)
	var devices []device.Device
	for _, u := range uuids {
		devices = append(devices, device.Device{UUID: u})
	}
	return l, l.Lock(devices)
}

func useLockDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "locks")
	t.Setenv(lockDirEnv, dir)
	return dir
}

// holder starts a process that holds the GPUs and the run "other".
func holder(t *testing.T, uuids ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockHolder$")
	cmd.Env = append(os.Environ(), lockHolderEnv+"="+strings.Join(uuids, ","))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "held\n" {
		t.Fatalf("holder said %q, %v", line, err)
	}
	return cmd
}

func TestLockRefusesWhatAnotherProcessHolds(t *testing.T) {
	useLockDir(t)
	other := holder(t, gpuB)
	_, err := lockGPUs("mine", gpuB, gpuA)
	var refused *locked
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want *locked", err)
	}
	if refused.UUID != gpuB || refused.PID != other.Process.Pid || refused.Run != "other" || refused.Since.IsZero() {
		t.Errorf("got %+v, want %s held by pid %d of run other", refused, gpuB, other.Process.Pid)
	}
	for _, want := range []string{gpuB, "run other", strconv.Itoa(other.Process.Pid)} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("message %q lacks %q", err, want)
		}
	}
	// The one that was free must be free again.
	locks, err := lockGPUs("mine", gpuA)
	if err != nil {
		t.Fatal(err)
	}
	locks.Release()
}

func TestLockDiesWithItsProcess(t *testing.T) {
	dir := useLockDir(t)
	other := holder(t, gpuA, gpuB)
	run := filepath.Join(dir, "run-other.lock")
	if !RunHeld(run) {
		t.Error("the run of a living process is not held")
	}
	if err := other.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	if RunHeld(run) {
		t.Error("the run of a killed process is still held")
	}
	locks, err := lockGPUs("mine", gpuA, gpuB)
	if err != nil {
		t.Fatal(err)
	}
	locks.Release()
}

func TestLocksAreNotInheritedByChildren(t *testing.T) {
	useLockDir(t)
	locks, err := lockGPUs("mine", gpuA)
	if err != nil {
		t.Fatal(err)
	}
	holder(t, gpuB) // a child that outlives the release
	locks.Release()
	again, err := lockGPUs("mine", gpuA)
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
}

func TestLockTwiceInOneProcess(t *testing.T) {
	useLockDir(t)
	first, err := lockGPUs("first", gpuA, gpuA)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Lock([]device.Device{{UUID: gpuB}, {UUID: gpuA}}); err != nil { // it has the latter
		t.Fatal(err)
	}
	if got := device.UUIDs(first.Devices()); !slices.Equal(got, []string{gpuA, gpuB}) {
		t.Errorf("it holds %v", got)
	}
	var refused *locked
	if _, err := lockGPUs("second", gpuB); !errors.As(err, &refused) {
		t.Errorf("got %v, want *locked", err)
	}
	first.Release()
	first.Release()
	looking := Looking(nil)
	if err := looking.Lock([]device.Device{{UUID: gpuA}}); err != nil || len(looking.Devices()) > 0 {
		t.Errorf("one that looks: %v, holds %v", err, looking.Devices())
	}
	looking.Release()
	third, err := lockGPUs("third", gpuA, gpuB)
	if err != nil {
		t.Fatal(err)
	}
	third.Release()
}

func TestRunLockEndsWithRelease(t *testing.T) {
	dir := useLockDir(t)
	if RunHeld(filepath.Join(dir, "run-r1.lock")) {
		t.Error("a run that never was is held")
	}
	l, err := LockRun("r1", "")
	if err != nil {
		t.Fatal(err)
	}
	path := l.Path()
	if !RunHeld(path) {
		t.Error("a held run is not held")
	}
	if _, err := LockRun("r1", ""); err == nil {
		t.Error("a held run was locked again")
	}
	l.Release()
	l.Release()
	if RunHeld(path) || l.Path() != "" {
		t.Error("a released run is held")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left %v, %v; want an empty folder", left, err)
	}
}

func TestLockFilesAreForEveryUser(t *testing.T) {
	dir := useLockDir(t)
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	locks, err := lockGPUs("mine", gpuA)
	if err != nil {
		t.Fatal(err)
	}
	defer locks.Release()
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode(), os.ModeDir|os.ModeSticky|0o777; got != want {
		t.Errorf("folder has mode %v, want %v", got, want)
	}
	info, err = os.Stat(filepath.Join(dir, "gpu-"+gpuA+".lock"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode(), os.FileMode(0o666); got != want {
		t.Errorf("file has mode %v, want %v", got, want)
	}
}

func TestLockRefusesWhatIsNoLockFile(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func(path string) error{
		"symlink": func(path string) error { return os.Symlink(victim, path) },
		"fifo":    func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"folder":  func(path string) error { return os.Mkdir(path, 0o777) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := useLockDir(t)
			if err := os.Mkdir(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := plant(filepath.Join(dir, "gpu-"+gpuA+".lock")); err != nil {
				t.Fatal(err)
			}
			if l, err := lockGPUs("mine", gpuA); err == nil {
				l.Release()
				t.Error("got a lock")
			}
		})
	}
	if got, _ := os.ReadFile(victim); string(got) != "keep" {
		t.Errorf("the link's target now holds %q", got)
	}
}

func TestLockRefusesALinkedFolderAndSlashes(t *testing.T) {
	dir := useLockDir(t)
	if err := os.Symlink(t.TempDir(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := lockGPUs("mine", gpuA); err == nil || !strings.Contains(err.Error(), lockDirEnv) {
		t.Errorf("got %v, want a refusal that names %s", err, lockDirEnv)
	}
	useLockDir(t)
	if _, err := LockRun("../escape", ""); err == nil {
		t.Error("a run name with a slash was taken")
	}
}

// TestLockFileThatMayNotBeWritten is what a user without root can see of
// another user's file: root is never refused, and has the test below.
func TestLockFileThatMayNotBeWritten(t *testing.T) {
	dir := useLockDir(t)
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "gpu-"+gpuA+".lock"), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	locks, err := lockGPUs("mine", gpuA)
	if err != nil {
		t.Fatal(err)
	}
	defer locks.Release()
	if _, err := lockGPUs("second", gpuA); err == nil {
		t.Error("a lock that could not be written to was taken twice")
	}
}

// TestLockFileOfAnotherUser becomes somebody else, where it is root.
func TestLockFileOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		return
	}
	dir := useLockDir(t)
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		_ = os.Chmod(filepath.Dir(d), 0o755)
	}
	locks, err := lockGPUs("mine", gpuA)
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "locktest")
	data, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bin, data, 0o755); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(filepath.Dir(bin), 0o755)
	asNobody := func() string {
		cmd := exec.Command(bin, "-test.run=^TestLockHolder$")
		cmd.Dir = "/"
		cmd.Env = append(os.Environ(), lockHolderEnv+"="+gpuA)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	if out := asNobody(); !strings.Contains(out, "is locked by llem run mine") {
		t.Errorf("while held, another user got %q", out)
	}
	locks.Release()
	if out := asNobody(); !strings.Contains(out, "held") {
		t.Errorf("after the release, another user got %q", out)
	}
}
