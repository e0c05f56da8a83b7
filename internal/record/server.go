package record

import (
	"cmp"
	"math"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// record maps the engine, and what it counted over w, which may be nil.
func (s *Server) record(e study.Experiment, w *Window) result.Engine {
	out := result.Engine{
		Version: textOrNil(e.Hide(s.Info.Version)), ContextLength: countOrNil(int64(s.Info.ContextLength)), Image: cmp.Or(s.Image.Ref, e.Engine.Image),
		ImageDigest: textOrNil(s.Image.Digest), ImageID: s.Image.ID, Command: []string{}, Kept: s.Kept,
		ServedModel: textOrNil(cmp.Or(s.Info.Model, s.Served.ID)), // TGI is asked for tgi, whichever model it serves
		ServedBy:    textOrNil(s.Served.By), Loaded: textOrNil(s.Served.Loaded),
		AuthorizedBy: textOrNil(s.KeyFrom), HeaderNames: s.Headers,
		Endpoint: textOrNil(e.Hide(e.Engine.Endpoint)), Counters: w.counters(),
	}
	if s.Engine != nil {
		out.Name, out.ToldBy = s.Engine.Name(), s.toldBy()
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
	for _, m := range s.Listed[:min(len(s.Listed), mostServed)] {
		out.Served = append(out.Served, m.ID)
	}
	return out
}

// mostServed is how many of a server's models are recorded.
const mostServed = 100

// toldBy says how the engine was found out, and whether the server said the same.
func (s *Server) toldBy() string {
	how := cmp.Or(s.ToldBy, "engine.name")
	if s.Info.Engine == s.Engine.Name() {
		how += ", and the server's own word"
	}
	return how
}

// CountedBy names what counted the tokens of prompts before they were sent, exactly as
// they were sent: the vocabulary that their ids were drawn from, or counted, the server's
// route of plain prompts. Empty: nothing did.
func (s *Server) CountedBy(w study.Workload, vocabulary, counted string) string {
	switch {
	case w.API != "completions": // a template adds to them
		return ""
	case vocabulary != "" && !s.Engine.Traits().TokenIDs: // the text of the ids may be read as others
		return ""
	}
	return cmp.Or(vocabulary, counted)
}

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
