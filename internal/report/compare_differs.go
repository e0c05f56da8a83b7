package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/result"
)

// differs lists what is not the same for all points: the keys of the configuration,
// then what ran and where.
func differs(points []Point) []Differs {
	out := []Differs{}
	configs := make([]map[string]any, len(points))
	for i, p := range points {
		configs[i] = p.all[0].ConfigValues()
	}
	for _, key := range result.Differing(configs) {
		d := Differs{Key: key, Values: map[string]string{}}
		for i, p := range points {
			if v, there := configs[i][key]; there {
				d.Values[p.Label] = fmt.Sprint(v)
			}
		}
		out = append(out, d)
	}
	for _, f := range facts {
		d := Differs{Key: f.name, Values: map[string]string{}}
		seen := map[string]bool{}
		for _, p := range points {
			v := p.fact(f.of)
			if seen[v] = true; v != "" {
				d.Values[p.Label] = v
			}
		}
		if len(seen) > 1 {
			out = append(out, d)
		}
	}
	return out
}

// facts are what a record says of what ran, beside its configuration.
var facts = []struct {
	name string
	of   func(*result.Record) string
}{
	{"engine", func(r *result.Record) string { return r.Engine.Called() }},
	{"image digest", image},
	{"model revision", func(r *result.Record) string { return deref(r.Model.Revision) }},
	{"weights", func(r *result.Record) string { return r.Model.DType }},
	{"tokens in, out", tokens},
	{"GPU", gpuNames},
	{"GPU devices", uuids},
	{"power limit", limits},
	{"driver", drivers},
	{"host", func(r *result.Record) string { return r.Environment.Host.Hostname }},
	{"llem", func(r *result.Record) string { return r.LlemVersion }},
}

// tokens are a run's counts, as scripts read them.
func tokens(r *result.Record) string {
	var out []string
	for _, n := range []*int64{r.Tokens.Input, r.Tokens.Output} {
		out = append(out, settled(countOr(n, "unknown").String()))
	}
	return strings.Join(out, ", ")
}

// fact is what the point's results say, each once: those that completed, where any
// did.
func (p *Point) fact(of func(*result.Record) string) string {
	seen := map[string]bool{}
	completed := slices.ContainsFunc(p.all, func(r *result.Record) bool { return r.Status == result.Completed })
	for _, r := range p.all {
		if !completed || r.Status == result.Completed {
			seen[of(r)] = true
		}
	}
	delete(seen, "")
	return strings.Join(slices.Sorted(maps.Keys(seen)), " | ")
}

// image is the digest of what ran, or its id where it has none.
func image(r *result.Record) string {
	if r.Engine.ImageDigest != nil {
		if _, digest, ok := strings.Cut(*r.Engine.ImageDigest, "@"); ok {
			return shorten(digest)
		}
		return shorten(*r.Engine.ImageDigest)
	}
	return shorten(r.Engine.ImageID)
}

// ofGPUs is what the record's GPUs say, each once.
func ofGPUs(r *result.Record, of func(result.GPU) string) string {
	seen := map[string]bool{}
	for _, g := range r.Environment.GPUs {
		seen[of(g)] = true
	}
	delete(seen, "")
	return strings.Join(slices.Sorted(maps.Keys(seen)), ", ")
}

func models(r *result.Record) string {
	return ofGPUs(r, func(g result.GPU) string { return g.Name })
}

func drivers(r *result.Record) string {
	return ofGPUs(r, func(g result.GPU) string { return g.Driver })
}

func uuids(r *result.Record) string {
	return ofGPUs(r, func(g result.GPU) string { return g.UUID })
}

func limits(r *result.Record) string {
	return ofGPUs(r, func(g result.GPU) string {
		if g.PowerLimitW == nil {
			return ""
		}
		return settled(short(*g.PowerLimitW, "W").String())
	})
}
