package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// plain is a server with OpenAI's API and nothing else.
type plain struct {
	models  string // of /v1/models; empty: it has no such route
	key     string // that it asks for; empty: none
	echo    bool   // it repeats what it was asked with
	mu      sync.Mutex
	asked   map[string]int
	of      map[string]int // requests for an answer, by model
	keyless int            // requests without the key, and with any other
}

func (p *plain) start(t *testing.T) string {
	t.Helper()
	p.asked, p.of = map[string]int{}, map[string]int{}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return s.URL
}

func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[r.URL.Path]++
	sent := r.Header.Get("Authorization")
	if p.key != "" && sent != "Bearer "+p.key {
		p.keyless++
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":"no such key: %s"}`, sent)
		return
	}
	switch {
	case r.URL.Path == "/v1/models" && p.models != "":
		fmt.Fprint(w, p.models)
	case strings.HasSuffix(r.URL.Path, "/completions"):
		var b struct {
			Model     string `json:"model"`
			MaxTokens int    `json:"max_tokens"`
		}
		if err := json.Unmarshal(body, &b); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.of[b.Model]++
		text := "word"
		if p.echo {
			text = sent + " " + r.Header.Get("X-Gateway-Token")
		}
		for range b.MaxTokens {
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"text\":%q,\"delta\":{\"content\":%q}}]}\n\n", text, text)
		}
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"text\":\"\",\"delta\":{},\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\ndata: [DONE]\n\n", b.MaxTokens, b.MaxTokens+4)
	default:
		http.NotFound(w, r)
	}
}

const texts = "{\"prompt\": \"Why is the sky blue?\"}\n{\"prompt\": \"What is a joule?\"}\n{\"prompt\": \"Name a river.\"}\n"

// textHost is a host without a GPU, a hub, Docker, or any model; with a file of text.
func textHost(t *testing.T, more string) (h *host, file string) {
	t.Helper()
	h = newHost(t)
	h.set("HF_HUB_OFFLINE", "1")
	h.set("DOCKER_HOST", "unix:///nowhere/docker.sock")
	if err := os.WriteFile(h.path("p.jsonl"), []byte(texts), 0o644); err != nil {
		t.Fatal(err)
	}
	return h, h.config("gpus: none\nenergy: {backend: none}\noutput: {save_responses: true}\nworkload: {source: p.jsonl, prompts: 3, max_output_tokens: 8}\n" + more)
}

func TestAnyOpenAIServerIsMeasuredByTextAlone(t *testing.T) {
	t.Parallel()
	one := `{"object":"list","data":[{"id":"acme-7b","object":"model","owned_by":"acme"}]}`
	two := `{"object":"list","data":[{"id":"acme-7b","owned_by":"acme"},{"id":"acme-70b","owned_by":"acme"}]}`
	for name, c := range map[string]struct {
		models, more string
		args         []string
		served       string // and by what, of the record
		model        string
		says         string // where it is refused
	}{
		"one, not named":              {one, "", nil, "acme-7b by only", "acme-7b", ""},
		"one, named by its last part": {one, "model: acme/acme-7b\n", nil, "acme-7b by name", "acme/acme-7b", ""},
		"a folder that is not here":   {one, "model: /srv/models/acme-7b\n", nil, "acme-7b by name", "/srv/models/acme-7b", ""},
		"one of two, by its key":      {two, "", []string{"--served-model", "acme-70b"}, "acme-70b by id", "acme-70b", ""},
		"a model, and its key":        {two, "model: org/finetune\nengine: {served_model: acme-70b}\n", nil, "acme-70b by served_model", "org/finetune", ""},
		"no list":                     {"", "model: acme-7b\n", nil, "acme-7b by unlisted", "acme-7b", ""},
		"another":                     {one, "model: org/other\n", nil, "", "", "serves acme-7b, and not model org/other"},
		"two, not named":              {two, "", nil, "", "", "serves acme-7b, acme-70b: name the one"},
		"a key that is not there":     {two, "engine: {served_model: x}\n", nil, "", "", "engine.served_model is x"},
		"named as vLLM":               {one, "", []string{"--engine", "vllm"}, "", "", "the server shows nothing of vllm"},
		"named as Ollama":             {one, "", []string{"--engine", "ollama"}, "", "", "the server shows nothing of ollama"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &plain{models: c.models}
			url := p.start(t)
			h, file := textHost(t, c.more)
			o := h.llem(append([]string{"run", "--quick", "--base-url", url, "-o", h.path("out"), file}, c.args...)...)
			if c.says != "" {
				if o.code != exitUsage || !strings.Contains(o.stderr, c.says) || len(p.of) > 0 {
					t.Errorf("exit %d, asked for %v: %s", o.code, p.of, o.stderr)
				}
				return
			}
			if o.code != exitDone {
				t.Fatalf("exit %d: %s", o.code, o.stderr)
			}
			r := o.record(t)
			if got := *r.Engine.ServedModel + " by " + *r.Engine.ServedBy; got != c.served || r.Model.ID != c.model || len(p.of) != 1 || p.of[*r.Engine.ServedModel] == 0 {
				t.Errorf("%s, model %s, asked for %v; want %s, %s", got, r.Model.ID, p.of, c.served, c.model)
			}
			if r.Engine.Name != "openai" || r.Engine.Version != nil || r.Engine.Counters != nil || r.FLOPs.Value != nil && (r.FLOPs.Confidence == nil || *r.FLOPs.Confidence != "low" || strings.HasSuffix(c.served, "by only")) {
				t.Errorf("%+v, FLOPs %v", r.Engine, r.FLOPs.Value)
			}
			if _, doubted := r.WarningSeverities["model_not_confirmed"]; doubted != !strings.HasSuffix(c.served, "by id") && !strings.HasSuffix(c.served, "by only") {
				t.Errorf("doubted: %v, %v", doubted, r.MeasurementWarnings)
			}
		})
	}
}

