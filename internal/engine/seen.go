package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Seen is what a server shows of itself, to somebody who does not know yet what it is.
type Seen struct {
	Models []Served
	// Unlisted says why there are none; nil where there are.
	Unlisted error

	at       Address
	versions map[string]bool // routes that answered with a version
	own      map[string]bool // engines whose own route answered
	counted  map[string]bool // engines whose metrics are there
}

// Served is a model that a server lists.
type Served struct {
	ID      string
	Root    string // what it was loaded from, where the server says so
	Parent  string // of an adapter: the model that it adapts
	OwnedBy string
}

// Look asks a server for everything by which engines are known. The error is that of a
// server that does not answer, or asks for a key; and, unless engine or model is named,
// of one that shows nothing of a server of models.
func Look(ctx context.Context, at Address, named bool) (*Seen, error) {
	s := &Seen{at: at, versions: map[string]bool{}, own: map[string]bool{}, counted: map[string]bool{}}
	var err error
	s.Models, err = list(ctx, at)
	switch {
	case err == nil || unlisted(err):
	case Refused(err): // which says itself what to do
		return nil, err
	default:
		return nil, fmt.Errorf("no server of an engine answers: %w; is it up, and is the address right?", err)
	}
	if s.Unlisted = err; err == nil && len(s.Models) == 0 {
		s.Unlisted = fmt.Errorf("%s/v1/models lists no model", at)
	}
	for _, e := range engines {
		for _, route := range e.version {
			if _, asked := s.versions[route]; !asked {
				var v struct{ Version string }
				s.versions[route] = getJSON(ctx, at, route, &v) == nil && version(v.Version) != ""
			}
		}
		var i Info
		s.own[e.name] = e.more != nil && e.more(ctx, at, &i) == nil
	}
	s.metrics(ctx)
	var answer *refusal
	if errors.As(err, &answer) && !named && !s.any() {
		return nil, fmt.Errorf("no server of an engine answers: %w; is it up, and is the address right? Of a server that lists no models, name one: model (--model) or engine.served_model", err)
	}
	return s, ctx.Err()
}

// Refused says that an error is a server's answer, which another try would not change.
func Refused(err error) bool {
	var answer *refusal
	return errors.As(err, &answer) && answer.code < http.StatusInternalServerError
}

// metrics looks for names of engines' own.
func (s *Seen) metrics(ctx context.Context) {
	answers := map[string]map[string]float64{}
	for _, e := range engines {
		if e.metrics == "" {
			continue
		}
		if _, asked := answers[e.metrics]; !asked {
			body, _ := fetch(ctx, http.MethodGet, s.at, e.metrics) // one that has none shows none
			answers[e.metrics] = parseMetrics(string(body))
		}
		there := func(name string) bool { _, ok := answers[e.metrics][name]; return ok }
		s.counted[e.name] = slices.ContainsFunc(e.counts, func(m metric) bool { return slices.ContainsFunc(m.names, there) })
	}
}

// unlisted says that a server answers, and not with models.
func unlisted(err error) bool {
	var answer *refusal
	if errors.As(err, &answer) {
		return slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented}, answer.code)
	}
	return errors.Is(err, errNoList)
}

var errNoList = errors.New("the answer is no list of models")

// longestID bounds the name of a model; paths have a few hundred bytes.
const longestID = 1024

// mostModels bounds a list of models; the longest gateways list some thousands.
const mostModels = 20_000

// list reads /v1/models: OpenAI's form, or the bare list of some gateways.
func list(ctx context.Context, at Address) ([]Served, error) {
	body, err := fetch(ctx, http.MethodGet, at, "/v1/models")
	if err != nil {
		return nil, err
	}
	type one struct {
		ID      string `json:"id"`
		Root    string `json:"root"`
		Parent  string `json:"parent"`
		OwnedBy string `json:"owned_by"`
	}
	var whole struct {
		Data []one `json:"data"`
	}
	if json.Unmarshal(body, &whole) != nil {
		if json.Unmarshal(body, &whole.Data) != nil {
			return nil, fmt.Errorf("%s/v1/models: %w: %.80q", at, errNoList, body)
		}
	}
	if len(whole.Data) > mostModels {
		return nil, fmt.Errorf("%s/v1/models lists %d models, more than the %d that llem reads", at, len(whole.Data), mostModels)
	}
	var out []Served
	seen := map[string]bool{}
	for _, m := range whole.Data {
		if m.ID != "" && len(m.ID) <= longestID && !seen[m.ID] {
			seen[m.ID] = true
			m.Root, m.OwnedBy = m.Root[:min(len(m.Root), longestID)], m.OwnedBy[:min(len(m.OwnedBy), longestID)]
			out = append(out, Served(m))
		}
	}
	return out, nil
}

