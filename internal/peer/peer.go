package peer

import (
	"strings"

	"github.com/llenergymeasure/llem/internal/result"
)

// Peer is another benchmark.
type Peer struct {
	Name    string // as --as takes it
	Title   string // the command whose figures these are
	Version string // that the definitions were read from
	// Columns of its table, as it calls them.
	Columns []string

	figures []figure
	// notes are what cannot be told of the figures, one sentence each.
	notes func(*run) []string
}

// peers are all that are known. A new one is a file and a row here.
var peers = []*Peer{&vllm, &guidellm, &aiperf, &inferencePerf}

// Names of the peers.
func Names() []string {
	var names []string
	for _, p := range peers {
		names = append(names, p.Name)
	}
	return names
}

// Lookup finds a peer by its name.
func Lookup(name string) (*Peer, bool) {
	for _, p := range peers {
		if p.Name == name {
			return p, true
		}
	}
	return nil, false
}

// figure is one row of a peer.
type figure struct {
	name, unit string
	key        string // in the peer's JSON; / parts objects, * is where a statistic's key goes
	of         func(*run) []Stat
	lacks      func(*run) string // why the file does not tell it, or empty; nil: it always does
}

// Stat is one number of a figure.
type Stat struct {
	Column string // under which it stands; empty for a figure's only number, and for what is in the JSON alone
	Key    string // in the peer's JSON; / parts objects
	Value  float64
}

// Figure is one of a peer's figures. Without stats there is none, and Lacks says
// why; where it is empty too, the peer itself has none of these requests.
type Figure struct {
	Name, Unit string
	Key        string
	Stats      []Stat
	Lacks      string
}

// Column is the number that stands in a column; empty is that of the figure that
// has only one.
func (f *Figure) Column(name string) (v float64, ok bool) {
	for _, s := range f.Stats {
		if s.Column == name && (name != "" || s.Key == f.Key) {
			return s.Value, true
		}
	}
	return 0, false
}

// Single says whether the figure is one number.
func (f *Figure) Single() bool { return !strings.Contains(f.Key, "*") }

// Figures are the peer's of these requests, and notes on what cannot be told of
// them.
func (p *Peer) Figures(rows []result.RequestRow) (list []Figure, notes []string) {
	r := newRun(rows)
	for _, f := range p.figures {
		out := Figure{Name: f.name, Unit: f.unit, Key: f.key}
		if f.lacks != nil {
			out.Lacks = f.lacks(r)
		}
		if out.Lacks == "" {
			for _, s := range f.of(r) {
				s.Key = strings.Replace(f.key, "*", s.Key, 1)
				out.Stats = append(out.Stats, s)
			}
		}
		list = append(list, out)
	}
	return list, p.notes(r)
}

// Object is the figures under the peer's own keys; what is left out is null.
func Object(list []Figure) map[string]any {
	root := map[string]any{}
	put := func(key string, v any) {
		at := root
		parts := strings.Split(key, "/")
		for _, part := range parts[:len(parts)-1] {
			next, ok := at[part].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[part] = next
			}
			at = next
		}
		at[parts[len(parts)-1]] = v
	}
	for _, f := range list {
		for _, s := range f.Stats {
			put(s.Key, s.Value)
		}
		if len(f.Stats) == 0 && !strings.Contains(f.Key, "*_") {
			put(strings.TrimSuffix(f.Key, "/*"), nil)
		}
	}
	return root
}
