package load

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/study"
)

// lengthsOf are n lengths of a plan, input and output.
func lengthsOf(t *testing.T, w study.Workload, seed int64, n int) (in, out []float64) {
	t.Helper()
	w.Prompts, w.Load = 1, pattern.Load{Pattern: "closed", Concurrency: 1}
	p, err := New(w, seed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		s := p.Sizes(i)
		in, out = append(in, float64(s.Input)), append(out, float64(s.Output))
	}
	return in, out
}

func normalCDF(x float64) float64 { return (1 + math.Erf(x/math.Sqrt2)) / 2 }

// Lengths are drawn from what is asked for, cut at their bounds, and from nothing
// else (Kolmogorov–Smirnov; whole numbers are spread over their unit first).
func TestLengthsAreDistributed(t *testing.T) {
	t.Parallel()
	const n, most = 20_000, 2000
	sigma := math.Sqrt(math.Log1p(0.8 * 0.8)) // of a mean of 500 and a standard deviation of 400
	mu := math.Log(500) - sigma*sigma/2
	dither := rand.New(rand.NewPCG(1, 1))
	for text, cdf := range map[string]func(float64) float64{
		"uniform(100, 300)":      func(x float64) float64 { return min(1, max(0, (x-99.5)/201)) },
		"normal(500, 120)":       func(x float64) float64 { return normalCDF((x - 500) / 120) },
		"normal(1800, 400)":      func(x float64) float64 { return normalCDF((x - 1800) / 400) }, // a third of it is cut
		"lognormal(500, 400)":    func(x float64) float64 { return normalCDF((math.Log(max(x, 1e-9)) - mu) / sigma) },
		"lognormal( 500 ,400.0)": func(x float64) float64 { return normalCDF((math.Log(max(x, 1e-9)) - mu) / sigma) },
	} {
		cut := func(x float64) float64 {
			low, high := cdf(3.5), cdf(most+0.5)
			return (cdf(x) - low) / (high - low)
		}
		in, out := lengthsOf(t, study.Workload{MaxInputTokens: most, MaxOutputTokens: 7, Lengths: study.Lengths{Input: text}}, 1, n)
		if slices.Min(in) < 4 || slices.Max(in) > most || slices.Min(out) != 7 || slices.Max(out) != 7 {
			t.Errorf("%s: %g to %g, answers %g to %g", text, slices.Min(in), slices.Max(in), slices.Min(out), slices.Max(out))
		}
		for i := range in {
			in[i] += dither.Float64() - 0.5
		}
		if d := kolmogorov(slices.Clone(in), cut); d > 1.63 {
			t.Errorf("%s: KS %.2f", text, d)
		}
		if d := kolmogorov(in, func(x float64) float64 { return cut(x * 1.05) }); d < 3 {
			t.Errorf("%s: it agrees with another distribution as well, KS %.2f", text, d)
		}
	}
}

// A length depends on seed and number alone, and inputs not on outputs.
func TestLengthsAreTheirNumbers(t *testing.T) {
	t.Parallel()
	w := study.Workload{MaxInputTokens: 900, MaxOutputTokens: 900, Lengths: study.Lengths{Input: "uniform(1, 900)", Output: "uniform(1, 900)"}}
	in, out := lengthsOf(t, w, 1, 1000)
	again, _ := lengthsOf(t, w, 1, 10)
	other, _ := lengthsOf(t, w, 2, 10)
	if !slices.Equal(again, in[:10]) || slices.Equal(other, in[:10]) {
		t.Error("they are not those of the seed")
	}
	var sum float64
	for i := range in {
		sum += (in[i] - 450) * (out[i] - 450) / (900 * 900 / 12)
	}
	if r := sum / 1000; math.Abs(r) > 0.1 {
		t.Errorf("inputs and outputs go together: r = %.2f", r)
	}
}

func TestAFileOfLengths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(text string) string {
		path := filepath.Join(dir, "l.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	w := study.Workload{MaxInputTokens: 50, MaxOutputTokens: 60}
	w.Lengths.File = write("\ufeffname,output_tokens,input_tokens\r\na, 5,10\r\nb,60,50\n\n")
	in, out := lengthsOf(t, w, 1, 3)
	if diff := cmp.Diff([][]float64{{10, 50, 10}, {5, 60, 5}}, [][]float64{in, out}); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	w.Lengths = study.Lengths{File: write("output_tokens\n5\n"), Input: "uniform(3, 3)"}
	if in, out = lengthsOf(t, w, 1, 1); in[0] != 3 || out[0] != 5 {
		t.Errorf("one column, and a distribution: %v, %v", in, out)
	}
	w.Load = pattern.Load{Pattern: "closed"}
	for text, says := range map[string]string{
		"":                                  "l.csv:1: none of the columns input_tokens and output_tokens",
		"in,out\n1,2\n":                     "l.csv:1: none of the columns",
		"output_tokens\n":                   "l.csv holds no length",
		"output_tokens\n5\nx\n":             `l.csv:3: "x" is no number of tokens`,
		"output_tokens\n0\n":                `l.csv:2: "0" is no number of tokens, which is at least 1`,
		"output_tokens\n5\n61\n":            "l.csv:3: 61 tokens are more than workload.max_output_tokens 60: raise it",
		"output_tokens,a\n5\n":              "l.csv: record on line 2: wrong number of fields",
		"output_tokens\n\"5\n":              "l.csv: parse error on line 2",
		"input_tokens,output_tokens\n5,5\n": "l.csv has input_tokens, and workload.lengths says uniform(3, 3): leave one of them out",
	} {
		w.Lengths.File = write(text)
		if _, err := New(w, 1); err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "workload.lengths.file: ") {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
	w.Lengths.File = dir
	if _, err := New(w, 1); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("a folder: %v", err)
	}
}

// Prompts of one group begin alike and with nothing of another's or the warmup's,
// and no two are the same.
func TestPromptsShareTheirGroupsPrefix(t *testing.T) {
	t.Parallel()
	o := SyntheticOptions{N: 40, InputTokens: 30, OutputTokens: 1, Seed: 1, Prefix: 20, Groups: 3, Vocabulary: Bytes(32, 127, true)}
	o.Vocabulary.Head = []int{1}
	reqs, err := Synthetic(o)
	if err != nil {
		t.Fatal(err)
	}
	warm := o
	warm.Warmup = true
	others, err := Synthetic(warm)
	if err != nil {
		t.Fatal(err)
	}
	common := func(a, b Request) (n int) {
		for n < len(a.Tokens) && a.Tokens[n] == b.Tokens[n] {
			n++
		}
		return n
	}
	for i, a := range reqs {
		if len(a.Tokens) != 30 || a.InputTokens != 30 || len(a.Prompt) != 29 {
			t.Errorf("prompt %d has %d tokens and reads %d", i, len(a.Tokens), len(a.Prompt))
		}
		for j, b := range reqs[:i] {
			switch n := common(a, b); {
			case i%3 == j%3 && (n < 21 || n >= 30):
				t.Errorf("%d and %d of one group share %d tokens", i, j, n)
			case i%3 != j%3 && n > 5:
				t.Errorf("%d and %d of two groups share %d tokens", i, j, n)
			}
		}
		for j, b := range others {
			if n := common(a, b); n > 5 {
				t.Errorf("%d and %d of the warmup share %d tokens", i, j, n)
			}
		}
	}
	o.InputTokens = 21
	if _, err := Synthetic(o); err == nil || !strings.Contains(err.Error(), "request 1: 21 tokens, 20 of which its group shares, are too short for 40 different prompts") {
		t.Errorf("too short: %v", err)
	}
}
