package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/load/standin"
	"github.com/llenergymeasure/llem/internal/stats"
)

// figures are one row: errors and lags in milliseconds.
type figures struct {
	Streams int
	Stalled bool
	TTFT    stats.Summary  // |client's TTFT − server's, from the kernel's receipt of the request to its first write|
	Token   stats.Summary  // client's stamp − server's
	Late    stats.Summary  // server's stamp − its schedule
	ReadLag *stats.Summary // kernel's receipt → client's read
	Audit   load.Audit
	CostUS  float64 // client's CPU time per token
}

// header says where and when.
func header() string {
	var b strings.Builder
	where := "one core for both"
	if c, s, ok := standin.Cores(); ok {
		where = fmt.Sprintf("client on core %d, server on core %d", c, s)
	}
	idle := "unknown"
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		idle = strings.Fields(string(text))[0]
	}
	fmt.Fprintf(&b, "# %s/%s, %s; load average of the host before: %s\n", runtime.GOOS, runtime.GOARCH, where, idle)
	fmt.Fprintf(&b, "%8s %8s | %29s | %29s | %29s | %19s | %8s | %s\n", "streams", "stalled",
		"error of TTFT, ms", "error of token stamps, ms", "audit: read lag, ms", "server late, ms", "client", "audit: GC")
	fmt.Fprintf(&b, "%8s %8s | %9s %9s %9s | %9s %9s %9s | %9s %9s %9s | %9s %9s | %8s | %s\n", "", "beside",
		"p50", "p99", "max", "p50", "p99", "max", "p50", "p99", "max", "p50", "p99", "µs/token", "pauses, max ms")
	return b.String()
}

func (f *figures) row() string {
	three := func(s *stats.Summary) string {
		if s == nil {
			return fmt.Sprintf("%9s %9s %9s", "-", "-", "-")
		}
		return fmt.Sprintf("%9.3f %9.3f %9.3f", s.P50, s.P99, s.Max)
	}
	gc := "0"
	if s := f.Audit.GC; s != nil {
		gc = fmt.Sprintf("%d, %.3f", s.N, s.Max)
	}
	beside := "no"
	if f.Stalled {
		beside = "yes"
	}
	return fmt.Sprintf("%8d %8s | %s | %s | %s | %9.3f %9.3f | %8.2f | %s\n", f.Streams, beside,
		three(&f.TTFT), three(&f.Token), three(f.ReadLag), f.Late.P50, f.Late.P99,
		f.CostUS, gc)
}
