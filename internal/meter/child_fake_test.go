//go:build linux

package meter

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program writes a shell script that can be run.
func program(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "python")
	// While it is open for writing no other test may fork: its child would hold it
	// open, and the kernel not run it ("text file busy").
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// shell is a child that is no Python. It leaves its process number beside itself,
// and "ok JSON" waits for a question and answers it.
func shell(t *testing.T, text string) string {
	t.Helper()
	return program(t, `echo $$ >"$0.new" && mv "$0.new" "$0.pid"
ok() { read -r line && printf '\n{"llem": 1, "ok": %s}\n' "$1"; }
`+text)
}

// group waits for the process number that a shell leaves, which is its group's too.
func group(t *testing.T, python string) int {
	t.Helper()
	var pid int
	eventually(t, "the child starts", func() bool {
		text, err := os.ReadFile(python + ".pid")
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err == nil
	})
	return pid
}

// members are the processes of a group that have not ended. One that has, and
// whose parent has not asked yet, has no more than a number.
func members(t *testing.T, group int) (pids []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		// The name, in brackets, may contain anything: state, parent, group follow.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) && fields[0] != "Z" && fields[0] != "X" {
			pids = append(pids, strings.Split(file, "/")[2])
		}
	}
	return pids
}

// wantGone holds that nothing is left of a child and what it started.
func wantGone(t *testing.T, group int) {
	t.Helper()
	eventually(t, fmt.Sprintf("processes of group %d end", group), func() bool { return len(members(t, group)) == 0 })
}

// spoken keeps what a child said.
type spoken struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *spoken) say(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.WriteString(line + "\n")
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// shorten sets a time-out for this test, which must not be parallel.
func shorten(t *testing.T, timeout *time.Duration, to time.Duration) {
	t.Helper()
	old := *timeout
	*timeout = to
	t.Cleanup(func() { *timeout = old })
}

// wantClosed closes i, which must not take long.
func wantClosed(t *testing.T, i *Instrument) {
	t.Helper()
	start := time.Now()
	if err := i.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if took := time.Since(start); took > 2*endTimeout+2*time.Second {
		t.Errorf("closing took %v", took)
	}
}

// need skips a test of what the host does not have, but in CI, which must have it.
func need(t *testing.T, ok bool, what string) {
	t.Helper()
	switch {
	case ok:
	case os.Getenv("CI") == "true":
		t.Fatal(what)
	default:
		t.Skip(what)
	}
}

// host is the host's Python itself, which may be behind a script that chooses one.
var host = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(out)), err
})

// python is the host's Python with no packages but those in files, by path.
func python(t *testing.T, files map[string]string) (path, executable string) {
	t.Helper()
	executable, err := host()
	need(t, err == nil, fmt.Sprintf("python3 does not run: %v", err))
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// -S: without the packages of the host.
	return shell(t, fmt.Sprintf(`PYTHONPATH='%s' exec '%s' -S "$@"`, dir, executable)), executable
}

// version is how a package tells its version.
func version(name, v string) map[string]string {
	return map[string]string{name + "-" + v + ".dist-info/METADATA": "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + v + "\n"}
}

// zeus is a package that gives 10 J for GPU 0, 11 J for GPU 1 and so on, with
// other files in place of its own.
func zeus(files map[string]string) map[string]string {
	all := version("zeus", "0.16.0")
	all["zeus/__init__.py"] = ""
	all["zeus/monitor.py"] = `
class ZeusMonitor:
    def __init__(self, gpu_indices, cpu_indices):
        self.gpus = gpu_indices
    def begin_window(self, key, sync_execution):
        pass
    def end_window(self, key, sync_execution):
        self.gpu_energy = {i: 10.0 + i for i in self.gpus}
        return self
`
	maps.Copy(all, files)
	return all
}
