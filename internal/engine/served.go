package engine

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Match is the model of a server that is measured, and how it was found.
type Match struct {
	ID string // what requests ask for
	By string // one of the By constants
	// Loaded is what the server says that it was loaded from; empty: it does not say.
	Loaded string
}

// How a served model was found.
const (
	ByID       = "id"           // the server calls it as model does
	ByRoot     = "root"         // the server says that it was loaded from model
	ByName     = "name"         // the last part of both names is the same
	ByKey      = "served_model" // engine.served_model names it
	ByOnly     = "only"         // no model was named, and the server has one
	ByLaunch   = "launch"       // llem gave it to the server that it started
	ByUnlisted = "unlisted"     // the server lists no models
)

// Choose finds the model to measure among those that a server lists: model is what was
// asked for, key is engine.served_model; both may be empty.
func (s *Seen) Choose(model, key string) (Match, error) {
	switch {
	case len(s.Models) == 0 && key != "":
		return Match{ID: key, By: ByUnlisted}, nil
	case len(s.Models) == 0 && model != "":
		return Match{ID: model, By: ByUnlisted}, nil
	case len(s.Models) == 0:
		return Match{}, fmt.Errorf("the server does not say which models it serves (%w): name one with --served-model or engine.served_model", s.Unlisted)
	case key != "":
		return s.keyed(model, key)
	case model == "" && len(s.Models) == 1:
		return Match{s.Models[0].ID, ByOnly, s.Models[0].Root}, nil
	case model == "":
		return Match{}, fmt.Errorf("the server at %s serves %s: name the one to measure with --served-model or engine.served_model", s.at, listed(s.Models))
	}
	for _, by := range []string{ByID, ByRoot, ByName} {
		var found []Served
		for _, m := range s.Models {
			if matches(m, model, by) {
				found = append(found, m)
			}
		}
		switch {
		case len(found) == 1 || len(found) > 1 && by == ByID:
			return Match{found[0].ID, by, found[0].Root}, nil
		case len(found) > 1:
			return Match{}, fmt.Errorf("the server at %s serves model %s as %s: name the one to measure with --served-model or engine.served_model", s.at, model, listed(found))
		}
	}
	return Match{}, fmt.Errorf("the server at %s serves %s, and not model %s: set model (--model) to what it serves, or engine.served_model (--served-model) where %s is another name of one of them", s.at, listed(s.Models), model, model)
}

// keyed is the model that engine.served_model names.
func (s *Seen) keyed(model, key string) (Match, error) {
	i := slices.IndexFunc(s.Models, func(m Served) bool { return m.ID == key || m.ID == key+":latest" })
	if i < 0 {
		return Match{}, fmt.Errorf("engine.served_model is %s, and the server at %s serves %s: name one of these", key, s.at, listed(s.Models))
	}
	m := s.Models[i]
	if model != "" && m.ID != model && (m.Root == "" || !matches(m, model, ByRoot)) {
		return Match{m.ID, ByKey, m.Root}, nil
	}
	if model != "" && m.ID != model {
		return Match{m.ID, ByRoot, m.Root}, nil
	}
	return Match{m.ID, ByID, m.Root}, nil
}

// Launched finds the model of a server that llem started with it, under the name that
// llem gave it, or that engine.args did.
func (s *Seen) Launched(model, key string) (Match, error) {
	if key != "" && len(s.Models) > 0 {
		return s.keyed("", key)
	}
	bases := slices.DeleteFunc(slices.Clone(s.Models), func(m Served) bool { return m.Parent != "" }) // adapters
	switch i := slices.IndexFunc(s.Models, func(m Served) bool { return m.ID == model }); {
	case i >= 0:
		return Match{model, ByLaunch, s.Models[i].Root}, nil
	case len(bases) == 0 && len(s.Models) > 0:
		return Match{}, fmt.Errorf("the server serves %s, which are adapters, and none is called %s: name the one to measure with engine.served_model", listed(s.Models), model)
	case len(bases) == 0:
		return Match{}, s.Unlisted
	}
	for _, m := range bases[1:] {
		if m.Root == "" || m.Root != bases[0].Root { // several names of one model are one
			return Match{}, fmt.Errorf("the server serves %s, and none is called %s: name the one to measure with engine.served_model", listed(s.Models), model)
		}
	}
	return Match{bases[0].ID, ByLaunch, bases[0].Root}, nil
}

// matches says whether a served model is the one that was asked for, by that.
func matches(m Served, model, by string) bool {
	switch by {
	case ByID:
		return m.ID == model || m.ID == model+":latest" // Ollama's default
	case ByRoot:
		return m.Parent == "" && m.Root != "" && (m.Root == model || inCache(m.Root) == model)
	}
	if m.Root != "" && m.Root != m.ID { // which says what it is, whatever it is called
		return m.Parent == "" && alike(m.Root, model)
	}
	return alike(m.ID, model)
}

// snapshot is a model in a cache of the hub.
var snapshot = regexp.MustCompile(`models--([^/]+)--([^/]+)(/snapshots/[^/]+)?/?$`)

// inCache is the model of the hub whose files in a cache a path leads to.
func inCache(at string) string {
	if m := snapshot.FindStringSubmatch(at); m != nil {
		return m[1] + "/" + m[2]
	}
	return at
}

// nothing are last parts of names that say nothing of a model: every one is called so.
var nothing = regexp.MustCompile(`(?i)^(models?|main|default|latest|base|final|best|llm|hf|gguf|gpt|weights|checkpoints?([-_]?\d+)?|epoch[-_]?\d+|step[-_]?\d+|[0-9a-f]{40}|fp16|bf16|fp8|int8|int4|awq|gptq|q\d.*|.)$`)

// alike says that two names end in the same, which says something, and that not both
// have owners: two owners' models of one name are two.
func alike(a, b string) bool {
	a, b = inCache(a), inCache(b)
	last := func(name string) string { return strings.TrimSuffix(path.Base(strings.TrimRight(name, "/")), ".gguf") }
	owned := func(name string) bool {
		return strings.Count(name, "/") == 1 && !strings.HasPrefix(name, "/") && !strings.HasPrefix(name, ".")
	}
	return last(a) == last(b) && !nothing.MatchString(last(a)) && (a == b || !owned(a) || !owned(b))
}

// Names says whether an answer that names another model than it was asked for can be of
// this one: under Ollama's default tag, with a revision behind an @, or by what it was
// loaded from.
func (m Match) Names(other string) bool {
	bare, _, _ := strings.Cut(other, "@")
	return bare == m.ID || other == m.ID+":latest" || alike(bare, m.ID) || m.Loaded != "" && (other == m.Loaded || alike(bare, m.Loaded))
}

// mostNames is how many names an error lists.
const mostNames = 12

// listed names models for a person.
func listed(list []Served) string {
	var out []string
	for i, m := range list {
		if i == mostNames {
			out = append(out, fmt.Sprintf("and %d more", len(list)-mostNames))
			break
		}
		out = append(out, fmt.Sprintf("%.100s", m.ID))
	}
	return strings.Join(out, ", ")
}
