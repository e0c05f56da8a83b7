//go:build e2e

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

// The tests of this file run real engines, on the CPU, in the images of images/:
// those that LLEM_E2E_ENGINES names. `make e2e` builds the images first.

// real is an engine and the form of the tiny model that it reads.
type real struct {
	name, image, model string
	more               string // beneath engine:
}

var reals = []real{
	{"llamacpp", "llem/llamacpp", "tiny.gguf", ""},
	{"transformers", "llem/transformers", "tiny", ", args: {device: cpu}"},
	{"vllm", "llem/vllm-cpu", "tiny", `, env: {VLLM_CPU_KVCACHE_SPACE: "1"}, args: {max-model-len: 2048}`},
	// Ollama gives up an answer that says one word some 30 times on end, which a
	// random model does unless it is kept from it.
	{"ollama", "llem/ollama", "tiny.gguf", ", args: {repeat_penalty: 1.1}"},
}

// wanted are the engines to run.
func wanted(t *testing.T) (out []real) {
	t.Helper()
	names := strings.Fields(os.Getenv("LLEM_E2E_ENGINES"))
	for _, name := range names {
		before := len(out)
		for _, r := range reals {
			if r.name == name {
				out = append(out, r)
			}
		}
		if len(out) == before {
			t.Fatalf("LLEM_E2E_ENGINES: no engine %q here", name)
		}
	}
	if len(out) < 2 {
		t.Fatalf("LLEM_E2E_ENGINES=%q: name two engines at least, such as llamacpp and transformers", strings.Join(names, " "))
	}
	return out
}

// tiny writes the model of images/tinymodel, in both forms.
func tiny(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("go", "run", "../../images/tinymodel", "--gguf", dir+"/tiny.gguf", "--hf", dir+"/tiny")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("write the tiny model: %v\n%s", err, out)
	}
}

const (
	e2eRequests = 24
	e2eInput    = 96
	e2eOutput   = 48
)

// The full protocol on real engines: what each counted of its own work is what
// was asked for, and the same for all of them.
func TestRealEnginesDoEqualWork(t *testing.T) {
	engines := wanted(t)
	h := newHost(t, standin.GPU{Power: 60})
	tiny(t, h.dir)
	var records []*result.Record
	var dirs []string
	for _, e := range engines {
		r, dir := h.measured(e)
		records, dirs = append(records, r), append(dirs, dir)
	}
	for i, r := range records[1:] {
		if r.Requests.PromptChecksum != records[0].Requests.PromptChecksum {
			t.Errorf("%s was sent other prompts than %s", engines[i+1].name, engines[0].name)
		}
	}
	shown := h.llem(append([]string{"show"}, dirs...)...)
	for _, e := range engines {
		if shown.code != exitDone || !strings.Contains(shown.stdout, e.name) {
			t.Errorf("show: exit %d, without %s:\n%s", shown.code, e.name, shown.stdout)
		}
	}
	if strings.Contains(shown.stdout, "requests differ") || strings.Contains(shown.stdout, "token counts differ") {
		t.Errorf("show says that the work was not equal:\n%s", shown.stdout)
	}
	t.Log("\n" + shown.stdout)
}

// measured runs one engine and holds its record to what was asked for.
func (h *host) measured(e real) (*result.Record, string) {
	h.t.Helper()
	config := h.config(fmt.Sprintf(`name: %s
model: ./%s
engine: {image: %s%s}
workload: {prompts: %d, max_input_tokens: %d, max_output_tokens: %d, load: {concurrency: 4}}
warmup: {n_warmup: 1, thermal_floor_seconds: 30}
`, e.name, e.model, e.image, e.more, e2eRequests, e2eInput, e2eOutput))
	c := h.start("run", "-o", h.path("out/"+e.name), config)
	if err := c.Wait(); err != nil {
		h.t.Fatalf("%s: %v\n%s", e.name, err, c.err.String())
	}
	h.clean(c.Process.Pid)
	dir := strings.TrimSpace(onlyDir(h.t, h.path("out/"+e.name)))
	r, _, err := result.Read(dir)
	if err != nil {
		h.t.Fatal(err)
	}
	h.hold(e, r)
	if v := h.llem("verify", dir); v.code != exitDone {
		h.t.Errorf("%s: verify: exit %d\n%s", e.name, v.code, v.stdout+v.stderr)
	}
	return r, dir
}

func onlyDir(t *testing.T, parent string) string {
	t.Helper()
	list, err := os.ReadDir(parent)
	if err != nil || len(list) != 1 {
		t.Fatalf("%s: %d results, %v", parent, len(list), err)
	}
	return parent + "/" + list[0].Name()
}

func (h *host) hold(e real, r *result.Record) {
	t := h.t
	t.Helper()
	if r.Status != result.Completed || r.Engine.Name != e.name || r.Engine.Version == nil || !strings.HasPrefix(r.Engine.ToldBy, "label") {
		t.Errorf("%s: %s, engine %+v", e.name, r.Status, r.Engine)
	}
	if r.EnergyTotalJ == nil || *r.EnergyTotalJ <= 0 || r.Energy.URepeatabilityJ == nil {
		t.Errorf("%s: energy %v", e.name, r.EnergyTotalJ)
	}
	in, out := int64(e2eRequests*e2eInput), int64(e2eRequests*e2eOutput)
	if countOf(r.Tokens.Input) != in || r.Tokens.Source != "server" || e.name != "ollama" && countOf(r.Tokens.Output) != out {
		t.Errorf("%s: tokens %+v, want %d and %d", e.name, r.Tokens, in, out)
	}
	if c := r.Engine.Counters; c != nil {
		if c.PromptTokens == nil || *c.PromptTokens != countOf(r.Tokens.Input) || c.OutputTokens == nil || *c.OutputTokens != countOf(r.Tokens.Output) {
			t.Errorf("%s: its own counters say %v and %v, its answers %+v", e.name, countOf(c.PromptTokens), countOf(c.OutputTokens), r.Tokens)
		}
	} else if e.name != "ollama" {
		t.Errorf("%s: no counters of its own", e.name)
	}
	if r.FLOPs == nil || r.FLOPs.Value == nil || r.Model.ParametersTotal == nil {
		t.Errorf("%s: FLOPs %+v of %+v", e.name, r.FLOPs, r.Model)
	}
	for _, w := range r.MeasurementWarnings {
		for _, code := range []string{"token_count_mismatch", "prefix_cache_hits", "window_not_quiesced", "requests_failed"} {
			if strings.HasPrefix(w, code) {
				t.Errorf("%s: %s", e.name, w)
			}
		}
	}
}

func countOf(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}
