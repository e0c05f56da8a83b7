package study

import (
	"strings"
	"testing"
)

func TestLengthsThatCannotBe(t *testing.T) {
	t.Parallel()
	const most = "max_input_tokens: 100, max_output_tokens: 100, "
	for text, says := range map[string]string{
		most + "lengths: {input: 'uniform(1, 101)'}":                                                     "uniform(1, 101) goes up to 101 tokens, and workload.max_input_tokens is 100",
		most + "lengths: {output: 'uniform(0, 50)'}":                                                     "is from a least to a most number of tokens, whole and at least 1",
		most + "lengths: {input: 'uniform(9, 5)'}":                                                       "is from a least to a most",
		most + "lengths: {input: 'uniform(1.5, 5)'}":                                                     "is from a least to a most",
		most + "lengths: {input: 'normal(101, 5)'}":                                                      "normal(101, 5) has a mean of 101 tokens, and workload.max_input_tokens is 100",
		most + "lengths: {input: 'normal(50, 0)'}":                                                       "has no standard deviation above 0",
		most + "lengths: {input: 'normal(0.5, 1)'}":                                                      "has a mean of fewer than 4 tokens",
		most + "lengths: {output: 'normal(0.5, 1)'}":                                                     "has a mean of fewer than 1 tokens",
		most + "lengths: {input: 'lognormal(10, 51)'}":                                                   "has a standard deviation of over 5 means",
		most + "lengths: {input: 'pareto(1, 2)'}":                                                        "is no distribution: write uniform(LEAST, MOST), normal(MEAN, SD), lognormal(MEAN, SD), in tokens",
		most + "lengths: {input: 'normal(5)'}":                                                           "is no distribution",
		most + "lengths: {input: 5}":                                                                     "workload.lengths.input",
		"lengths: {input: 'normal(50, 5)'}":                                                              "workload.max_input_tokens: missing: workload.lengths.input: normal(50, 5) needs the most that one may be",
		most + "lengths: {file: a.txt}":                                                                  "is no .csv file",
		most + "source: a.jsonl, lengths: {input: 'normal(9, 1)'}":                                       "workload.lengths: is of synthetic prompts",
		most + "load: {pattern: trace, file: a.csv, max_in_flight: 1}, lengths: {input: 'normal(9, 1)'}": "a trace tells the lengths",
		most + "lengths: {input: 'normal(50, 5)'}, shared_prefix: {length: 47, groups: 1}":               "is of too short prompts: a prompt has 4 tokens of its own after the 47 of workload.shared_prefix",
		most + "shared_prefix: {length: 5}":                                                              "give both length and groups",
		most + "shared_prefix: {length: 100, groups: 1}":                                                 "100 tokens leave a prompt of workload.max_input_tokens 100 fewer than 4 of its own",
		most + "source: a.jsonl, shared_prefix: {length: 5, groups: 1}":                                  "workload.shared_prefix: is of synthetic prompts",
	} {
		_, err := Decode("e.yaml", []byte("model: a/b\nworkload: {"+text+"}\n"), Options{})
		if err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "e.yaml:2:") {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// Lengths and prefixes are what is sent, and a plan without them has the hash that
// it always had.
func TestLengthsAreInTheWorkloadsHash(t *testing.T) {
	t.Parallel()
	hash := func(text, digest string) string {
		e, err := Decode("e.yaml", []byte("model: a/b\nworkload: {max_input_tokens: 100, max_output_tokens: 100"+text+"}\n"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return e.WorkloadHash(digest)
	}
	seen := map[string]string{}
	for _, c := range [][2]string{
		{"", ""}, {", lengths: {input: 'normal(50, 5)'}", ""}, {", lengths: {output: 'normal(50, 5)'}", ""}, {", lengths: {file: a.csv}", "d1"}, {", lengths: {file: a.csv}", "d2"},
		{", shared_prefix: {length: 5, groups: 1}", ""}, {", shared_prefix: {length: 5, groups: 2}", ""},
	} {
		h := hash(c[0], c[1])
		if other, ok := seen[h]; ok {
			t.Errorf("%q and %q have one hash", c[0]+c[1], other)
		}
		seen[h] = c[0] + c[1]
	}
	if hash(", lengths: {file: a.csv}", "d1") != hash(", lengths: {file: b.csv}", "d1") {
		t.Error("it depends on what the file is called")
	}
}
