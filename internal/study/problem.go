package study

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Problem is one thing wrong with a configuration.
type Problem struct {
	Source       string // file name, flag or variable
	Line, Column int    // from 1; 0 where there is no file
	Path         string // of the key
	Message      string
	Text         string // the line itself
}

func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Source)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Text != "" {
		pad := strings.Map(func(r rune) rune {
			if r == '\t' {
				return r
			}
			return ' '
		}, firstRunes(p.Text, p.Column-1))
		fmt.Fprintf(&b, "\n    %s\n    %s^", p.Text, pad)
	}
	return b.String()
}

func firstRunes(s string, n int) string {
	r := []rune(s)
	return string(r[:max(0, min(n, len(r)))])
}

// problems collects what is wrong, so that all of it is said at once.
type problems struct{ all *multierror.Error }

func (p *problems) add(x Problem) { p.all = multierror.Append(p.all, x) }

func (p *problems) count() int {
	if p.all == nil {
		return 0
	}
	return len(p.all.Errors)
}

// err is nil when nothing is wrong.
func (p *problems) err() error {
	if p.all == nil {
		return nil
	}
	sources := map[string]int{} // in the order in which they were read
	for _, e := range p.all.Errors {
		if s := e.(Problem).Source; sources[s] == 0 {
			sources[s] = len(sources) + 1
		}
	}
	slices.SortStableFunc(p.all.Errors, func(x, y error) int {
		a, b := x.(Problem), y.(Problem)
		return cmp.Or(sources[a.Source]-sources[b.Source], a.Line-b.Line, a.Column-b.Column)
	})
	p.all.ErrorFormat = func(errs []error) string {
		lines := make([]string, len(errs))
		for i, e := range errs {
			lines[i] = e.Error()
		}
		return strings.Join(lines, "\n")
	}
	return p.all.ErrorOrNil()
}

// Problems lists what err of Decode or ReadFile says is wrong; nil for other
// errors.
func Problems(err error) []Problem {
	var out []Problem
	if m, ok := err.(*multierror.Error); ok {
		for _, e := range m.Errors {
			if p, ok := e.(Problem); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

// nearest is the candidate closest to name, or "" when none is close.
func nearest(name string, candidates []string) string {
	best, dist := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), c); d < dist {
			best, dist = c, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost++
			}
			prev = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
