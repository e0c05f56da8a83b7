package study

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What belongs to another pattern, or is missing, is told with what to do.
func TestKeysOfALoadBelongToItsPattern(t *testing.T) {
	t.Parallel()
	for load, want := range map[string]string{
		"pattern: poisson":                                                            "workload.load.rate_per_second: missing: the poisson pattern needs it",
		"pattern: gamma, rate_per_second: 2":                                          "workload.load.burstiness: missing: the gamma pattern needs it",
		"pattern: burst, rate_per_second: 2":                                          "workload.load.burst_size: missing",
		"pattern: ramp, rate_per_second: 2, ramp_seconds: 5":                          "workload.load.rate_end_per_second: missing",
		"pattern: steps":                                                              "workload.load.steps: missing",
		"pattern: steps, steps: [1x30]":                                               "is no step: write RATE@SECONDS, such as 2.5@30",
		"pattern: steps, steps: [0@30]":                                               "a step of no rate or no time",
		"pattern: poisson, rate_per_second: 0":                                        "workload.load.rate_per_second",
		"pattern: poisson, rate_per_second: 1e9":                                      "workload.load.rate_per_second",
		"pattern: gamma, rate_per_second: 1, burstiness: 0":                           "workload.load.burstiness",
		"pattern: poisson, rate_per_second: 2, concurrency: 3":                        "workload.load.concurrency: belongs to the pattern closed, and the load's is poisson: use max_in_flight",
		"max_in_flight: 3":                                                            "and the load's is closed: use concurrency",
		"pattern: constant, rate_per_second: 2, burstiness: 2":                        "workload.load.burstiness: belongs to the pattern gamma, and the load's is constant",
		"rate_per_second: 2":                                                          "workload.load.rate_per_second: belongs to the pattern constant, poisson, gamma, burst, ramp, and the load's is closed",
		"pattern: gamma, rate_per_second: 1, burstiness: 2, max_in_flight: 4":         "",
		"pattern: steps, steps: [1@30, 2.5@10], max_in_flight: 0":                     "",
		"pattern: trace, max_in_flight: 3":                                            "workload.load.file: missing: the trace pattern needs it",
		"pattern: trace, file: a.csv":                                                 "workload.load.max_in_flight: missing: the trace pattern needs it",
		"pattern: trace, file: a.csv, max_in_flight: 0":                               "workload.load.max_in_flight: 0 is no limit, and a trace must have one",
		"pattern: trace, file: a.txt, max_in_flight: 3":                               "is neither a .jsonl nor a .csv file",
		"pattern: trace, file: a.csv, max_in_flight: 3, rate_per_second: 2":           "workload.load.rate_per_second: belongs to",
		"pattern: poisson, rate_per_second: 1, file: a.csv":                           "workload.load.file: belongs to the pattern trace",
		"pattern: trace, file: a.csv, max_in_flight: 3":                               "",
		"pattern: constant, rate_per_second: 0.0001":                                  "100 requests take 11.5 days at this rate, and a schedule may take 7",
		"pattern: ramp, rate_per_second: 1, rate_end_per_second: 9, ramp_seconds: 60": "",
	} {
		_, err := Decode("x.yaml", []byte("model: a/b\nworkload: {load: {"+load+"}}\n"), Options{})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", load, err, want)
		}
	}
}

func TestSecondsOfALoad(t *testing.T) {
	t.Parallel()
	for workload, want := range map[string]string{
		"min_seconds: 9, max_seconds: 8": "workload.max_seconds: 8 is less than workload.min_seconds 9",
		"min_seconds: 0":                 "workload.min_seconds: 0 is out of range",
		"max_seconds: 1e9":               "workload.max_seconds: 1e9 is out of range",
		"min_seconds: 600, load: {pattern: constant, rate_per_second: 1e5}":  "over 10000000 requests are due within workload.min_seconds 600",
		"max_seconds: 9, load: {pattern: constant, rate_per_second: 0.0001}": "",
		"min_seconds: 60, max_seconds: 60":                                   "",
	} {
		_, err := Decode("x.yaml", []byte("model: a/b\nworkload: {"+workload+"}\n"), Options{})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", workload, err, want)
		}
	}
	if e := decode(t, "model: a/b\nworkload: {min_seconds: 60, load: {concurrency: 8}}\n", Options{}); e.Workload.Prompts != 1 {
		t.Errorf("%d prompts at least, where seconds decide", e.Workload.Prompts)
	}
}

// A plan's time has the schedule of a trace in it, which is read once.
func TestAPlanKnowsHowLongATraceIs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00,8,1\n2023-11-16 18:00:40,8,1\n2023-11-16 18:01:30,8,1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]time.Duration{"prompts: 2": 40 * time.Second, "prompts: 3": 90 * time.Second, "prompts: 3, max_seconds: 90": 40 * time.Second} {
		s, err := DecodeStudy("s.yaml", []byte("model: a/b\ngpus: none\nworkload: {"+text+", load: {pattern: trace, max_in_flight: 4, file: "+path+"}}\nsweep: {seed: [1, 2]}\nexecution: {cycles: 1, gap_seconds: 0}\n"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Plan()
		if err != nil {
			t.Fatal(err)
		}
		if got := p.AtLeast() - 2*time.Minute; got != 2*want { // less two thermal floors
			t.Errorf("%s: %v, want %v", text, got, 2*want)
		}
	}
}
