package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// findings are doctor's, by what they are of; the last of several counts.
func (h *host) findings(args ...string) (found map[string]finding, code int) {
	h.t.Helper()
	o := h.llem(append([]string{"doctor", "--json"}, args...)...)
	var list []finding
	decodeJSON(h.t, o.stdout, &list)
	found = map[string]finding{}
	for _, f := range list {
		if f.State != "ok" && f.Remedy == "" && f.What != "llem run" {
			h.t.Errorf("nothing mends %+v", f)
		}
		found[f.What] = f
	}
	return found, o.code
}

func TestDoctorLooksAtTheHub(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.set("HF_HOME", h.path("hf"))
	found, _ := h.findings()
	checkFinding(t, found["hf token"], "optional", "none", "hf auth login")
	checkFinding(t, found["model cache"], found["model cache"].State, "0 models in "+h.path("hf/hub")+", ", "")
	if err := os.MkdirAll(h.path("hf/hub/models--a--b"), 0o755); err != nil {
		t.Fatal(err)
	}
	// What hf auth login does.
	if err := os.WriteFile(h.path("hf/token"), []byte(planted), 0o600); err != nil {
		t.Fatal(err)
	}
	h.set("HF_HUB_OFFLINE", "1")
	found, _ = h.findings()
	checkFinding(t, found["hf token"], "ok", "from "+h.path("hf/token"), "")
	checkFinding(t, found["model cache"], found["model cache"].State, "1 models in "+h.path("hf/hub"), "")
	checkFinding(t, found["hf hub"], "ok", "HF_HUB_OFFLINE", "")
	h.set("HF_TOKEN", planted)
	o := h.llem("doctor")
	if !strings.Contains(o.stdout, "from HF_TOKEN") {
		t.Errorf("it does not say where the token is from:\n%s", o.stdout)
	}
	nowhere(t, "doctor's output", []byte(o.stdout+o.stderr), planted)
}

func TestDoctorNamesACacheThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir := h.path("others")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for cache, remedy := range map[string]string{dir: "sudo chown -R $USER " + dir + ",", dir + "/a/hub": "sudo mkdir -p " + dir + "/a/hub && sudo chown $USER " + dir + "/a/hub,"} {
		h.set("HF_HUB_CACHE", cache)
		o := h.asNobody("doctor")
		if text := strings.Join(strings.Fields(o.stdout), " "); !strings.Contains(text, dir+" cannot be written") || !strings.Contains(text, remedy) {
			t.Errorf("it does not name the folder and %q:\n%s", remedy, o.stdout)
		}
	}
}

// Images are held against the driver, and a container against what it is given.
func TestDoctorLooksAtImagesAndGPUs(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60}) // whose driver has CUDA 12.4
	answers := map[string]string{
		"GET /version": `{"Version":"28.3.0"}`, "GET /info": `{"Runtimes":{"runc":{}},"DockerRootDir":"/"}`, "GET /containers/json": `[]`,
		"GET /images/json":          `[{"Id":"sha256:1","RepoTags":["vllm:new"]},{"Id":"sha256:2","RepoTags":["vllm:old"]}]`,
		"GET /images/vllm:new/json": `{"Id":"sha256:1","Os":"linux","Architecture":"amd64","Config":{"Entrypoint":["vllm","serve"],"Env":["NVIDIA_REQUIRE_CUDA=cuda>=13.0 brand=tesla,driver>=900"]}}`,
		"GET /images/vllm:old/json": `{"Id":"sha256:2","Os":"linux","Architecture":"amd64","Config":{"Entrypoint":["vllm","serve"],"Env":["NVIDIA_REQUIRE_CUDA=cuda>=12.1"]}}`,
		"POST /containers/create":   `{"Id":"c1"}`, "POST /containers/c1/wait": `{"StatusCode":0}`, "DELETE /containers/c1": "", "POST /containers/c1/start": "",
	}
	d := h.standIn(answers)
	found, code := h.findings()
	checkFinding(t, found["engine images"], "ok", "2 on this host", "")
	checkFinding(t, found["cuda"], "lacking", "vllm:new needs cuda>=13.0 (NVIDIA_REQUIRE_CUDA), and the driver", "or take an image for CUDA 12.4 or older")
	checkFinding(t, found["disk for images"], found["disk for images"].State, "/, ", "")
	if code != exitDone || d.did("POST /containers/create") || !strings.Contains(found["llem run"].Seen, "whether the daemon gives GPUs") {
		t.Errorf("exit %d, asked %q, %+v", code, d.asked, found["llem run"])
	}
	// The container starts and lists no GPU.
	d.say("GET /containers/c1/logs", "\x01\x00\x00\x00\x00\x00\x00\x05None\n")
	found, code = h.findings("--try")
	checkFinding(t, found[tried], "broken", "was given 1 and sees 0", "nvidia-ctk")
	if code != exitHost || !d.did("DELETE /containers/c1") {
		t.Errorf("exit %d, asked %q", code, d.asked)
	}
	d.say("GET /containers/c1/logs", "\x01\x00\x00\x00\x00\x00\x00\x06GPU 0\n")
	found, code = h.findings("--try")
	checkFinding(t, found[tried], "ok", "sees all 1", "")
	checkFinding(t, found["llem run"], "ok", "works here, and measures energy", "")
	if code != exitDone {
		t.Errorf("exit %d", code)
	}
}

