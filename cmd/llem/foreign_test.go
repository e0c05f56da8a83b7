//go:build foreign

package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
)

// The tests of this file measure servers with OpenAI's API that are not of this project:
// those of scripts/foreign-servers, whose folder LLEM_TEST_FOREIGN names. `make foreign`
// installs them first.

// foreigner is a server, and what llem makes of it.
type foreigner struct {
	name    string
	start   func(dir, work string, port int) *exec.Cmd
	files   map[string]string // beside it
	env     []string
	key     string // that it asks for; empty: none
	args    []string
	refused string // what it is refused with where no model is named; empty: it serves one
	engine  string
	usage   bool // it counts tokens
	warns   string
}

func bound(bin string, args ...string) func(dir, work string, port int) *exec.Cmd {
	return func(dir, work string, port int) *exec.Cmd {
		out := make([]string, len(args))
		for i, a := range args {
			out[i] = strings.NewReplacer("PORT", fmt.Sprint(port), "WORK", work).Replace(a)
		}
		return exec.Command(filepath.Join(dir, bin), out...)
	}
}

var foreigners = []foreigner{
	{
		name: "mockllm", start: bound("mockllm/bin/mockllm", "start", "--responses", "WORK/responses.yaml", "--host", "127.0.0.1", "--port", "PORT"),
		files: map[string]string{"responses.yaml": "responses: {hello: Hello to you.}\ndefaults: {unknown_response: A plain answer of ten words that is always the same.}\nsettings: {lag_enabled: false}\n"},
		args:  []string{"--model", "gpt-4o"}, refused: "lists no models", engine: "openai", warns: "model_not_confirmed",
	},
	{
		name: "llmock", start: bound("llmock/bin/llmock", "serve", "--host", "127.0.0.1", "--port", "PORT"), env: []string{"LLMOCK_RESPONSE_STYLE=varied"},
		args: []string{"--served-model", "gpt-4o"}, refused: "serves gpt-4o, gpt-4o-mini,", engine: "openai", usage: true,
	},
	{
		name: "mock-llm", start: func(dir, _ string, port int) *exec.Cmd {
			c := exec.Command("node", filepath.Join(dir, "mock-llm/node_modules/@dwmkerr/mock-llm/dist/main.js"))
			c.Env = append(os.Environ(), "HOST=127.0.0.1", fmt.Sprintf("PORT=%d", port))
			return c
		},
		engine: "openai",
	},
	{
		name: "litellm", start: bound("litellm/bin/litellm", "--config", "WORK/config.yaml", "--host", "127.0.0.1", "--port", "PORT"), env: []string{"LITELLM_LOCAL_MODEL_COST_MAP=True"},
		files: map[string]string{"config.yaml": "model_list:\n  - model_name: mocked\n    litellm_params: {model: openai/mocked, api_key: none, mock_response: A plain answer of ten words that is always the same.}\ngeneral_settings: {master_key: sk-foreign-5f2c}\n"},
		// Its stand-in answer comes in pieces of three letters, more of them than it counts tokens.
		key: "sk-foreign-5f2c", engine: "openai", warns: "usage_not_taken",
	},
	{
		name: "xllamacpp", start: func(dir, work string, port int) *exec.Cmd {
			return exec.Command(filepath.Join(dir, "xllamacpp/bin/python"), filepath.Join(work, "serve.py"), filepath.Join(work, "tiny.gguf"), fmt.Sprint(port))
		},
		files: map[string]string{"serve.py": `import sys, time, xllamacpp
p = xllamacpp.CommonParams()
p.model.path, p.hostnames, p.port = sys.argv[1], ["127.0.0.1"], int(sys.argv[2])
p.n_ctx, p.n_parallel, p.endpoint_metrics, p.api_keys = 4096, 2, True, ["sk-foreign-5f2c"]
server = xllamacpp.Server(p)
time.sleep(1e6)
`},
		key: "sk-foreign-5f2c", engine: "llamacpp", usage: true,
	},
}

