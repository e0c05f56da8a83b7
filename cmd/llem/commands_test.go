package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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
		`ok +gpu 0 +its sensor looks 25 % of the time; of a load that swings by 20 %: 10 s ± 2\.[56] %.*; 1 % takes 6\d s` + "\n",
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

func TestConfigInitSaysWhyItCannotWrite(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	there := h.config("model: x\n")
	for _, c := range []struct{ file, says string }{
		{there, "exists and is left as it is: name another file"},
		{h.dir, "is a folder: name a file in it"},
		{h.path("no/such/new.yaml"), "mkdir -p " + h.path("no/such")},
		{filepath.Join(there, "new.yaml"), "name another file"},
	} {
		h.llem("config", "init", c.file).refused(t, exitUsage, c.says)
	}
	if text, err := os.ReadFile(there); err != nil || string(text) != "model: x\n" {
		t.Errorf("the file is now %q, %v", text, err)
	}
}

func TestConfigCommands(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	file := h.path("new.yaml")
	if o := h.llem("config", "init", file); o.code != 0 {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	o := h.llem("config", "validate", file)
	if o.code != 0 || !strings.Contains(o.stdout, "n_warmup: 5") || !strings.Contains(o.stdout, "config_hash: ") {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if o := h.llem("config", "validate", h.config("model: x\nsede: 1\n")); o.code != exitUsage || !strings.Contains(o.stderr, "seed") {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
	var schema map[string]any
	decodeJSON(t, h.llem("config", "schema").stdout, &schema)
}

func TestTheCommandLine(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"version"}, 0, "llem dev linux/"},
		{[]string{"--version"}, 0, "llem dev linux/"},
		{[]string{"-V"}, 0, "llem dev linux/"},
		{[]string{"run", "--version"}, 0, "llem dev linux/"},
		{[]string{"help"}, 0, "clean"},
		{[]string{"help", "run"}, 0, "--request-rate"},
		{[]string{"help", "config", "init"}, 0, "Usage: llem config init"},
		{[]string{"help", "rnu"}, exitUsage, "rnu"},
		{[]string{"engines"}, 0, "reference"},
		{[]string{"--help"}, 0, "clean"},
		{nil, 0, "clean"},
		{[]string{"compare"}, exitUsage, "compare"},
		{[]string{"show", h.path("nowhere")}, exitUsage, "no result at"},
		{[]string{"verify", h.path("nowhere")}, exitFailed, "no result at"},
		{[]string{"run", "--num-prompts", "many"}, exitUsage, "many"},
		{[]string{"run"}, exitUsage, "model"},
	} {
		o := h.llem(c.args...)
		if o.code != c.code || !strings.Contains(o.stdout+o.stderr, c.says) {
			t.Errorf("llem %v: exit %d, want %d and %q\n%s%s", c.args, o.code, c.code, c.says, o.stdout, o.stderr)
		}
	}
	bash := h.llem("completion", "bash")
	check := exec.Command("bash", "-n")
	check.Stdin = strings.NewReader(bash.stdout)
	if out, err := check.CombinedOutput(); err != nil || bash.stdout == "" {
		t.Errorf("%v: %s", err, out)
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for _, dir := range []string{"out/tiny-1", "out/tiny-2"} {
		if err := os.Mkdir(h.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		line string
		want []string
	}{
		{"llem run --qu", []string{"--quick", "--quiet"}},
		{"llem run --pull ", []string{"missing", "always", "never"}},
		{"llem run --energy-backend z", []string{"zeus"}},
		{"llem run --engine r", []string{"reference"}},
		{"llem show out/tiny-", []string{"out/tiny-1/", "out/tiny-2/"}},
		{"llem verify o", []string{"out/", "out/tiny-1/", "out/tiny-2/"}},
	} {
		cmd := exec.Command(bin)
		cmd.Env, cmd.Dir = append(h.env, "COMP_LINE="+c.line), h.dir
		out, err := cmd.Output()
		got := strings.Fields(string(out))
		slices.Sort(got)
		slices.Sort(c.want)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q<TAB> gives %q, want %q", c.line, got, c.want)
		}
	}
}

// One folder without a result, such as a killed run leaves, hides no other.
func TestOneBadFolderHidesNoOther(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	empty, broken := h.path("out/a_killed"), h.path("out/b_broken")
	for _, dir := range []string{empty, broken} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if o := h.llem(h.quick("-n", "1")...); o.code != 0 {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	if err := os.WriteFile(filepath.Join(broken, "result.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	good, err := filepath.Glob(h.path("out/tiny-*"))
	if err != nil || len(good) != 1 {
		t.Fatalf("%v, %v", good, err)
	}
	for _, c := range []struct {
		command []string
		code    int
		prints  string
	}{
		{[]string{"show"}, exitUsage, "NO ENERGY FIGURE"},
		{[]string{"show", "--json"}, exitUsage, `"experiment_id"`},
		{[]string{"verify"}, exitFailed, "as it was written"},
	} {
		cmd := exec.Command(bin, append(c.command, empty, good[0], broken)...)
		cmd.Env = h.env
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run() // its exit code is looked at
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(stdout.String(), c.prints) {
			t.Errorf("%v: exit %d, want %d and %q\n%s", c.command, code, c.code, c.prints, stdout.String())
		}
		if said := stderr.String(); !strings.Contains(said, empty) || !strings.Contains(said, broken) || strings.Count(said, "llem: ") != 2 {
			t.Errorf("%v says\n%s", c.command, said)
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

// Precedence: flag, environment, file, the user's file, default.
func TestSettingsStandAboveOneAnother(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if err := os.MkdirAll(h.path("config/llem"), 0o755); err != nil {
		t.Fatal(err)
	}
	user := "workload: {prompts: 1, max_input_tokens: 11}\nseed: 1\nwarmup: {n_warmup: 1}\n"
	if err := os.WriteFile(h.path("config/llem/config.yaml"), []byte(user), 0o644); err != nil {
		t.Fatal(err)
	}
	config := h.config("model: reference/tiny\nengine: {image: " + image + "}\nworkload: {prompts: 2}\nseed: 2\nwarmup: {n_warmup: 2}\n")
	h.set("LLEM_WORKLOAD_PROMPTS", "3")
	h.set("LLEM_SEED", "3")
	o := h.llem("run", "--dry-run", "-n", "4", config)
	for _, want := range []string{"prompts: 4", "seed: 3", "n_warmup: 2", "max_input_tokens: 11", "max_output_tokens: 256"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("no %q in\n%s%s", want, o.stdout, o.stderr)
		}
	}
	h.set("LLEM_SEED", "three")
	h.llem("run", "--dry-run", config).refused(t, exitUsage, "LLEM_SEED", "three")
}
