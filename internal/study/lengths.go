package study

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Lengths are those of synthetic prompts and answers where they are not all alike.
type Lengths struct {
	Input  string `yaml:"input" json:"input,omitempty"`   // NAME(A, B); empty: max_input_tokens each
	Output string `yaml:"output" json:"output,omitempty"` // NAME(A, B); empty: max_output_tokens each
	File   string `yaml:"file" json:"file,omitempty"`     // made absolute against the file's folder
}

// Distribution is one that lengths are drawn from, in tokens.
type Distribution struct {
	Name string  // uniform | normal | lognormal
	A, B float64 // uniform: least and most; else mean and standard deviation
}

const distributionPattern = `^$|^(uniform|normal|lognormal)\( *([0-9]{1,8}(?:\.[0-9]{1,6})?) *, *([0-9]{1,8}(?:\.[0-9]{1,6})?) *\)$`

var distribution = regexp.MustCompile(distributionPattern)

// ReadDistribution reads NAME(A, B); ok is false for an empty text, which is none.
func ReadDistribution(text string) (d Distribution, ok bool) {
	m := distribution.FindStringSubmatch(text)
	if m == nil || m[1] == "" {
		return d, false
	}
	a, _ := strconv.ParseFloat(m[2], 64) // the pattern lets only numbers in
	b, _ := strconv.ParseFloat(m[3], 64)
	return Distribution{m[1], a, b}, true
}

// maxSpread bounds the standard deviation of lengths in means: beyond it most of
// what is drawn would be thrown away.
const maxSpread = 5

// OwnTokens are the fewest tokens that a prompt whose length is drawn has of its own,
// after what its group shares: room for its number.
const OwnTokens = 4

// wrong says why lengths from least to most tokens cannot be drawn; empty: they can.
func (d Distribution) wrong(least, most int) string {
	switch {
	case d.A < float64(least) && least > OwnTokens:
		return fmt.Sprintf("is of too short prompts: a prompt has %d tokens of its own after the %d of workload.shared_prefix", OwnTokens, least-OwnTokens)
	case d.Name != "uniform" && d.A < float64(least):
		return fmt.Sprintf("has a mean of fewer than %d tokens, which are the fewest", least)
	case d.Name == "uniform" && (d.A < 1 || d.A > d.B || d.A != float64(int(d.A)) || d.B != float64(int(d.B))):
		return "is from a least to a most number of tokens, whole and at least 1"
	case d.Name == "uniform" && d.B > float64(most):
		return fmt.Sprintf("goes up to %g tokens", d.B)
	case d.Name == "uniform":
		return ""
	case d.B <= 0:
		return "has no standard deviation above 0"
	case d.B > maxSpread*d.A:
		return fmt.Sprintf("has a standard deviation of over %d means", maxSpread)
	case d.A > float64(most):
		return fmt.Sprintf("has a mean of %g tokens", d.A)
	}
	return ""
}

// Prefix is what synthetic prompts share.
type Prefix struct {
	Length int `yaml:"length" json:"length,omitempty"` // tokens
	Groups int `yaml:"groups" json:"groups,omitempty"`
}

// checkLengths holds distributions against the lengths that bound them, and refuses
// what other keys tell.
func checkLengths(d *decoder, dir string) {
	w := &d.e.Workload
	l := &w.Lengths
	if l.File != "" {
		l.File = absolute(dir, l.File)
	}
	for _, x := range []struct {
		key, text, most string
		low, high       int
	}{
		{"workload.lengths.input", l.Input, "workload.max_input_tokens", w.Prefix.Length + OwnTokens, w.MaxInputTokens},
		{"workload.lengths.output", l.Output, "workload.max_output_tokens", 1, w.MaxOutputTokens},
	} {
		dist, ok := ReadDistribution(x.text)
		if !ok {
			continue
		}
		if _, set := d.set[x.most]; !set && !d.refused[x.most] {
			d.in.badAt(d.where(x.key), x.most, "missing: %s: %s needs the most that one may be, which engines are started by", x.key, x.text)
			continue
		}
		if why := dist.wrong(x.low, x.high); why != "" {
			d.wrong(x.key, "%s %s, and %s is %d", x.text, why, x.most, x.high)
		}
	}
	p := w.Prefix
	if (p.Length > 0) != (p.Groups > 0) {
		d.wrong("workload.shared_prefix", "give both length and groups: how many tokens a group of prompts shares, and how many groups there are")
	}
	if p.Length > 0 && p.Length+OwnTokens > w.MaxInputTokens {
		d.wrong("workload.shared_prefix", "%d tokens leave a prompt of workload.max_input_tokens %d fewer than %d of its own, in which it differs from others", p.Length, w.MaxInputTokens, OwnTokens)
	}
	for _, x := range []struct {
		path string
		set  bool
	}{{"workload.lengths", *l != Lengths{}}, {"workload.shared_prefix", p != Prefix{}}} {
		if x.set && w.Source != "synthetic" {
			d.wrong(x.path, "is of synthetic prompts; those of %s are as they are: leave it out, or workload.source", w.Source)
		}
	}
	if *l != (Lengths{}) && w.Source == "synthetic" && w.Load.Recorded() {
		d.wrong("workload.lengths", "a trace tells the lengths: leave it out")
	}
}

// distributionHint is how a distribution is written.
var distributionHint = "is no distribution: write " + strings.Join([]string{"uniform(LEAST, MOST)", "normal(MEAN, SD)", "lognormal(MEAN, SD)"}, ", ") + ", in tokens"
