package study

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Plan is a study expanded: its points and the order in which they are run. It
// holds no experiments: Experiment makes them, one at a time.
type Plan struct {
	Name      string
	Hash      string    // over what is run and how it is measured; not over names
	Execution Execution // as it is carried out: cycles rounded, seed filled in
	Asked     int       // cycles that the file asks for
	Quick     bool      // its experiments are --quick ones
	Points    []Point

	study *Study
	runs  []int32 // the points that are run
	waits []waits // of all points
}

// Point is one experiment of a study.
type Point struct {
	Name    string // unique in the study, and file-safe
	Hash    string // the experiment's ConfigHash; empty where it is not valid
	Invalid string // why it cannot be run; empty: it can
	Same    int    // an earlier point of the same hash, which is run in its place; -1: none
}

// Setting is one value in which a point differs from what all share.
type Setting struct{ Path, Value string }

// Plan expands the study. A point that is not valid stays in the plan with the
// reason; an error says that none is valid, with every reason, or that the
// runs are too many.
func (s *Study) Plan() (*Plan, error) {
	n := s.grid() + len(s.explicit)
	p := &Plan{Name: s.Name, Execution: s.Execution, Asked: s.Execution.Cycles, Quick: s.shared.quick, study: s, Points: make([]Point, n), waits: make([]waits, n)}
	names, first := newNamer(s), make(map[string]int, n)
	var reasons problems
	seen, texts, trace := map[string]bool{}, map[string]string{}, readOnce()
	for i := range p.Points {
		point := Point{Name: names.of(s, i), Same: -1}
		d := s.point(i)
		if d.in.issues.count() > 0 {
			point.Invalid = s.reason(d, texts)
			for _, e := range d.in.issues.all.Errors {
				if !seen[e.Error()] {
					seen[e.Error()] = true
					reasons.add(e.(Problem))
				}
			}
			p.Points[i] = point
			continue
		}
		point.Hash = d.e.ConfigHash()
		if j, ok := first[point.Hash]; ok {
			point.Same = j
		} else {
			first[point.Hash] = i
			p.runs = append(p.runs, int32(i))
			p.waits[i] = waitsOf(d.e, trace(d.e.Workload.Load))
		}
		p.Points[i] = point
	}
	if len(p.runs) == 0 {
		return nil, fmt.Errorf("none of the study's %d points is valid:\n%w", n, reasons.err())
	}
	return p, p.finish()
}

// reason says in one line what is wrong with a point.
func (s *Study) reason(d *decoder, texts map[string]string) string {
	var parts []string
	for _, e := range d.in.issues.all.Errors {
		x := e.(Problem)
		parts = append(parts, x.Path+": "+x.Message)
	}
	text := strings.Join(parts, "; ")
	if _, ok := texts[text]; !ok {
		texts[text] = hide(text, s.secrets)
	}
	return texts[text]
}

// finish settles cycles, hash and seed.
func (p *Plan) finish() error {
	x := &p.Execution
	if x.Order == LatinSquare {
		rows := squareRows(len(p.runs))
		x.Cycles = (x.Cycles + rows - 1) / rows * rows
	}
	if n := x.Cycles * len(p.runs); n > maxRuns {
		hint := "fewer cycles or points"
		if x.Cycles > p.Asked {
			hint = fmt.Sprintf("a Latin square of %d points takes %d cycles; another execution.order takes any number", len(p.runs), squareRows(len(p.runs)))
		}
		return fmt.Errorf("%d points in %d cycles are %d runs, and a study has at most %d: %s", len(p.runs), x.Cycles, n, maxRuns, hint)
	}
	sum := p.sum()
	p.Hash = "sha256:" + hex.EncodeToString(sum[:])
	if x.Seed == nil {
		seed := int64(0)
		for _, b := range sum[:6] { // 48 bits: any reader of JSON keeps them
			seed = seed<<8 | int64(b)
		}
		x.Seed = &seed
	}
	return nil
}

