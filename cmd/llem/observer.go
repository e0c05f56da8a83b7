package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/measure"
)

var _ harness.Observer = (*observer)(nil)

// observer prints one plain line as each phase begins and one as it ends, and
// a progress bar between them on a terminal.
type observer struct {
	w        io.Writer
	bars     io.Writer // takes escape sequences
	quiet    bool
	terminal bool

	mu    sync.Mutex
	phase string
	bar   *progressbar.ProgressBar
}

func (o *observer) Begin(phase, note string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.phase = phase
	o.line("%-14s %s", title(phase), cmp.Or(note, "…"))
}

func (o *observer) End(phase string, took time.Duration, note string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clear()
	o.line("%-14s done in %.1f s  %s", title(phase), took.Seconds(), note)
}

// Progress draws on a terminal only; a bar in a log file is noise.
func (o *observer) Progress(done, total int64) {
	if o.quiet || !o.terminal || total <= 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bar == nil || o.bar.GetMax64() != total {
		o.clear()
		o.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(o.bars), progressbar.OptionSetDescription(o.doing()),
			progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(100*time.Millisecond))
	}
	_ = o.bar.Set64(done) // a bar that cannot be drawn is no reason to stop
}

// doing is what has a progress: in preflight that is a pull alone.
func (o *observer) doing() string {
	if o.phase == measure.Preflight.String() {
		return "pull"
	}
	return title(o.phase)
}

func (o *observer) Say(note string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clear()
	o.line("%s", note)
}

func (o *observer) clear() {
	if o.bar != nil {
		_ = o.bar.Clear()
		o.bar = nil
	}
}

func (o *observer) line(format string, args ...any) {
	if !o.quiet {
		fmt.Fprintln(o.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

func title(phase string) string { return strings.ReplaceAll(phase, "_", " ") }
