package engine

import (
	"maps"
	"strings"
	"testing"
)

// look is what is seen of a server with these answers.
func look(t *testing.T, answers map[string]string) *Seen {
	t.Helper()
	s, err := Look(t.Context(), Address{URL: server(t, answers)}, false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	vllmLists   = `{"data":[{"id":"m","owned_by":"vllm"}]}`
	someLists   = `{"data":[{"id":"m","owned_by":"me"}]}`
	vllmMetrics = "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{engine=\"0\"} 0\n"
)

func TestTellTheEngineOfARunningServer(t *testing.T) {
	for want, answers := range map[string]map[string]string{
		"vllm by server's own word": {"GET /v1/models": vllmLists, "GET /version": `{"version":"0.30.0"}`, "GET /metrics": vllmMetrics},
		"tgi by server's own word": {
			"GET /v1/models": `{"data":[{"id":"/models/m","owned_by":"/models/m"}]}`, "GET /info": `{"router":"text-generation-router","version":"3.3.7"}`, "GET /metrics": "tgi_queue_size 0\n",
		},
		"ollama by server's own word":   {"GET /v1/models": `{"data":[{"id":"a","owned_by":"library"}]}`, "GET /api/ps": `{"models":[]}`, "GET /api/version": `{"version":"0.0.0"}`},
		"llamacpp by server's own word": {"GET /v1/models": `{"data":[{"id":"m","owned_by":"llamacpp"}]}`, "GET /props": `{"build_info":"b1"}`},
		"sglang by server's own word":   {"GET /v1/models": `{"data":[{"id":"m","owned_by":"sglang"}]}`, "GET /get_server_info": `{"version":"0.5.5"}`},
		"lmdeploy by server's own word": {"GET /v1/models": `{"data":[{"id":"m","owned_by":"lmdeploy"}]}`},
		"reference by metrics":          {"GET /v1/models": `{"data":[{"id":"m"}]}`, "GET /metrics": "llem_reference_requests_running 0\n"},
	} {
		name, how, doubt := look(t, answers).Tell()
		if got := name + " by " + how; got != want || doubt != "" {
			t.Errorf("%s (%s), want %s", got, doubt, want)
		}
	}
}

// What cannot be told is an OpenAI server: of one that writes another's name, and shows
// nothing else of it, it is said.
func TestForeignServersAreNotTakenForKnownOnes(t *testing.T) {
	for name, c := range map[string]struct {
		answers map[string]string
		want    string
		doubt   string
	}{
		"a list of models":              {map[string]string{"GET /v1/models": someLists}, "openai", ""},
		"metrics of its own":            {map[string]string{"GET /v1/models": someLists, "GET /metrics": "go_goroutines 3\n"}, "openai", ""},
		"a version of its own":          {map[string]string{"GET /v1/models": someLists, "GET /version": `{"version":"1"}`}, "openai", ""},
		"an empty list":                 {map[string]string{"GET /v1/models": `{"data":[]}`}, "openai", ""},
		"a bare list":                   {map[string]string{"GET /v1/models": `[{"id":"m"}]`}, "openai", ""},
		"props of its own":              {map[string]string{"GET /v1/models": someLists, "GET /props": `{"title":"a page"}`}, "openai", ""},
		"loaded, of its own":            {map[string]string{"GET /v1/models": someLists, "GET /api/ps": `{"processes":[]}`}, "openai", ""},
		"an info of its own":            {map[string]string{"GET /v1/models": someLists, "GET /info": `{"version":"1"}`}, "openai", ""},
		"vllm's name alone":             {map[string]string{"GET /v1/models": vllmLists}, "openai", "like vllm by owned_by vllm but without a version at /version and its metrics"},
		"sglang's name alone":           {map[string]string{"GET /v1/models": `{"data":[{"id":"m","owned_by":"sglang"}]}`}, "openai", "like sglang by owned_by sglang but"},
		"llama.cpp's alone":             {map[string]string{"GET /v1/models": `{"data":[{"id":"m","owned_by":"llamacpp"}]}`}, "openai", "like llamacpp"},
		"no version":                    {map[string]string{"GET /v1/models": vllmLists, "GET /metrics": vllmMetrics}, "vllm", "not a version at /version"},
		"an unknown version":            {map[string]string{"GET /v1/models": vllmLists, "GET /metrics": vllmMetrics, "GET /version": `{"version":"unknown"}`}, "vllm", "not a version"},
		"no metrics":                    {map[string]string{"GET /v1/models": vllmLists, "GET /version": `{"version":"1"}`}, "vllm", "not its metrics"},
		"another owner":                 {map[string]string{"GET /v1/models": someLists, "GET /version": `{"version":"1"}`, "GET /metrics": vllmMetrics}, "vllm", "not owned_by vllm"},
		"a name, and another's metrics": {map[string]string{"GET /v1/models": vllmLists, "GET /metrics": "llamacpp:prompt_tokens_total 0\n"}, "openai", "like llamacpp by its metrics"},
	} {
		s := look(t, c.answers)
		got, _, doubt := s.Tell()
		if got != c.want || !strings.Contains(doubt, c.doubt) || c.doubt == "" && doubt != "" {
			t.Errorf("%s: %s (%s), want %s (%s)", name, got, doubt, c.want, c.doubt)
		}
		for _, engine := range []string{"sglang", "tgi", "lmdeploy", "ollama"} {
			e, err := Lookup(engine)
			if err != nil {
				t.Fatal(err)
			}
			if s.Strong(e) {
				continue
			}
			if err := s.Refuse(e); err == nil || !strings.Contains(err.Error(), engine) {
				t.Errorf("%s is taken for %s, as engine.name says: %v", name, engine, err)
			}
		}
		if err := s.Refuse(anyServer); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAServerThatIsNoneIsRefused(t *testing.T) {
	for name, answers := range map[string]map[string]string{
		"nothing":   {},
		"a page":    {"GET /": "<html>"},
		"a version": {"GET /version": `{"version":"1"}`},
	} {
		if _, err := Look(t.Context(), Address{URL: server(t, answers)}, false); err == nil || !strings.Contains(err.Error(), "is it up") || !strings.Contains(err.Error(), "engine.served_model") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := look(t, map[string]string{"GET /v1/models": "<html>"})
	if _, err := s.Choose("", ""); err == nil || !strings.Contains(err.Error(), "no list of models") {
		t.Errorf("a page for models: %v", err)
	}
}

func TestTheModelIsTheOneThatWasNamed(t *testing.T) {
	list := func(models ...Served) *Seen { return &Seen{Models: models, at: Address{URL: "http://h"}} }
	id := func(ids ...string) *Seen {
		s := list()
		for _, i := range ids {
			s.Models = append(s.Models, Served{ID: i})
		}
		return s
	}
	for name, c := range map[string]struct {
		seen       *Seen
		model, key string
		want       string // id and how, or a part of the error
	}{
		"its id":                    {id("a", "org/m", "b"), "org/m", "", "org/m by id"},
		"ollama's tag":              {id("m:latest", "m:8b"), "m", "", "m:latest by id"},
		"another tag":               {id("qwen3:4b"), "qwen3:8b", "", "serves qwen3:4b, and not model qwen3:8b"},
		"the root":                  {list(Served{ID: "prod", Root: "org/m"}), "org/m", "", "prod by root"},
		"the root's folder":         {list(Served{ID: "prod", Root: "/models/m"}), "/models/m", "", "prod by root"},
		"a cache's folder":          {list(Served{ID: "prod", Root: "/root/.cache/huggingface/hub/models--org--m-8b/snapshots/0123456789012345678901234567890123456789"}), "org/m-8b", "", "prod by root"},
		"an adapter's root":         {list(Served{ID: "l", Root: "org/m", Parent: "x"}), "org/m", "", "and not model"},
		"a bare name":               {id("Qwen3-8B"), "Qwen/Qwen3-8B", "", "Qwen3-8B by name"},
		"a folder's name":           {id("Qwen3-8B"), "/data/Qwen3-8B/", "", "Qwen3-8B by name"},
		"a file's name":             {id("/models/qwen3-8b-Q4_K_M.gguf"), "/data/qwen3-8b-Q4_K_M.gguf", "", "/models/qwen3-8b-Q4_K_M.gguf by name"},
		"a file's, without its end": {id("qwen3-8b-Q4_K_M"), "/data/qwen3-8b-Q4_K_M.gguf", "", "qwen3-8b-Q4_K_M by name"},
		"another owner's":           {id("unsloth/Llama-3.1-8B"), "meta-llama/Llama-3.1-8B", "", "and not model meta-llama/Llama-3.1-8B"},
		"its name, another root":    {list(Served{ID: "Qwen3-8B", Root: "org/other"}), "Qwen/Qwen3-8B", "", "and not model"},
		"a name that says nothing":  {id("model"), "/data/model", "", "and not model"},
		"a checkpoint":              {id("/a/checkpoint-500"), "/b/checkpoint-500", "", "and not model"},
		"a weights file":            {id("/a/q4_0.gguf"), "/b/q4_0.gguf", "", "and not model"},
		"a part of its name":        {id("Qwen3-8B-Instruct"), "Qwen/Qwen3-8B", "", "and not model"},
		"another case":              {id("qwen3-8b"), "Qwen/Qwen3-8B", "", "and not model"},
		"others":                    {id("llama-70b", "qwen-8b"), "./m0", "", "serves llama-70b, qwen-8b, and not model ./m0"},
		"two of that name":          {id("a/Qwen3-8B/x/Qwen3-8B", "Qwen3-8B"), "/d/Qwen3-8B", "", "as a/Qwen3-8B/x/Qwen3-8B, Qwen3-8B"},
		"none named, one":           {id("m"), "", "", "m by only"},
		"none named, several":       {id("a", "b"), "", "", "serves a, b: name the one"},
		"a key":                     {id("a", "b"), "", "b", "b by id"},
		"a key beside a model":      {id("a", "b"), "org/m", "b", "b by served_model"},
		"a key that is its root's":  {list(Served{ID: "b", Root: "org/m"}), "org/m", "b", "b by root"},
		"a key that is not served":  {id("a", "b"), "org/m", "c", "engine.served_model is c, and the server at http://h serves a, b"},
		"no list":                   {id(), "m", "", "m by unlisted"},
		"no list, a key":            {id(), "m", "k", "k by unlisted"},
		"no list, no name":          {&Seen{Unlisted: errNoList}, "", "", "engine.served_model"},
	} {
		m, err := c.seen.Choose(c.model, c.key)
		got := m.ID + " by " + m.By
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestAServerThatLlemStartedServesWhatItWasGiven(t *testing.T) {
	for name, c := range map[string]struct {
		models []Served
		key    string
		want   string
	}{
		"its name":         {[]Served{{ID: "other"}, {ID: "org/m"}}, "", "org/m"},
		"a folder's name":  {[]Served{{ID: "folder"}}, "", "folder"},
		"two names":        {[]Served{{ID: "a", Root: "/models/m"}, {ID: "b", Root: "/models/m"}}, "", "a"},
		"an adapter":       {[]Served{{ID: "a", Root: "/models/m"}, {ID: "l", Root: "/l", Parent: "a"}}, "", "a"},
		"an adapter named": {[]Served{{ID: "a", Root: "/models/m"}, {ID: "l", Root: "/l", Parent: "a"}}, "l", "l"},
		"two models":       {[]Served{{ID: "a"}, {ID: "b"}}, "", "serves a, b"},
		"a wrong key":      {[]Served{{ID: "a"}}, "b", "serves a"},
	} {
		m, err := (&Seen{Models: c.models}).Launched("org/m", c.key)
		if m.ID != c.want && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, %v; want %s", name, m, err, c.want)
		}
	}
}

func TestAVersionThatSaysNothingIsNone(t *testing.T) {
	for _, said := range []string{"unknown", "Unknown ", "", "n/a", "none", "null"} {
		answers := map[string]string{"GET /v1/models": vllmLists, "GET /version": `{"version":"` + said + `"}`}
		if i, err := vllm.Probe(t.Context(), Address{URL: server(t, maps.Clone(answers))}, "m"); err != nil || i.Version != "" {
			t.Errorf("%q: %q, %v", said, i.Version, err)
		}
	}
}