// sum is over the points that are run, in their order, and how they are run. A
// seed that comes from it is not in it.
func (p *Plan) sum() [sha256.Size]byte {
	h := sha256.New()
	for _, i := range p.runs {
		fmt.Fprintln(h, p.Points[i].Hash)
	}
	data, err := json.Marshal(p.study.Execution)
	if err != nil {
		panic("study: canonical form: " + err.Error()) // see digest
	}
	h.Write(data)
	return [sha256.Size]byte(h.Sum(nil))
}

// Refuse keeps points that were found not to be fit, by their numbers, with the
// reasons, and takes them from the runs. Hash and seed stay those of the study.
func (p *Plan) Refuse(why map[int]string) error {
	for i, reason := range why {
		p.Points[i].Invalid = reason
	}
	p.runs = slices.DeleteFunc(p.runs, func(i int32) bool { return p.Points[i].Invalid != "" })
	if len(p.runs) == 0 {
		reasons := slices.Compact(slices.Sorted(maps.Values(why)))
		return fmt.Errorf("none of the study's points can be run:\n%s", strings.Join(reasons, "\n"))
	}
	return nil
}

// Len is the number of runs.
func (p *Plan) Len() int { return len(p.runs) * p.Execution.Cycles }

// Runnable lists the points that are run: valid, and the first of their hash.
func (p *Plan) Runnable() []int {
	out := make([]int, len(p.runs))
	for i, r := range p.runs {
		out[i] = int(r)
	}
	return out
}

// Experiment is a point's experiment, named as the point. Callers change none of
// its maps: points share them.
func (p *Plan) Experiment(point int) (Experiment, error) {
	d := p.study.point(point)
	if d.in.issues.count() > 0 {
		return Experiment{}, fmt.Errorf("%s: the point is not valid: %s", p.Points[point].Name, p.Points[point].Invalid)
	}
	d.e.Name = p.Points[point].Name
	return d.e, nil
}

// Settings are what a point changes, in the file's order, secrets redacted.
func (p *Plan) Settings(point int) []Setting {
	var out []Setting
	for _, c := range p.study.changes(point) {
		out = append(out, Setting{c.path, c.shown(p.study.secrets)})
	}
	return out
}

// Swept are the keys that points change, in the file's order.
func (p *Plan) Swept() []string {
	out := []string{}
	seen := map[string]bool{}
	for _, o := range p.study.options() {
		for _, c := range o.changes {
			if !seen[c.path] {
				seen[c.path] = true
				out = append(out, c.path)
			}
		}
	}
	return out
}

// Axes are the sweep's axes and alternatives with their number of values.
func (p *Plan) Axes() (names []string, sizes []int) {
	for _, a := range p.study.axes {
		names, sizes = append(names, a.name), append(sizes, len(a.options))
	}
	return names, sizes
}

// Listed is the number of points that experiments lists; they come last.
func (p *Plan) Listed() int { return len(p.study.explicit) }

// indices say which option of each axis point i has, the last axis moving
// fastest.
func indices(axes []axis, i int) []int {
	out := make([]int, len(axes))
	for a := len(axes) - 1; a >= 0; a-- {
		n := len(axes[a].options)
		out[a] = i % n
		i /= n
	}
	return out
}

// pick are the options of point i of the axes.
func pick(axes []axis, i int) []option {
	out := make([]option, len(axes))
	for a, o := range indices(axes, i) {
		out[a] = axes[a].options[o]
	}
	return out
}

// changes are those of point i: points of the sweep, then the experiments.
func (s *Study) changes(i int) []change {
	if j := i - s.grid(); j >= 0 {
		return s.explicit[j].changes
	}
	var out []change
	for _, o := range pick(s.axes, i) {
		out = append(out, o.changes...)
	}
	return out
}

// point decodes point i: what all share, its changes, and the checks of keys
// against each other.
func (s *Study) point(i int) *decoder {
	d := *s.shared
	d.set = maps.Clone(d.set)
	d.in.issues = problems{}
	for _, c := range s.changes(i) {
		c.apply(&d)
	}
	d.e.Engine.Container.Mounts = slices.Clone(d.e.Engine.Container.Mounts) // checks write to it
	d.dependent()
	d.check(s.dir)
	d.e.Quick = d.quick
	return &d
}
