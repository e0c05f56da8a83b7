package main

import (
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/load/standin"
	"github.com/llenergymeasure/llem/internal/stats"
)

// The real client takes a real server's tokens, whatever else the host does.
func TestDoctorTriesTheClient(t *testing.T) {
	t.Parallel()
	found, code := newHost(t).findings("--client")
	if code != 0 || len(found) != 4 {
		t.Fatalf("exit %d, %+v", code, found)
	}
	for what, says := range map[string]string{
		"client streams": "20 tokens a second", "client tokens": "16 at once", "client cost": "µs of CPU", "client connections": "limit of open files",
	} {
		checkFinding(t, found[what], found[what].State, says, "")
		if s := found[what].State; s != "ok" && s != "lacking" {
			t.Errorf("%s is %s", what, s)
		}
	}
}

// trialOf is a trial of n streams for ten seconds.
func trialOf(n int, client, server time.Duration, lagMS float64) standin.Outcome {
	return standin.Outcome{
		Run: load.Run{Timings: make(load.List, n), End: 10 * time.Second, ReadLag: &stats.Summary{P99: lagMS}}, Received: 1000, Server: server,
		Audit: load.Audit{Took: 10 * time.Second, CPU: client},
	}
}

func TestDoctorSaysWhatEndsFirst(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for _, c := range []struct {
		name string
		got  standin.Outcome
		want string
	}{
		{"nothing", trialOf(9, 7*s, 7*s, 0.4), ""},
		{"the client", trialOf(9, 9*s, 9*s, 3), "the client took 90 % of a core"},
		{"the server", trialOf(9, 7*s, 9*s, 3), "the server that it was tried on took 90 % of its core"},
		{"the host", trialOf(9, 7*s, 7*s, 0.6), "answers were read 0.60 ms late"},
	} {
		if got := tooMuch(c.got); (got == "") != (c.want == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	c := calibrated{ok: trialOf(64, s, s, 0.1), failed: trialOf(256, 9*s, s, 3), why: "the client took 90 % of a core", bulk: trialOf(64, s/10, s, 0.1)}
	list := c.findings()
	checkFinding(t, list[0], "ok", "64 at 20 tokens a second: 10 % of a core, read 0.10 ms late at the 99th percentile; with 256 the client took 90 % of a core", "")
	checkFinding(t, list[1], "ok", "100 a second", "")
	checkFinding(t, list[2], "ok", "1000.00 µs of CPU for a token that comes by itself, of 64 streams; 100.00 µs", "")
	c = calibrated{failed: trialOf(64, 9*s, s, 3), why: "answers were read 3.00 ms late"}
	checkFinding(t, c.findings()[0], "lacking", "not 64 at 20 tokens a second; with 64 answers were read 3.00 ms late", "what else runs")
}