func TestSyntheticPromptsWithoutATokenizerAreRefused(t *testing.T) {
	t.Parallel()
	p := &plain{models: `{"data":[{"id":"acme-7b"}]}`}
	url := p.start(t)
	for _, model := range []string{"", "model: acme-7b\n", "model: acme/acme-7b\n", "model: /srv/acme-7b\n"} {
		h := newHost(t)
		h.set("HF_HUB_OFFLINE", "1")
		o := h.llem("run", "--quick", "--base-url", url, "-o", h.path("out"), h.config(model+"gpus: none\nenergy: {backend: none}\n"))
		if o.code != exitUsage || !strings.Contains(o.stderr, "workload.source: FILE.jsonl") || len(p.of) > 0 {
			t.Errorf("%q: exit %d, %s", model, o.code, o.stderr)
		}
	}
}

// What a server serves may change between the runs of a study.
func TestAStudysPointsNameTheirModel(t *testing.T) {
	t.Parallel()
	p := &plain{models: `{"data":[{"id":"acme-7b"}]}`}
	url := p.start(t)
	for more, code := range map[string]int{"": exitUsage, "model: acme-7b\n": exitDone, "engine: {served_model: acme-7b}\n": exitDone} {
		h, file := textHost(t, more+"sweep: {workload.max_output_tokens: [2, 3]}\n")
		o := h.llem("run", "--quick", "--base-url", url, "-o", h.path("out"), file)
		if o.code != code || code == exitUsage && !strings.Contains(o.stderr, "names no model") {
			t.Errorf("%q: exit %d, %s", more, o.code, o.stderr)
		}
	}
}

