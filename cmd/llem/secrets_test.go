package main

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// planted is the Hugging Face token; key is another secret, of the experiment.
const (
	planted = "hf_planted_4d1c7e0a93"
	key     = "sk-planted-91b2"
)

// forms are what a secret may look like where it must not be: as it is, and in
// base64 at each offset, less the digits that its neighbours share.
func forms(secret string) []string {
	out := []string{secret}
	for offset := range 3 {
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + secret))
		out = append(out, text[offset+1:len(text)-1])
	}
	return out
}

// nowhere checks that a text holds none of the secrets, in any form.
func nowhere(t *testing.T, where string, text []byte, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if slices.ContainsFunc(forms(s), func(f string) bool { return bytes.Contains(text, []byte(f)) }) {
			t.Errorf("%s is in %s", s, where)
		}
	}
}

// The Hugging Face token is found nowhere but in the file of a container that needs
// it, and secrets of the experiment in no file of the result and no output.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		experiment string
		phase      string   // in which it is looked for
		login      bool     // the token is that of `hf auth login`, not HF_TOKEN
		env        string   // more of engine.env
		holds      []string // files of the container that are the token
	}{
		"a model by its name":            {"model: reference/tiny\n", "window", false, "", nil},
		"a model that is mounted":        {"model: ./model\n", "launch", false, "", nil},
		"mounted, with a login token":    {"model: ./model\n", "launch", true, "", nil},
		"an engine that may ask the hub": {"model: ./model\n", "launch", false, `, HF_HUB_OFFLINE: "0"`, []string{"run/secrets/llem/hf_token"}},
		"the same, with a login token":   {"model: ./model\n", "launch", true, `, HF_HUB_OFFLINE: "0"`, []string{"run/secrets/llem/hf_token"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.plant(c.login)
			text := c.experiment + "engine: {image: " + image + ", args: {x-pace: 10, x-api-key: " + key + "}, env: {ADMIN_TOKEN: " + key + c.env + "}}\nworkload: {prompts: 500}\n"
			if c.phase == "launch" { // an engine that would take it, and waits to be looked at
				h.model()
				text = strings.Replace(text, "x-pace: 10", "x-fault: never-ready", 1)
				text = strings.Replace(text, "engine: {", "engine: {name: vllm, ", 1)
				text = strings.Replace(text, "workload: {", "workload: {source: prompts.jsonl, ", 1)
				text = strings.Replace(text, "prompts: 500", "prompts: 1", 1)
			}
			config := h.config(text)
			dry := h.llem("run", "--dry-run", config)
			if dry.code != exitDone || !strings.Contains(dry.stdout, "--x-api-key") {
				t.Fatalf("the dry run: exit %d\n%s%s", dry.code, dry.stdout, dry.stderr)
			}
			nowhere(t, "the dry run", []byte(dry.stdout+dry.stderr), planted, key)
			command := h.start("-v", "run", "--quick", "-o", h.path("out"), config)
			command.reach(c.phase)
			var ids []string
			until(t, "a container that logs", func() bool {
				if command.ended() {
					t.Fatalf("llem ended:\n%s", command.err.String())
				}
				ids = containers(t, command.Process.Pid)
				if len(ids) == 0 {
					return false
				}
				out, err := exec.Command("docker", "logs", ids[0]).CombinedOutput()
				return err == nil && len(out) > 0 // one that is being made is listed, and not found
			})
			searchContainer(t, ids[0], c.holds)
			if err := command.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			o := command.finish()
			if o.code != exitInterrupted || o.record(t).Engine.ContainerID != ids[0] {
				t.Errorf("exit %d\n%s", o.code, o.stderr)
			}
			nowhere(t, "the output", []byte(o.stdout+o.stderr), planted, key)
			h.search(config, h.path("hf/token"))
		})
	}
}

// plant gives h a Hugging Face token, by the variable or as hf auth login does.
func (h *host) plant(login bool) {
	h.t.Helper()
	if !login {
		h.set("HF_TOKEN", planted)
		return
	}
	h.set("HF_HOME", h.path("hf"))
	if err := errors.Join(os.Mkdir(h.path("hf"), 0o700), os.WriteFile(h.path("hf/token"), []byte(planted+"\n"), 0o600)); err != nil {
		h.t.Fatal(err)
	}
}

// model makes a folder of a model and a file of prompts, as far as llem looks.
func (h *host) model() {
	h.t.Helper()
	if err := errors.Join(
		os.Mkdir(h.path("model"), 0o755),
		os.WriteFile(h.path("model/config.json"), []byte(`{"model_type": "llama"}`), 0o644),
		os.WriteFile(h.path("prompts.jsonl"), []byte(`{"prompt": "a"}`+"\n"), 0o644),
	); err != nil {
		h.t.Fatal(err)
	}
}

// search looks through all files of h but those that were given the secrets.
func (h *host) search(but ...string) {
	h.t.Helper()
	files := 0
	err := filepath.WalkDir(h.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains(but, path) {
			return err
		}
		data, err := os.ReadFile(path)
		nowhere(h.t, path, data, planted, key)
		files++
		return err
	})
	if err != nil || files < 6 {
		h.t.Errorf("%d files searched, %v", files, err)
	}
}

// searchContainer looks for the token in all that a running container shows:
// configuration, log, processes, image, and its files, of which those in holds
// have it.
func searchContainer(t *testing.T, id string, holds []string) {
	t.Helper()
	nowhere(t, "docker inspect", []byte(dockerCLI(t, "inspect", id)), planted)
	nowhere(t, "its log", logs(t, id), planted)
	searchProcesses(t, id)
	nowhere(t, "its image", []byte(dockerCLI(t, "save", image)), planted)
	var found []string
	r := tar.NewReader(strings.NewReader(dockerCLI(t, "export", id)))
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(planted)) {
			found = append(found, f.Name)
		}
	}
	if !slices.Equal(found, holds) {
		t.Errorf("the token is in the container's files %q, want %q", found, holds)
	}
}

// logs is what a container has written.
func logs(t *testing.T, id string) []byte {
	t.Helper()
	out, err := exec.Command("docker", "logs", id).CombinedOutput()
	if err != nil {
		t.Fatalf("docker logs: %v\n%s", err, out)
	}
	return out
}

// searchProcesses looks at the arguments and environments of a container's
// processes, as the host's root sees them.
func searchProcesses(t *testing.T, id string) {
	t.Helper()
	pids := strings.Fields(dockerCLI(t, "top", id, "-o", "pid"))[1:]
	if len(pids) == 0 {
		t.Error("it has no process")
	}
	for _, pid := range pids {
		for _, file := range []string{"cmdline", "environ"} {
			path := fmt.Sprintf("/proc/%s/%s", pid, file)
			data, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 && os.Getenv("CI") != "true" {
				continue // the container's user is another
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ESRCH) { // else it has ended meanwhile
				t.Error(err)
			}
			nowhere(t, path, data, planted)
		}
	}
}
