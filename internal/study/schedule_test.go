package study

import (
	"math"
	"strings"
	"testing"
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

// Whatever the pattern, the mean rate is what the file says, and later requests are
// never due earlier.
func TestDue(t *testing.T) {
	t.Parallel()
	for _, l := range []Load{
		{Pattern: "constant", RatePerSecond: 3}, {Pattern: "poisson", RatePerSecond: 3}, {Pattern: "burst", RatePerSecond: 3, BurstSize: 7},
		{Pattern: "ramp", RatePerSecond: 1, RateEndPerSecond: 3, RampSeconds: 10}, {Pattern: "ramp", RatePerSecond: 9, RateEndPerSecond: 3, RampSeconds: 10},
		{Pattern: "ramp", RatePerSecond: 3, RateEndPerSecond: 3, RampSeconds: 10}, {Pattern: "steps", Steps: []string{"1@5", "8@2.5", "3@1"}},
	} {
		const n = 100_000
		for i := range n {
			if a, b := l.Due(i), l.Due(i+1); !(b >= a) {
				t.Fatalf("%+v: request %d is due at %g s, the next at %g", l, i, a, b)
			}
		}
		if got := n / (l.Due(n) - l.Due(0)); math.Abs(got-3) > 0.01 {
			t.Errorf("%+v: %g a second in the end, want 3", l, got)
		}
		if l.PeakRate() < 3 {
			t.Errorf("%+v: at most %g a second", l, l.PeakRate())
		}
	}
	if d := (Load{Pattern: "closed"}).Due(9); d != 0 {
		t.Errorf("a closed loop has no schedule, and Due says %g", d)
	}
}