// shows is what is seen of an engine, and what is not though its servers have it.
// strong says that something of it is no other engine's too.
func (s *Seen) shows(e *Engine) (shown, lacking []string, strong bool) {
	add := func(has bool, what string, its bool) {
		if has {
			shown, strong = append(shown, what), strong || its
		} else {
			lacking = append(lacking, what)
		}
	}
	if len(e.owners) > 0 {
		add(slices.ContainsFunc(s.Models, func(m Served) bool { return slices.Contains(e.owners, m.OwnedBy) }), "owned_by "+e.owners[0], true)
	}
	if len(e.version) > 0 {
		add(slices.ContainsFunc(e.version, func(r string) bool { return s.versions[r] }), "a version at "+e.version[0], false)
	}
	if e.more != nil {
		add(s.own[e.name], "its own route", true)
	}
	if has := s.counted[e.name]; has || e.metrics != "" && !e.countsWhenTold {
		add(has, "its metrics", true)
	}
	return
}

// any says that some engine shows.
func (s *Seen) any() bool {
	return slices.ContainsFunc(engines, func(e *Engine) bool { _, _, strong := s.shows(e); return strong })
}

// Tell says which engine the server is: the one of which all is seen that its servers
// have, else the only one of which more is seen than the name of a model's owner, which
// anybody can write. Any other is an OpenAI server. how says by what; doubt, what
// speaks against it.
func (s *Seen) Tell() (name, how, doubt string) {
	var whole, part, named []*Engine
	for _, e := range engines {
		shown, lacking, strong := s.shows(e)
		switch {
		case !strong:
		case len(lacking) == 0:
			whole = append(whole, e)
		case len(shown) == 1 && strings.HasPrefix(shown[0], "owned_by"):
			named = append(named, e)
		default:
			part = append(part, e)
		}
	}
	switch {
	case len(whole) == 1:
		return whole[0].name, s.by(whole[0]), ""
	case len(whole) == 0 && len(part) == 1 && len(named) == 0:
		return part[0].name, s.by(part[0]), s.Doubt(part[0])
	case len(whole)+len(part)+len(named) == 0:
		return anyServer.name, "its API", ""
	}
	all := slices.Concat(whole, part, named)
	texts := make([]string, len(all))
	for i, e := range all {
		shown, lacking, _ := s.shows(e)
		texts[i] = e.name + " by " + strings.Join(shown, " and ")
		if len(lacking) > 0 {
			texts[i] += " but without " + strings.Join(lacking, " and ")
		}
	}
	return anyServer.name, "its API", "the server looks like " + strings.Join(texts, "; like ")
}

// by says what shows the engine, the surest first.
func (s *Seen) by(e *Engine) string {
	shown, _, _ := s.shows(e)
	if len(shown) == 1 && shown[0] == "its metrics" {
		return "metrics"
	}
	return "server's own word"
}

// Doubt says what a server lacks of an engine; empty: nothing.
func (s *Seen) Doubt(e *Engine) string {
	shown, lacking, _ := s.shows(e)
	switch {
	case e.name == anyServer.name || len(lacking) == 0:
		return ""
	case len(shown) == 0:
		return "the server shows nothing of " + e.name + ": neither " + strings.Join(lacking, " nor ")
	}
	return "the server shows " + strings.Join(shown, " and ") + ", and not " + strings.Join(lacking, " nor ")
}

// Refuse is why a server is not the engine that was named; nil: it may be.
func (s *Seen) Refuse(e *Engine) error {
	if e.name == anyServer.name {
		return nil
	}
	found, how, _ := s.Tell()
	if found != anyServer.name && found != e.name {
		return fmt.Errorf("the engine is %s by engine.name, and %s by the %s at %s: leave engine.name out, or name the right one", e.name, found, how, s.at)
	}
	if _, _, strong := s.shows(e); !strong {
		return fmt.Errorf("engine.name is %s, and %s (%s): leave engine.name out, or set it to %s, to have it measured as any server with OpenAI's API", e.name, s.Doubt(e), s.at, anyServer.name)
	}
	return nil
}

// Strong says that the server shows something that is the engine's alone.
func (s *Seen) Strong(e *Engine) bool {
	_, _, strong := s.shows(e)
	return strong
}

// version is what a server says its version is; empty: it says nothing by it.
func version(said string) string {
	switch strings.ToLower(strings.TrimSpace(said)) {
	case "unknown", "none", "null", "n/a", "na", "undefined", "-", "?":
		return ""
	}
	return strings.TrimSpace(said)
}
