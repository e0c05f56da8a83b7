package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// eleventh is an engine of one row, such as another one would be added by.
var eleventh = &Engine{
	name:    "eleventh",
	aliases: []string{"11th"},
	traits:  Traits{TokenIDs: true, IgnoreEOS: true, Upstream: "maker/eleventh", Versions: "1.0"},
	tag:     func(asked string, _ bool) string { return "v" + asked },
	signs:   signs{command: []string{"eleventh-serve"}},
	spec: func(e study.Experiment, h Host) (launch.Spec, error) {
		c := commandOf(e, "eleventh-serve")
		c.set("model", modelArg(e, h))
		s := container("eleventh", e, h, c)
		s.Port, s.ReadyPath = 9000, "/ready"
		caches(&s, h, "eleventh", "/root/.eleventh")
		return s, nil
	},
	context:  []string{"longest_prompt"},
	dummy:    "weights",
	uncached: map[string]any{"remember": false},
	body:     map[string]any{"penalty": 0},
	key:      keyed{variable: "ELEVENTH_KEY"},
	owners:   []string{"eleventh-server"},
	metrics:  "/counts",
	counts:   []metric{{of: PromptTokens, names: []string{"eleventh_in"}}, {of: OutputTokens, names: []string{"eleventh_out"}}},
	reset:    "/forget",
	sync:     "/wait",
	docs:     docs{hits: "its word", always: "a flag", asked: "another", proven: "its word", tried: "never"},
}

// An engine is one row: what llem does with engines it does with a new one, and nothing
// else is to be touched.
func TestAnEngineIsOneRow(t *testing.T) {
	defer func(all []*Engine) { engines = all }(engines)
	engines = append(slices.Clone(engines), eleventh)

	e, err := Lookup("11TH")
	if err != nil || e.Name() != "eleventh" || !slices.Contains(Names(), "eleventh") {
		t.Fatalf("%v, %v", e, err)
	}
	if image, ok := Upstream("eleventh:2", true); !ok || image != "maker/eleventh:v2" {
		t.Errorf("a bare name means %q, %v", image, ok)
	}
	if name, how, err := Detect(launch.Image{Entrypoint: []string{"eleventh-serve"}}); name != "eleventh" || err != nil {
		t.Errorf("its upstream image is %q by %q, %v", name, how, err)
	}
	exp := decoded(t, "model: org/m\nengine: {image: i, args: {--longest-prompt: 9, weights: dummy, remember: false}}\n")
	s, err := e.Spec(exp, Host{})
	if want := []string{"eleventh-serve", "--model", "org/m", "--longest-prompt", "9", "--weights", "dummy"}; err != nil || !cmp.Equal(s.Cmd, want) {
		t.Errorf("started by %q, %v, want %q", s.Cmd, err, want)
	}
	if err := GiveKey(e, exp, &s, "k", "LLEM_API_KEY"); err != nil || s.KeyVariable != "ELEVENTH_KEY" {
		t.Errorf("the key is in %q, %v", s.KeyVariable, err)
	}
	if why, draws := e.Draws(exp.Engine.Args); why != "engine.args.weights: dummy" || !draws || !e.SetsContext(exp.Engine.Args) || e.CachesPrompts(exp) {
		t.Errorf("of %v: weights drawn %v (%s), context set %v, prompts kept %v", exp.Engine.Args, draws, why, e.SetsContext(exp.Engine.Args), e.CachesPrompts(exp))
	}
	if plain := (study.Experiment{}); e.SetsContext(nil) || !e.CachesPrompts(plain) || e.ContextFlag() != "longest_prompt" {
		t.Error("without engine.args the context is set, or no prompt is kept")
	}

	server := &standin{stream: events(chunk(`"text":"a"`, used(3, 3)), "[DONE]"), routes: map[string]string{
		"GET /v1/models": `{"data":[{"id":"m","owned_by":"eleventh-server"}]}`, "GET /counts": "eleventh_in 5\n", "POST /forget": "", "POST /wait": "",
	}}
	if tr := server.drive(t, "eleventh", "completions"); tr.Status != "ok" || server.body["penalty"] != 0.0 || server.body["ignore_eos"] != true {
		t.Errorf("%s %s, sent %v", tr.Status, tr.Error, server.body)
	}
	at := Address{URL: server.serve(t)}
	seen, err := Look(t.Context(), at, false)
	if err != nil {
		t.Fatal(err)
	}
	if name, how, doubt := seen.Tell(); name != "eleventh" || doubt != "" {
		t.Errorf("its server is %q by %q, %q", name, how, doubt)
	}
	i, err := e.Probe(t.Context(), at, "")
	if diff := cmp.Diff(Info{Engine: "eleventh", Model: "m", SyncRoute: true}, i); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if got, err := e.Counters(t.Context(), at); !cmp.Equal(got, Counters{PromptTokens: 5}) || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if how, err := e.ResetCache(t.Context(), at); how != "POST /forget" || err != nil || e.Sync(t.Context(), at) != nil {
		t.Errorf("%q, %v", how, err)
	}
	for _, table := range docTables {
		if !strings.Contains(table.lines(engines), "`eleventh`") {
			t.Errorf("%s has no line of it below %s", table.page, table.head)
		}
	}
}
