package harness

import (
	"encoding/binary"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/hub/standin"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/study"
)

// smallRun is a run whose model's configuration and tokenizer alone are here, and
// tell no parameters.
func smallRun(t *testing.T, name string) (*run, hub.Model) {
	t.Helper()
	header := `{"model.embed_tokens.weight":{"dtype":"BF16","shape":[100,8]},"model.layers.0.x.weight":{"dtype":"BF16","shape":[8,8]}}`
	h := &standin.Hub{Repo: name, Files: map[string][]byte{
		"config.json": []byte(`{"model_type":"unheard_of"}`), "tokenizer.json": []byte("{}"),
		"model.safetensors": append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...),
	}}
	h.Start()
	t.Cleanup(h.Close)
	t.Setenv("HF_ENDPOINT", h.URL)
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_HUB_CACHE", "")
	t.Setenv("HF_HUB_OFFLINE", "")
	m, err := hub.Ensure(t.Context(), hub.Options{Model: name, Small: true})
	if err != nil {
		t.Fatal(err)
	}
	return &run{Runner: &Runner{Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, job: job.Job{Experiment: study.Experiment{Model: name}}}, m
}

// count counts the parameters of m for x.
func count(t *testing.T, x *run, m hub.Model) {
	t.Helper()
	x.job.Model.Files = m
	(&job.Finder{Log: x.Log}).Count(t.Context(), &x.job)
}

func TestParametersFromTheHubWhereFilesTellNone(t *testing.T) {
	x, m := smallRun(t, "owner/name")
	count(t, x, m)
	if p, commit, why := x.parameters(); p.Total != 864 || p.Source != "safetensors" || commit != standin.Commit || why != "" {
		t.Errorf("%+v, %s, %s", p, commit, why)
	}
}

func TestParametersFromTheNameWhereNothingElseTells(t *testing.T) {
	x, m := smallRun(t, "owner/name-8B")
	t.Setenv("HF_HUB_OFFLINE", "1")
	count(t, x, m)
	if p, commit, why := x.parameters(); p.Total != 8e9 || p.Confidence != hub.Low || commit != standin.Commit || why == "" {
		t.Errorf("%+v, %s, %s", p, commit, why)
	}
	if r := x.modelRecord(); *r.ParametersTotal != 8e9 || r.ParametersNonEmbedding != nil || r.ParametersActive != nil || r.Source != "name" {
		t.Errorf("record %+v", r)
	}
}

func TestTheFilesOfALocalModelHaveAFingerprint(t *testing.T) {
	dir := t.TempDir()
	x := &run{Runner: &Runner{Log: slog.New(slog.DiscardHandler)}, job: job.Job{Experiment: study.Experiment{Model: dir, Engine: study.Engine{Pull: "never"}}}}
	if r := x.modelRecord(); r.Fingerprint != nil {
		t.Errorf("%s before any file was looked at", *r.Fingerprint)
	}
	count(t, x, hub.Model{ID: dir, Path: dir})
	if r := x.modelRecord(); r.Fingerprint == nil || !strings.HasPrefix(*r.Fingerprint, "sha256:") {
		t.Errorf("record %+v", r)
	}
	count(t, x, hub.Model{ID: "owner/name", Path: dir, Commit: standin.Commit})
	if r := x.modelRecord(); r.Fingerprint != nil {
		t.Errorf("%s of a model of the hub", *r.Fingerprint)
	}
}

func TestTheEnginesDataTypeIsNamedAsFilesNameIt(t *testing.T) {
	t.Parallel()
	x := &run{Runner: &Runner{}, info: engine.Info{ParametersTotal: 2, ParametersNonEmbedding: 1, DType: "bfloat16"}}
	if r := x.modelRecord(); r.DType != "bf16" {
		t.Errorf("%s, want bf16", r.DType)
	}
}

// What a server says of its own model is believed only of the engine that draws its
// weights and counts them; a claim that cannot be is not taken at all.
func TestAServersOwnCountIsDoubted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		info       engine.Info
		source     string
		confidence string
	}{
		"plausible":              {engine.Info{ParametersTotal: 8e9, ParametersNonEmbedding: 7e9}, "engine", hub.Low},
		"a mixture of experts":   {engine.Info{ParametersTotal: 30e9, ParametersNonEmbedding: 29e9, ParametersActive: 3e9}, "engine", hub.Low},
		"more without than with": {engine.Info{ParametersTotal: 1e9, ParametersNonEmbedding: 7e9}, "unknown", ""},
		"more active than all":   {engine.Info{ParametersTotal: 8e9, ParametersNonEmbedding: 7e9, ParametersActive: 9e9}, "unknown", ""},
		"nothing active":         {engine.Info{ParametersTotal: 8e9, ParametersNonEmbedding: 1e9, ParametersActive: 5e9}, "unknown", ""},
		"less than none":         {engine.Info{ParametersTotal: 8e9, ParametersNonEmbedding: 7e9, ParametersActive: -1}, "unknown", ""},
	} {
		x := &run{Runner: &Runner{}, info: c.info, job: job.Job{Experiment: study.Experiment{Model: "owner/name"}}}
		if p, _, _ := x.parameters(); p.Source != c.source || p.Confidence != c.confidence {
			t.Errorf("%s: %+v; want %s, %s", name, p, c.source, c.confidence)
		}
	}
}
