package load

import (
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/study"
)

// By hand: four answers that were scheduled at 0, one of which was sent 400 ms late,
// one of one token, and one that failed after its first.
func TestGoodput(t *testing.T) {
	t.Parallel()
	msec := time.Millisecond
	timings := List{
		{Sent: 0, FirstToken: 100 * msec, LastToken: 1100 * msec, OutputTokens: 11, Status: StatusOK},         // TTFT 100, TPOT 100, E2E 1100
		{Sent: 400 * msec, FirstToken: 450 * msec, LastToken: 950 * msec, OutputTokens: 11, Status: StatusOK}, // TTFT 50 or 450, TPOT 50, E2E 550 or 950
		{Sent: 0, FirstToken: 700 * msec, LastToken: 700 * msec, OutputTokens: 1, Status: StatusOK},           // TTFT 700, no TPOT
		{Sent: 0, FirstToken: 10 * msec, LastToken: 20 * msec, OutputTokens: 2, Status: StatusFailed},         // never good
		{Sent: 0, FirstToken: -1, LastToken: -1, OutputTokens: 9, Status: StatusOK},                           // no text: not to be judged
		{Sent: 0, FirstToken: 200 * msec, LastToken: 1200 * msec, OutputTokens: 201, Status: StatusOK},        // TTFT 200, TPOT 5, E2E 1200
	}
	for _, c := range []struct {
		name string
		slo  study.SLO
		open bool
		want Goodput
	}{
		{"TTFT", study.SLO{TTFTMS: 200}, false, Goodput{Requests: 3, Tokens: 11 + 11 + 201, Unjudged: 1}},
		{"TTFT as scheduled", study.SLO{TTFTMS: 200}, true, Goodput{Requests: 2, Tokens: 11 + 201, Unjudged: 1}},
		{"a limit is kept that is met exactly", study.SLO{TPOTMS: 50}, false, Goodput{Requests: 3, Tokens: 11 + 1 + 201, Unjudged: 1}},
		{"E2E", study.SLO{E2EMS: 900}, false, Goodput{Requests: 2, Tokens: 11 + 1, Unjudged: 1}},
		{"E2E as scheduled", study.SLO{E2EMS: 900}, true, Goodput{Requests: 1, Tokens: 1, Unjudged: 1}},
		{"all three", study.SLO{TTFTMS: 500, TPOTMS: 60, E2EMS: 1200}, true, Goodput{Requests: 2, Tokens: 11 + 201, Unjudged: 1}},
		{"nobody", study.SLO{TTFTMS: 1}, false, Goodput{Unjudged: 1}},
	} {
		if got := Good(timings, c.slo, c.open); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