// The real daemon gives the stand-in's GPU to an image that has no nvidia-smi.
func TestDoctorTriesAContainer(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60})
	found, code := h.findings("--try")
	if f := found[tried]; code != exitDone || f.State != "ok" || !strings.Contains(f.Seen, "starts with 1") {
		t.Errorf("exit %d, %+v", code, f)
	}
	h = newHost(t)
	found, _ = h.findings("--try")
	checkFinding(t, found[tried], "lacking", "NVML shows no GPU", "NVIDIA driver")
}

// The remedies for a daemon that is not reached, tried.
func TestDoctorNamesTheDaemonThatIsMeant(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	d := h.standIn(map[string]string{"GET /version": `{"Version":"28.3.0"}`, "GET /info": `{"KernelVersion":"6.6.12-linuxkit"}`})
	found, code := h.findings()
	checkFinding(t, found["docker host"], "broken", "6.6.12-linuxkit", "gpus: none")
	if code != exitHost || !d.did("GET /info") {
		t.Errorf("exit %d", code)
	}
	h.set("DOCKER_HOST", "ssh://ann@gpu-node")
	found, code = h.findings()
	checkFinding(t, found["docker"], "broken", "the Docker daemon is on another host", "run llem on that host")
	if code != exitHost {
		t.Errorf("exit %d", code)
	}
	h = newHost(t)
	if err := os.Mkdir(h.path("docker"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.path("docker"), "config.json"), []byte(`{"currentContext": "lab"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	h.set("DOCKER_CONFIG", h.path("docker"))
	found, _ = h.findings()
	checkFinding(t, found["docker context"], "lacking", `the context "lab"`, "export DOCKER_HOST=$(docker context inspect lab")
	h.set("DOCKER_HOST", "unix:///var/run/docker.sock")
	if found, _ = h.findings(); found["docker context"].What != "" {
		t.Errorf("the remedy mends nothing: %+v", found["docker context"])
	}
}

func TestWhatImagesNeedOfTheDriver(t *testing.T) {
	t.Parallel()
	const driver, cuda = "535.104.05", "12.2"
	for name, c := range map[string]struct {
		env  []string
		need string // empty: it fits
	}{
		"nothing asked":            {nil, ""},
		"older":                    {[]string{"NVIDIA_REQUIRE_CUDA=cuda>=12.1"}, ""},
		"the same":                 {[]string{"NVIDIA_REQUIRE_CUDA=cuda>=12.2"}, ""},
		"newer":                    {[]string{"NVIDIA_REQUIRE_CUDA=cuda>=12.10"}, "cuda>=12.10 (NVIDIA_REQUIRE_CUDA)"},
		"an alternative":           {[]string{"NVIDIA_REQUIRE_CUDA=cuda>=12.8 brand=tesla,driver>=535,driver<536"}, ""},
		"an alternative too new":   {[]string{"NVIDIA_REQUIRE_CUDA=cuda>=12.8 brand=tesla,driver>=550,driver<551"}, "cuda>=12.8 (NVIDIA_REQUIRE_CUDA)"},
		"requirement switched off": {[]string{"NVIDIA_REQUIRE_CUDA=cuda>=13.0", "NVIDIA_DISABLE_REQUIRE=1", "CUDA_VERSION=12.8.1"}, ""},
		"newer minor version":      {[]string{"CUDA_VERSION=12.8.1"}, ""},
		"newer major version":      {[]string{"CUDA_VERSION=13.0.1"}, "CUDA 13.0.1 (CUDA_VERSION)"},
	} {
		if need, ok := fitsDriver(c.env, driver, cuda); need != c.need || ok != (c.need == "") {
			t.Errorf("%s: needs %q, fits %v; want %q", name, need, ok, c.need)
		}
	}
}
