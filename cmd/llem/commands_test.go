package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	bare := newHost(t)
	o := bare.llem("doctor")
	if o.code != 0 || !strings.Contains(o.stdout, "no NVIDIA driver") || !strings.Contains(o.stdout, "works here, without an energy figure") {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}

	h := newHost(t, standin.GPU{Power: 60, NoPersist: true}, standin.GPU{Power: 60})
	h.gpus.SetProcesses(1, standin.Process{PID: os.Getpid()})
	h.gpus.SetMIG(0, true)
	var list []finding
	o = h.llem("doctor", "--json")
	decodeJSON(t, o.stdout, &list)
	said := o.stdout
	for _, want := range []string{"nvidia-smi -pm 1", "-i 0 -mig 0", "in use by", "works here; whether the daemon gives GPUs", standin.UUID(1)} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	for _, f := range list {
		if f.State != "ok" && f.Remedy == "" {
			t.Errorf("%s is %s and nothing mends it", f.What, f.State)
		}
	}

	note := h.path("locks/settings-" + standin.UUID(0) + ".json")
	if err := os.WriteFile(note, []byte(`{"power_limit_before_w": 400}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if o := h.llem("doctor"); o.code != 0 || !strings.Contains(o.stdout, "the settings of GPU "+standin.UUID(0)) || !strings.Contains(o.stdout, "sudo llem clean") {
		t.Errorf("of settings that were left: exit %d\n%s", o.code, o.stdout)
	}

	bare.set("DOCKER_HOST", "unix:///nowhere.sock")
	if o := bare.llem("doctor"); o.code != exitHost || !strings.Contains(o.stdout, "broken   docker") || !strings.Contains(o.stdout, "cannot work here") {
		t.Errorf("exit %d\n%s", o.code, o.stdout)
	}
}

// The verdict claims what was seen and no more.
func TestDoctorsVerdict(t *testing.T) {
	t.Parallel()
	docker, gpu := finding{"docker", "ok", "20.10", ""}, finding{"gpu 0", "ok", "A100", ""}
	noGPU := finding{"nvml", "lacking", "no driver", "install it"}
	hint := finding{gpuContainers, "lacking", "no nvidia runtime", "install it"}
	for _, c := range []struct {
		list        []finding
		state, seen string
	}{
		{[]finding{docker, gpu}, "ok", "works here, and measures energy"},
		{[]finding{docker, gpu, hint}, "ok", "works here; whether the daemon gives GPUs to containers shows when one starts"},
		{[]finding{docker, noGPU}, "ok", "works here, without an energy figure"},
		{[]finding{docker, noGPU, hint}, "ok", "works here, without an energy figure"},
		{[]finding{{"docker", "broken", "no answer", "start it"}, gpu}, "broken", "cannot work here"},
	} {
		if got := verdict(c.list); got.State != c.state || got.Seen != c.seen {
			t.Errorf("%v: %s, %s; want %s, %s", c.list, got.State, got.Seen, c.state, c.seen)
		}
	}
}

// What to expect of windows on each GPU: one that is free, one in use, one whose
// limit is not known, and one in MIG mode.
func TestDoctorSaysWhatToExpect(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60}, standin.GPU{Power: 60, PowerLimit: 700}, standin.GPU{}, standin.GPU{})
	h.gpus.SetProcesses(1, standin.Process{PID: os.Getpid()})
	const notSupported = 3 // NVML_ERROR_NOT_SUPPORTED
	h.gpus.Fail(2, "nvmlDeviceGetEnforcedPowerLimit", notSupported)
	h.gpus.Fail(2, "nvmlDeviceGetPowerManagementLimit", notSupported)
	h.gpus.SetMIG(3, true)
	o := h.llem("doctor")
	const percents = `10 s ± \d*\.\d+ %, 30 s ± \d*\.\d+ %, 60 s ± \d*\.\d+ %; 1 % takes [\d.]+ s`
	for _, want := range []string{
		`ok +gpu 0 +energy counter moves every 100 ms`,
		`ok +gpu 0 +expected uncertainty \(95 %, the meter's own, without the spread of repeated runs\) at a steady 400 W, its limit: ` + percents + "\n",
		`ok +gpu 0 +its sensor looks 25 % of the time; of a load that swings by 20 %: 10 s ± 2\.[5-7] %.*; 1 % takes 6\d s` + "\n",
		`ok +gpu 1 .*at a steady 700 W, its limit: ` + percents + `; its idle power is not idle: it is in use` + "\n",
		`ok +gpu 2 +energy counter moves every 100 ms`,
		`ok +gpu 0 +gain of its sensor: ± 6 % at most in every absolute figure, measured by others: arXiv`,
	} {
		if !regexp.MustCompile(want).MatchString(o.stdout) {
			t.Errorf("it does not say %q:\n%s", want, o.stdout)
		}
	}
	if n := strings.Count(o.stdout, "expected uncertainty"); n != 2 || strings.Count(o.stdout, "that swings by") != 2 {
		t.Errorf("it expects something of %d GPUs:\n%s", n, o.stdout)
	}
}

// What config init writes runs as it is, by the command that it prints.
func TestConfigInitWritesAFileThatRuns(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dockerCLI(t, "image", "inspect", "--format", "{{.Id}}", "llem/reference") // make test builds it
	for _, name := range []string{"new.yaml", "of two words.yaml", "it's.yaml"} {
		o := h.llem("config", "init", name)
		_, command, ok := strings.Cut(o.stderr, "run it with: llem ")
		command, _, _ = strings.Cut(command, " (")
		if o.code != 0 || !ok {
			t.Fatalf("exit %d\n%s", o.code, o.stderr)
		}
		for _, flags := range []string{"--dry-run", "--quick -n 4 --output-len 4 --input-len 8 --concurrency 2 -o out"} {
			cmd := exec.Command("sh", "-c", bin+" "+command+" "+flags)
			cmd.Env, cmd.Dir = h.env, h.dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("llem %s %s: %v\n%s", command, flags, err, out)
			}
			if name != "new.yaml" { // one run is enough
				break
			}
		}
	}
}

func TestQuietSaysNothingButTheResult(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.llem(append([]string{"-q"}, h.quick()...)...)
	if o.code != 0 || o.stderr != "" || !strings.Contains(o.stdout, "throughput") {
		t.Errorf("exit %d, stderr %q", o.code, o.stderr)
	}
}

// Every example can be run as it stands.
func TestExamplesCanBeRun(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60})
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		path, err := filepath.Abs(f)
		if err != nil {
			t.Fatal(err)
		}
		o := h.llem("run", "--dry-run", "--image", image, path)
		if o.code != 0 || !strings.Contains(o.stdout, "--model") || len(o.records) > 0 {
			t.Errorf("%s: exit %d\n%s%s", f, o.code, o.stdout, o.stderr)
		}
	}
}
