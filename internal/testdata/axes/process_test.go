package launch_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// llem has an engine started as a process of the host: a run to its end, whose record is
// computed again, and one that is killed, whose engine llem clean removes.
func TestNewVariant(t *testing.T) {
	dir := t.TempDir()
	llem, reference := filepath.Join(dir, "llem"), filepath.Join(dir, "reference")
	for path, of := range map[string]string{llem: "../../cmd/llem", reference: "../../images/reference"} {
		if out, err := exec.Command("go", "build", "-o", path, of).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	library, err := standin.Build()
	if err != nil {
		t.Fatal(err)
	}
	gpus, err := standin.New(filepath.Join(dir, "gpus"), standin.GPU{Power: 60})
	if err != nil {
		t.Fatal(err)
	}
	defer gpus.Close()
	bare := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return slices.ContainsFunc([]string{"LLEM_", "HF_", "CUDA_", "SLURM_"}, func(p string) bool { return strings.HasPrefix(v, p) })
	})
	command := func(args ...string) *exec.Cmd {
		c := exec.Command(llem, args...)
		c.Env = append(slices.Clone(bare), "DOCKER_HOST=unix:///nowhere.sock", "LLEM_LOCK_DIR="+dir+"/locks", "XDG_CACHE_HOME="+dir+"/cache", "XDG_CONFIG_HOME="+dir+"/config",
			"LLEM_PYTHON=/no-python", "ZEUSD_SOCK_PATH=/no-zeusd", "LD_LIBRARY_PATH="+library, standin.FileEnv+"="+dir+"/gpus")
		return c
	}
	ran := func(says string, args ...string) []byte {
		t.Helper()
		out, err := command(args...).Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Errorf("llem %q: %v\n%s", args, err, exit.Stderr)
		}
		if !strings.Contains(string(out), says) {
			t.Errorf("llem %q says no %q:\n%s", args, says, out)
		}
		return out
	}
	run := []string{"run", "--quick", "--image", reference, "--engine", "reference", "--model", "reference/tiny"}

	ran("process", "doctor")
	ran("Energy", append(slices.Clone(run), "-n", "4", "--output-len", "8", "-o", dir+"/out")...)
	dirs, _ := filepath.Glob(dir + "/out/*") // the pattern is good
	if len(dirs) != 1 {
		t.Fatalf("results %q", dirs)
	}
	data, err := os.ReadFile(dirs[0] + "/result.json")
	var r struct {
		Status string   `json:"status"`
		Energy *float64 `json:"energy_total_j"`
		Engine struct {
			Name, Route string
			Command     []string
		}
	}
	if err = errors.Join(err, json.Unmarshal(data, &r)); err != nil || r.Status != "completed" || r.Energy == nil || r.Engine.Name != "reference" || r.Engine.Route != "loopback" || r.Engine.Command[0] != reference {
		t.Errorf("%v: %+v", err, r)
	}
	ran("", append([]string{"verify"}, dirs...)...)
	ran("no container is left over", "clean")

	c := command(append(slices.Clone(run), "-n", "1000", "-o", dir+"/killed")...)
	said, err := c.StderrPipe()
	if err = errors.Join(err, c.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command("clean").Run() }) // where the test failed before
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "window") {
	}
	if err := c.Process.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	_ = c.Wait() // it was killed
	ran("removed container llem-", "clean")
	ran("no container is left over", "clean")
}
