package study

import "testing"

func TestTheWorkloadHashIsOfWhatIsSentAndNotOfWhen(t *testing.T) {
	t.Parallel()
	hash := func(text, digest string) string {
		return decode(t, "model: a/b\n"+text, Options{}).WorkloadHash(digest)
	}
	const file = "sha256:1"
	trace := func(path, prompts string) string {
		return "workload: {prompts: " + prompts + ", load: {pattern: trace, max_in_flight: 4, file: " + path + "}}"
	}
	for name, c := range map[string]struct {
		a, b   string
		digest string
		same   bool
	}{
		"concurrency":           {"workload: {prompts: 9}", "workload: {prompts: 9, load: {concurrency: 8}}", "", true},
		"pattern":               {"", "workload: {load: {pattern: constant, rate_per_second: 2, max_in_flight: 3}}", "", true},
		"timeout":               {"", "workload: {request_timeout_seconds: 5}", "", true},
		"warmup, engine, GPUs":  {"", "warmup: {n_warmup: 9}\nengine: {args: {x: 1}}\ngpus: none\n", "", true},
		"lengths of a file":     {"workload: {source: a.jsonl}", "workload: {source: a.jsonl, max_input_tokens: 7}", file, true},
		"place of a file":       {"workload: {source: a.jsonl}", "workload: {source: b.jsonl}", file, true},
		"value of a secret":     {"workload: {extra_body: {api_key: a}}", "workload: {extra_body: {api_key: b}}", "", true},
		"number":                {"", "workload: {prompts: 99}", "", false},
		"number by concurrency": {"", "workload: {load: {concurrency: 64}}", "", false}, // ten times as many
		"prompts' length":       {"", "workload: {max_input_tokens: 7}", "", false},
		"answers' length":       {"", "workload: {max_output_tokens: 7}", "", false},
		"answers of a file":     {"workload: {source: a.jsonl}", "workload: {source: a.jsonl, max_output_tokens: 7}", file, false},
		"order of a file":       {"workload: {source: a.jsonl}", "workload: {source: a.jsonl, order: shuffled}", file, false},
		"seconds":               {"", "workload: {min_seconds: 60}", "", false},
		"fewer seconds":         {"workload: {max_seconds: 9}", "workload: {max_seconds: 8}", "", false},
		"the load, by seconds":  {"workload: {prompts: 9, max_seconds: 9}", "workload: {prompts: 9, max_seconds: 9, load: {concurrency: 2}}", "", false},
		"place of a trace":      {trace("a.csv", "9"), trace("b.csv", "9"), file, true},
		"a trace's limits":      {trace("a.csv", "9"), trace("a.csv", "9, max_input_tokens: 500"), file, true},
		"more of a trace":       {trace("a.csv", "9"), trace("a.csv", "10"), file, false},
		"a trace or none":       {trace("a.csv", "9"), "workload: {prompts: 9}", file, false},
		"api":                   {"", "workload: {api: chat}", "", false},
		"seed":                  {"", "seed: 7", "", false},
		"temperature":           {"", "workload: {sampling: {temperature: 1}}", "", false},
		"ignore_eos":            {"", "workload: {sampling: {ignore_eos: false}}", "", false},
		"extra_body":            {"", "workload: {extra_body: {top_k: 1}}", "", false},
	} {
		if same := hash(c.a, c.digest) == hash(c.b, c.digest); same != c.same {
			t.Errorf("%s: the same hash: %v, want %v", name, same, c.same)
		}
	}
	if hash("workload: {source: a.jsonl}", file) == hash("workload: {source: a.jsonl}", "sha256:2") || hash("", "") == hash("workload: {source: a.jsonl, sampling: {ignore_eos: true}}", file) {
		t.Error("other prompts have the same hash")
	}
}
