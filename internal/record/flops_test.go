package record

import (
	"testing"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/study"
)

func TestParametersFromTheNameWhereNothingElseTells(t *testing.T) {
	t.Parallel()
	o := Observation{Job: job.Job{Experiment: study.Experiment{Model: "owner/name-8B"}, Model: job.Model{Sized: &job.Sized{Commit: "c", Err: hub.ErrUnsupported}}}}
	if p, why := o.parameters(); p.Total != 8e9 || p.Confidence != hub.Low || why == "" {
		t.Errorf("%+v, %s", p, why)
	}
	if r := Of(o).Model; *r.ParametersTotal != 8e9 || r.ParametersNonEmbedding != nil || r.ParametersActive != nil || r.Source != "name" || *r.Revision != "c" {
		t.Errorf("record %+v", r)
	}
}

func TestTheEnginesDataTypeIsNamedAsFilesNameIt(t *testing.T) {
	t.Parallel()
	o := Observation{Server: Server{Info: engine.Info{ParametersTotal: 2, ParametersNonEmbedding: 1, DType: "bfloat16"}}}
	if r := Of(o).Model; r.DType != "bf16" {
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
		o := Observation{Server: Server{Info: c.info}, Job: job.Job{Experiment: study.Experiment{Model: "owner/name"}}}
		if p, _ := o.parameters(); p.Source != c.source || p.Confidence != c.confidence {
			t.Errorf("%s: %+v; want %s, %s", name, p, c.source, c.confidence)
		}
	}
}
