package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/peer"
	"github.com/llenergymeasure/llem/internal/result"
)

// answers are two requests and one that failed; times in ms.
func answers() []result.RequestRow {
	ns := func(ms int64) *int64 { return p(ms * int64(time.Millisecond)) }
	row := func(sent, end int64, status string, tokens ...int32) result.RequestRow {
		r := result.RequestRow{
			ScheduledNS: *ns(sent), SentNS: ns(sent + 1), FirstByteNS: ns(sent + 90), EndNS: ns(end), Status: status,
			InputTokens: p(int32(100)), OutputTokens: p(int32(0)), ChunkTokens: tokens, FinishReason: "length",
		}
		for i, n := range tokens {
			delta := int64(12)
			if i == 0 {
				delta = 99
			}
			r.ChunkDeltaNS, *r.OutputTokens = append(r.ChunkDeltaNS, *ns(delta)), *r.OutputTokens+n
		}
		return r
	}
	failed := row(900, 4000, "failed", 1)
	failed.InputTokens = nil
	return []result.RequestRow{row(0, 150, "ok", 1, 1, 1, 1), row(500, 640, "ok", 1, 3, 2), failed}
}

func TestPeersTables(t *testing.T) {
	for _, name := range peer.Names() {
		of, _ := peer.Lookup(name)
		list, notes := of.Figures(answers())
		for _, width := range []int{60, 80} {
			var b bytes.Buffer
			e := Entry{Record: &result.Record{Status: result.Interrupted}, Dir: "results/001 a"}
			if err := Peer(of, e, list, notes).Write(&b, Options{Width: width, Grouped: true}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if n := columns(strings.TrimRight(line, "\n")); n > width {
					t.Errorf("%s: %d columns: %s", name, n, line)
				}
			}
			if width == 80 {
				golden(t, "as-"+name, b.String())
			}
		}
	}
}