func TestForeignServers(t *testing.T) {
	dir := os.Getenv("LLEM_TEST_FOREIGN")
	if dir == "" {
		t.Fatal("LLEM_TEST_FOREIGN is not set: make foreign")
	}
	for _, f := range foreigners {
		t.Run(f.name, func(t *testing.T) {
			url := f.serve(t, dir)
			if f.refused != "" {
				if o := f.run(t, url, f.key, nil); o.code != exitUsage || !strings.Contains(o.stderr, f.refused) {
					t.Errorf("without a model: exit %d, %s", o.code, o.stderr)
				}
			}
			if f.key != "" {
				for _, wrong := range []string{"", "sk-wrong-7d10"} {
					if o := f.run(t, url, wrong, f.args); o.code == exitDone || strings.Contains(o.stderr, "sk-wrong") {
						t.Errorf("with the key %q: exit %d, %s", wrong, o.code, o.stderr)
					}
				}
			}
			f.check(t, f.run(t, url, f.key, f.args))
		})
	}
}

// run measures the server, without a model's files, a hub or a tokenizer.
func (f foreigner) run(t *testing.T, url, key string, args []string) outcome {
	h := newHost(t)
	h.set("HF_HUB_OFFLINE", "1")
	h.set("DOCKER_HOST", "unix:///nowhere/docker.sock")
	if key != "" {
		h.set("LLEM_API_KEY", key)
	}
	if err := os.WriteFile(h.path("prompts.jsonl"), []byte("{\"prompt\": \"hello\"}\n{\"prompt\": \"Name three rivers.\"}\n{\"prompt\": \"What is a joule?\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := h.config("gpus: none\nenergy: {backend: none}\nworkload: {source: prompts.jsonl, api: chat, prompts: 3, max_output_tokens: 16}\n")
	return h.llem(append([]string{"run", "--quick", "--base-url", url, "-o", h.path("out"), file}, args...)...)
}

func (f foreigner) check(t *testing.T, o outcome) {
	if o.code != exitDone {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	r := o.record(t)
	if r.Status != result.Completed || r.Requests.Completed != 3 || r.Engine.Name != f.engine || r.Engine.ServedModel == nil {
		t.Errorf("%s, %+v, %+v", r.Status, r.Requests, r.Engine)
	}
	if (r.Engine.AuthorizedBy != nil) != (f.key != "") {
		t.Errorf("authorized by %v", r.Engine.AuthorizedBy)
	}
	if (r.Tokens.Source == "server") != f.usage {
		t.Errorf("tokens counted by %s", r.Tokens.Source)
	}
	if r.FLOPs == nil || r.FLOPs.Value != nil {
		t.Errorf("FLOPs %+v of a model without files", r.FLOPs)
	}
	if _, ok := r.WarningSeverities[f.warns]; f.warns != "" && !ok {
		t.Errorf("no warning %s: %v", f.warns, r.MeasurementWarnings)
	}
	t.Logf("%s %s: %s in, %s out by %s; %s", r.Engine.Called(), *r.Engine.ServedModel, counted(r.Tokens.Input), counted(r.Tokens.Output), r.Tokens.Source, strings.Join(r.MeasurementWarnings, "\n"))
}

func counted(n *int64) string {
	if n == nil {
		return "unknown"
	}
	return fmt.Sprint(*n)
}

// serve starts it and waits until it answers.
func (f foreigner) serve(t *testing.T, dir string) (url string) {
	t.Helper()
	work := t.TempDir()
	for name, text := range f.files {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if f.name == "xllamacpp" {
		if out, err := exec.Command("go", "run", "../../images/tinymodel", "--gguf", filepath.Join(work, "tiny.gguf")).CombinedOutput(); err != nil {
			t.Fatalf("write the tiny model: %v\n%s", err, out)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	c := f.start(dir, work, port)
	var log output
	if c.Env == nil {
		c.Env = os.Environ()
	}
	c.Env, c.Dir, c.Stdout, c.Stderr = append(c.Env, f.env...), work, &log, &log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // some have workers
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // it may have ended
		_ = c.Wait()                                      // killed
	})
	url = fmt.Sprintf("http://127.0.0.1:%d", port)
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if resp, err := http.Get(url + "/health"); err == nil {
			resp.Body.Close()
			return url
		}
	}
	t.Fatalf("%s does not answer:\n%s", f.name, log.String())
	return ""
}
