package record

import (
	"cmp"
	"fmt"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/flops"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/result"
)

// parameters are what the model's files say, else what the engine says of its own
// model, else its name. why tells why they are unknown or only the name's.
func (o *Observation) parameters() (p hub.Parameters, why string) {
	files := o.Job.Model.Sized
	if files != nil && files.Err == nil {
		return files.Parameters, ""
	}
	if p, ok := claimed(o.Server.Info, o.Job.Engine); ok {
		return p, ""
	}
	p, ok := hub.ByName(o.Job.Experiment.Model)
	if by := o.Job.Served.By; by == engine.ByOnly || by == engine.ByUnlisted { // a name that only the server gives says nothing of the size
		p, ok = hub.Parameters{}, false
	}
	if !ok {
		p.Source = "unknown"
	}
	why = "no file of the model is on this host"
	if files != nil {
		why = files.Err.Error()
	}
	return p, why
}

// claimed are what the server says of its own model. An engine that draws its weights
// counts what it has drawn; any other may count experts, tables and towers as it likes.
func claimed(i engine.Info, by *engine.Engine) (p hub.Parameters, ok bool) {
	total, rest, active := i.ParametersTotal, i.ParametersNonEmbedding, i.ParametersActive
	if rest <= 0 || total < rest || active < 0 || active > total || active > 0 && total-active >= rest {
		return p, false
	}
	p = hub.Parameters{
		Total: total, NonEmbedding: rest, Active: active, DType: hub.Precision(i.DType),
		Layers: i.Layers, Hidden: i.HiddenSize, Heads: i.AttentionHeads, HeadDim: i.HeadDim, Vocab: i.Vocabulary,
		Source: "engine", Confidence: hub.High,
	}
	if by == nil || !by.Traits().Dummy {
		p.Confidence = hub.Low
		p.Notes = []string{"the number is the server's own, and llem found no files of the model to check it with"}
	}
	return p, true
}

// modelOf maps the model of j, which has the parameters p.
func modelOf(j *job.Job, p hub.Parameters) result.Model {
	out := result.Model{ID: j.Experiment.Model, DType: hub.Precision(cmp.Or(p.DType, j.Experiment.DType))}
	if files := j.Model.Sized; files != nil {
		out.Revision, out.Fingerprint = textOrNil(files.Commit), textOrNil(files.Fingerprint)
	}
	mapSizes(&out, p)
	return out
}

// mapSizes maps how many parameters a model has.
func mapSizes(m *result.Model, p hub.Parameters) {
	if p.Source == "name" {
		p.NonEmbedding = 0 // which a name does not tell
	}
	if p.Active == p.Total {
		p.Active = 0 // which is for a mixture of experts alone
	}
	m.Source = p.Source
	m.ParametersTotal, m.ParametersNonEmbedding, m.ParametersActive = countOrNil(p.Total), countOrNil(p.NonEmbedding), countOrNil(p.Active)
}

// flopsOf estimates the window's operations by a model's sizes; why says why nothing
// better is known of it.
func (w *Window) flopsOf(r *result.Record, fig load.Figures, p hub.Parameters, why string) *result.FLOPs {
	in := flops.Input{Parameters: p, Precision: p.DType, Why: why}
	in.Requests = make([]flops.Lengths, 0, w.Timings.Len())
	for _, t := range w.Timings.All() {
		in.Requests = append(in.Requests, flops.Lengths{Input: t.InputTokens, Output: t.OutputTokens})
	}
	e := flops.Of(in).Without(whyNull(fig.InputTokens, fig.Lacking.InputWhy(fig.Completed)), whyNull(fig.OutputTokens, fig.Lacking.OutputWhy(fig.Completed)))
	if n := fig.Lacking.Failed; n > 0 && e.Value != nil {
		e.Notes = append(e.Notes, fmt.Sprintf("without the tokens of %d failed requests, which are unknown", n))
	}
	out := &result.FLOPs{
		Value: e.Value, N: e.N, Basis: textOrNil(e.Basis), Method: flops.Method, Confidence: textOrNil(e.Confidence), Precision: e.Precision,
		Prefill: e.Prefill, Decode: e.Decode, Attention: e.Attention, LMHead: e.LMHead, Total: e.Total, Notes: e.Notes,
		Parameters: sizesRecord(p, why),
	}
	mapRates(r, out)
	return out
}

// sizesRecord maps what FLOPs are computed from; sizesOf is its inverse.
func sizesRecord(p hub.Parameters, why string) *result.Sizes {
	out := &result.Sizes{
		Total: p.Total, NonEmbedding: p.NonEmbedding, Active: p.Active, Layers: p.Layers, Hidden: p.Hidden, Heads: p.Heads, HeadDim: p.HeadDim, Vocabulary: p.Vocab,
		AttentionUnknown: p.AttentionUnknown, DType: p.DType, Source: p.Source, Notes: p.Notes, Why: why,
	}
	if p.Attention != nil { // no layer attends, which is known
		out.Attention = []result.Attention{}
	}
	for _, a := range p.Attention {
		out.Attention = append(out.Attention, result.Attention(a))
	}
	return out
}

func sizesOf(s *result.Sizes, confidence string) (p hub.Parameters, why string) {
	p = hub.Parameters{
		Total: s.Total, NonEmbedding: s.NonEmbedding, Active: s.Active, Layers: s.Layers, Hidden: s.Hidden, Heads: s.Heads, HeadDim: s.HeadDim, Vocab: s.Vocabulary,
		AttentionUnknown: s.AttentionUnknown, DType: s.DType, Source: s.Source, Notes: s.Notes, Confidence: confidence,
	}
	if s.Attention != nil {
		p.Attention = []hub.Attention{}
	}
	for _, a := range s.Attention {
		p.Attention = append(p.Attention, hub.Attention(a))
	}
	return p, s.Why
}

// mapRates maps what FLOPs come to per second and joule.
func mapRates(r *result.Record, f *result.FLOPs) {
	if f.Value == nil {
		return
	}
	if *r.WindowSeconds > 0 {
		f.FLOPsPerSecond = new(*f.Value / *r.WindowSeconds)
	}
	if r.EnergyTotalJ == nil || *r.EnergyTotalJ <= 0 {
		return
	}
	f.FLOPsPerJoule = new(*f.Value / *r.EnergyTotalJ)
	if u := r.Energy.URepeatabilityJ; u != nil {
		f.UFLOPsPerJoule = new(*f.FLOPsPerJoule * *u / *r.EnergyTotalJ)
		f.UFLOPsPerJouleAbsolute = new(*f.FLOPsPerJoule * *r.Energy.UAbsoluteJ / *r.EnergyTotalJ)
	}
}
