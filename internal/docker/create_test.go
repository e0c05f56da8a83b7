package docker

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestWhatTheDaemonIsAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		spec  launch.Spec
		token bool
	}{
		"plain": {launch.Spec{ImageID: "sha256:1", Cmd: []string{"--port", "8000"}, Port: 8000, Run: "r", Lock: "/l/run-r.lock", Experiment: "e", PID: 7, Name: "llem-r"}, false},
		"everything": {launch.Spec{
			ImageID: "sha256:1", Port: 8000, Run: "r", Lock: "/l/run-r.lock", Experiment: "e", PID: 7, Name: "llem-r", GPUs: []string{"GPU-1", "GPU-2"},
			Env: map[string]string{"B": "2", "A": "1"}, Mounts: []launch.Mount{{Source: "/models", Target: "/m", ReadOnly: true}}, HFTokenFile: "/run/secrets/llem/hf_token",
			Engine: "vllm", Caches: []launch.Cache{{Name: "llem-cache-vllm-1-0", Target: "/root/.cache/vllm"}},
			Container: study.Container{
				ShmSize: "16GiB", IPC: "private", Ulimits: map[string]string{"nofile": "65536", "memlock": "-1"}, Mounts: []string{"/a:/b:ro", "/c:/d"},
				Devices: []string{"/dev/x", "/dev/y:/dev/z:r"}, User: "1000:100", Entrypoint: []string{"/run"}, Cpuset: "0-3", Memory: "1g",
			},
		}, true},
	} {
		cfg, host, err := configure(c.spec, c.token, "4194304\n")
		if err != nil {
			t.Fatal(err)
		}
		if host.Privileged || !strings.Contains(strings.Join(host.SecurityOpt, " "), "no-new-privileges") {
			t.Errorf("%s: privileged %v, %v", name, host.Privileged, host.SecurityOpt)
		}
		for _, bound := range host.PortBindings {
			if len(bound) != 1 || bound[0].HostIP != "127.0.0.1" || bound[0].HostPort != "0" {
				t.Errorf("%s: bound to %v", name, bound)
			}
		}
		golden(t, name, map[string]any{"config": cfg, "host": host})
	}
}

func TestAKeyIsAVariableAndNothingElse(t *testing.T) {
	const key = "sk-planted-77"
	cfg, host, err := configure(launch.Spec{ImageID: "sha256:1", Port: 8000, Env: map[string]string{"A": "1"}, Key: key, KeyVariable: "VLLM_API_KEY"}, false, "")
	if err != nil || !slices.Equal(cfg.Env, []string{"A=1", "VLLM_API_KEY=" + key}) {
		t.Errorf("%v, %v", cfg.Env, err)
	}
	cfg.Env = nil
	if text := fmt.Sprintf("%+v %+v", cfg, host); strings.Contains(text, key) {
		t.Error(text)
	}
}

func golden(t *testing.T, name string, v any) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s: -want +got (go test -update rewrites it):\n%s", path, diff)
	}
}

func TestHowManyPidsAContainerMayHave(t *testing.T) {
	for _, c := range []struct {
		asked  int
		pidMax string
		want   int64
	}{
		{0, "4194304\n", 65536}, {0, "131072", 65536}, {0, "32768\n", 16384}, {0, "", 65536}, {0, "much", 65536}, {0, "0", 65536},
		{100, "32768", 100}, {200000, "32768", 200000},
	} {
		if got := pidsLimit(c.asked, c.pidMax); got != c.want {
			t.Errorf("asked for %d, with %q: %d, want %d", c.asked, c.pidMax, got, c.want)
		}
	}
}

// The root is read-only where the engine runs so, unless something has to be written
// into the container.
func TestWhenTheRootIsReadOnly(t *testing.T) {
	caches := []launch.Cache{{Name: "c", Target: "/c"}}
	for name, c := range map[string]struct {
		spec  launch.Spec
		token bool
		want  bool
		fails bool
	}{
		"an engine that was tested":   {launch.Spec{ReadOnly: true}, false, true, false},
		"one that was not":            {launch.Spec{}, false, false, false},
		"a token":                     {launch.Spec{ReadOnly: true, HFTokenFile: "/t"}, true, false, false},
		"no token to give":            {launch.Spec{ReadOnly: true, HFTokenFile: "/t"}, false, true, false},
		"a key's file":                {launch.Spec{ReadOnly: true, KeyFile: "/k"}, false, false, false},
		"a key in a variable":         {launch.Spec{ReadOnly: true, KeyVariable: "K"}, false, true, false},
		"a compile cache":             {launch.Spec{ReadOnly: true, Caches: caches}, false, false, false},
		"never":                       {launch.Spec{ReadOnly: true, Container: study.Container{ReadOnly: "never"}}, false, false, false},
		"always":                      {launch.Spec{Container: study.Container{ReadOnly: "always"}}, false, true, false},
		"always, and a token":         {launch.Spec{HFTokenFile: "/t", Container: study.Container{ReadOnly: "always"}}, true, false, true},
		"always, and a compile cache": {launch.Spec{Caches: caches, Container: study.Container{ReadOnly: "always"}}, false, false, true},
	} {
		_, host, err := configure(c.spec, c.token, "")
		if (err != nil) != c.fails || err != nil && !strings.Contains(err.Error(), "engine.container.read_only") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (host.ReadonlyRootfs != c.want || (host.Tmpfs["/tmp"] != "") != c.want) {
			t.Errorf("%s: read-only %v, %v", name, host.ReadonlyRootfs, host.Tmpfs)
		}
	}
	_, host, err := configure(launch.Spec{ReadOnly: true, Container: study.Container{Mounts: []string{"/x:/tmp/"}}}, false, "")
	if err != nil || !host.ReadonlyRootfs || len(host.Tmpfs) > 0 {
		t.Errorf("/tmp of the user's: %v, %v", host.Tmpfs, err)
	}
}

func TestSizesAndLimitsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		key       string
		container study.Container
	}{
		{"engine.container.shm_size", study.Container{ShmSize: "much"}},
		{"engine.container.memory", study.Container{Memory: "1 elephant"}},
		{"engine.container.memory", study.Container{Memory: "0.5b"}},
		{"engine.container.memory", study.Container{Memory: "99999999999PiB"}},
		{"engine.container.ulimits", study.Container{Ulimits: map[string]string{"nofile": "many"}}},
	} {
		if _, _, err := configure(launch.Spec{Container: c.container}, false, ""); err == nil || !strings.Contains(err.Error(), c.key) {
			t.Errorf("%+v: error %v, want one that names %s", c.container, err, c.key)
		}
	}
}
