package record

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/result"
)

// record maps the engine of j, and what it counted over w, which may be nil.
func (s *Server) record(j *job.Job, w *Window) result.Engine {
	e := j.Experiment
	out := result.Engine{
		Version: textOrNil(e.Hide(s.Info.Version)), ContextLength: countOrNil(int64(s.Info.ContextLength)), Image: cmp.Or(j.Image.Ref, e.Engine.Image),
		ImageDigest: textOrNil(j.Image.Digest), ImageID: j.Image.ID, Command: []string{}, Kept: s.Kept,
		ServedModel: textOrNil(cmp.Or(s.Info.Model, j.Served.ID)), // TGI is asked for tgi, whichever model it serves
		ServedBy:    textOrNil(j.Served.By), Loaded: textOrNil(j.Served.Loaded),
		AuthorizedBy: textOrNil(j.Credentials.From), HeaderNames: slices.Sorted(maps.Keys(j.Credentials.Header)),
		Endpoint: textOrNil(e.Hide(e.Engine.Endpoint)), Counters: w.counters(),
	}
	if j.Engine != nil {
		out.Name, out.ToldBy = j.Engine.Name(), cmp.Or(j.ToldBy, "engine.name")
		if s.Info.Engine == out.Name {
			out.ToldBy += ", and the server's own word"
		}
	}
	if c := s.Container; c != nil {
		for _, text := range c.Command {
			out.Command = append(out.Command, e.Hide(text))
		}
		out.ContainerID, out.Route, out.CompileCache = c.ID, c.Route, textOrNil(c.CompileCache)
	}
	if s.Startup != nil {
		out.StartupSeconds = new(s.Startup.Seconds())
	}
	for _, m := range j.Listed[:min(len(j.Listed), mostServed)] {
		out.Served = append(out.Served, m.ID)
	}
	return out
}

// mostServed is how many of a server's models are recorded.
const mostServed = 100

// counters are what the server counted over the window; nil where it counts nothing.
func (w *Window) counters() *result.EngineCounters {
	if w == nil || !counts(w.Before) || !counts(w.After) {
		return nil
	}
	out := &result.EngineCounters{
		PromptTokens: w.counted(engine.PromptTokens), OutputTokens: w.counted(engine.OutputTokens),
		CachedTokens: w.counted(engine.CachedTokens), MultiplyAdds: w.counted(engine.MultiplyAdds), Preemptions: w.counted(engine.Preemptions),
		QueueSeconds: w.Grown(engine.QueueSeconds), PrefillSeconds: w.Grown(engine.PrefillSeconds), DecodeSeconds: w.Grown(engine.DecodeSeconds),
	}
	drafts, accepted := w.Grown(engine.Drafts), w.Grown(engine.AcceptedTokens)
	if drafts != nil && accepted != nil && *drafts > 0 {
		out.AcceptanceLength = new(1 + *accepted / *drafts)
	}
	return out
}

// counts says that there is more than when the server began.
func counts(c engine.Counters) bool {
	_, began := c[engine.Started]
	return len(c) > 1 || len(c) == 1 && !began
}

// mostCountable bounds a total that can be counted one by one: from there on a float
// does not hold each number.
const mostCountable = 1 << 53

// Grown is by how much the server's own total grew over the window; nil where it
// has none, or one that cannot be.
func (w *Window) Grown(q engine.Quantity) *float64 {
	after, ok := w.After[q]
	if !ok || w.Before == nil || w.Restarted {
		return nil
	}
	before := w.Before[q] // one that appears with its first count began at 0
	if before < 0 || after < before || after > mostCountable {
		return nil
	}
	return new(after - before)
}

func (w *Window) counted(q engine.Quantity) *int64 {
	g := w.Grown(q)
	if g == nil {
		return nil
	}
	return new(int64(math.Round(*g)))
}