// A key is in no file, no output and no error of llem, though the server repeats it
// wherever it can.
func TestAKeyIsFoundNowhere(t *testing.T) {
	t.Parallel()
	const key, token = "sk-hush-4f1d", "gw-hush-99aa"
	p := &plain{models: `{"data":[{"id":"acme-7b"}]}`, key: key, echo: true}
	url := p.start(t)
	for name, set := range map[string]func(h *host) string{
		"by the environment": func(h *host) string {
			h.set("LLEM_API_KEY", key)
			h.set("LLEM_HEADERS", "X-Gateway-Token: "+token)
			return ""
		},
		"by files": func(h *host) string {
			h.secret(t, "key", key+"\n")
			h.secret(t, "headers", "# gateway\nX-Gateway-Token: "+token+"\n")
			return "engine: {api_key_file: key, headers_file: headers}\n"
		},
	} {
		h, file := textHost(t, "")
		more := set(h)
		if more != "" {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			file = h.config(string(text) + more)
		}
		dry := h.llem("run", "--quick", "--dry-run", "--base-url", url, file)
		o := h.llem("run", "--quick", "--base-url", url, "-o", h.path("out"), file)
		if o.code != exitDone || dry.code != exitDone {
			t.Fatalf("%s: exit %d, %d: %s%s", name, o.code, dry.code, o.stderr, dry.stderr)
		}
		if !strings.Contains(dry.stdout, "served as acme-7b") || !strings.Contains(dry.stdout, "key:") {
			t.Errorf("%s: the plan says %s", name, dry.stdout)
		}
		shown := o.stdout + o.stderr + dry.stdout + dry.stderr
		err := filepath.WalkDir(h.path("out"), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			shown += path + string(data)
			return err
		})
		if err != nil || strings.Contains(shown, "hush") {
			t.Errorf("%s: a secret is shown (%v): %.300s", name, err, shown[max(0, strings.Index(shown, "hush")-100):])
		}
		r := o.record(t)
		if r.Engine.AuthorizedBy == nil || len(r.Engine.HeaderNames) != 2 || p.keyless > 0 {
			t.Errorf("%s: %+v; %d requests without the key", name, r.Engine, p.keyless)
		}
	}
	h, file := textHost(t, "")
	h.set("LLEM_API_KEY", "sk-hush-wrong")
	if o := h.llem("run", "--quick", "--base-url", url, file); o.code != exitUsage || !strings.Contains(o.stderr, "refuses the key from LLEM_API_KEY") || strings.Contains(o.stderr, "hush") {
		t.Errorf("a wrong key: exit %d, %s", o.code, o.stderr)
	}
	h, file = textHost(t, "")
	if o := h.llem("run", "--quick", "--base-url", url, file); o.code != exitUsage || !strings.Contains(o.stderr, "LLEM_API_KEY") || !strings.Contains(o.stderr, "engine.api_key_file") {
		t.Errorf("no key: exit %d, %s", o.code, o.stderr)
	}
}

// secret writes a file that its owner alone may read.
func (h *host) secret(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAKeyFileThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	p := &plain{models: `{"data":[{"id":"acme-7b"}]}`}
	url := p.start(t)
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		says string
	}{
		"open to all":   {"sk-hush", 0o644, "chmod 600"},
		"open to some":  {"sk-hush", 0o640, "chmod 600"},
		"empty":         {"", 0o600, "is empty"},
		"a blank line":  {"\n", 0o600, "is empty"},
		"two lines":     {"sk-hush\nsk-hush2\n", 0o600, "more than one line"},
		"a header":      {"Bearer sk-hush", 0o600, "write the key alone"},
		"an assignment": {"API_KEY=sk-hush", 0o600, "write the key alone"},
		"a huge file":   {strings.Repeat("sk-hush", 20000), 0o600, "holds no key"},
		"none":          {"-", 0, "no such file"},
	} {
		h, file := textHost(t, "engine: {api_key_file: key}\n")
		if c.text != "-" {
			h.secret(t, "key", c.text)
			if err := os.Chmod(h.path("key"), c.mode); err != nil {
				t.Fatal(err)
			}
		}
		o := h.llem("run", "--quick", "--base-url", url, file)
		if o.code != exitUsage || !strings.Contains(o.stderr, c.says) || !strings.Contains(o.stderr, "engine.api_key_file") || strings.Contains(o.stderr, "hush") {
			t.Errorf("%s: exit %d, %s", name, o.code, o.stderr)
		}
	}
	if n := p.asked["/v1/models"]; n > 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// A server that sends llem elsewhere is told on, and nothing goes there.
func TestRedirectsOfAServerLeadNowhere(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reached.Add(1) }))
	defer other.Close()
	for _, from := range []string{"/v1/models", "/metrics", "/version", "/props", "/v1/completions"} {
		p := &plain{models: `{"data":[{"id":"acme-7b"}]}`}
		p.start(t)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == from {
				http.Redirect(w, r, other.URL+from, http.StatusTemporaryRedirect)
				return
			}
			p.ServeHTTP(w, r)
		}))
		h, file := textHost(t, "")
		h.set("LLEM_API_KEY", "sk-hush-4f1d")
		o := h.llem("run", "--quick", "--base-url", s.URL, "-o", h.path("out"), file)
		needed := from == "/v1/models" || from == "/v1/completions"
		if (o.code == exitDone) == needed || reached.Load() > 0 {
			t.Errorf("%s: exit %d, the other was asked %d times: %s", from, o.code, reached.Load(), o.stderr)
		}
		if !needed {
			if r := o.record(t); r.Status != result.Completed {
				t.Errorf("%s: %s", from, r.Status)
			}
		}
		s.Close()
	}
}
