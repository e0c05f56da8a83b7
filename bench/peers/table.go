package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/load/standin"
)

// result is what a load came to with one client.
type result struct {
	job
	name   string
	cost   cost
	client figures
	server truth
}

// truth is what the server stamped, in milliseconds, what it was asked for, and its
// CPU time.
type truth struct {
	TTFT, TPOT float64 // from its read of a request to its first write; between writes
	Seen       standin.Seen
	CPU        time.Duration
}

// one runs a client on a server of its own.
func one(ctx context.Context, core int, j job, c client) (result, error) {
	self, err := os.Executable()
	if err != nil {
		return result{}, err
	}
	if err := os.MkdirAll(j.dir, 0o755); err != nil {
		return result{}, err
	}
	j.prompts = prompts(j.n)
	server, err := standin.Start(ctx, core, self, "-serve", "-pace", j.pace.String())
	if err != nil {
		return result{}, err
	}
	defer server.Stop()
	j.url = server.URL
	command, err := c.args(j)
	if err != nil {
		return result{}, err
	}
	out := result{job: j, name: c.name()}
	if out.cost, err = measure(ctx, j.dir, command); err != nil {
		return out, err
	}
	if out.server.CPU, err = server.CPUTime(ctx); err != nil {
		return out, err
	}
	if out.server.Seen, err = server.Seen(ctx); err != nil {
		return out, err
	}
	stamps, err := server.Stamps(ctx)
	if err != nil {
		return out, err
	}
	out.server.read(stamps, j.n)
	if out.client, err = c.read(j); err != nil {
		return out, err
	}
	return out, out.client.check(j)
}

// read takes the last n requests, those before them having been a warmup's.
func (t *truth) read(stamps map[string]standin.Stamps, n int) {
	var all []standin.Stamps
	for _, s := range stamps {
		if len(s.Written) > 1 {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b standin.Stamps) int { return int(a.Received - b.Received) })
	all = all[max(0, len(all)-n):]
	for _, s := range all {
		last := len(s.Written) - 1
		t.TTFT += float64(s.Written[0]-s.Received) / 1e6 / float64(len(all))
		t.TPOT += float64(s.Written[last]-s.Written[0]) / 1e6 / float64(last) / float64(len(all))
	}
}

const cells = "%-14s | %8s %8s %6s %6s %6s | %6s %5s | %9s %9s %6s | %8s %8s %8s | %8s %8s\n"

func columns() string {
	return fmt.Sprintf(cells, "client", "µs of CPU", "tokens/s", "CPU s", "CPU s", "CPU s", "peak", "pro-", "requests", "tokens", "server", "TTFT", "TTFT", "TPOT", "server's", "server's") +
		fmt.Sprintf(cells, "", "a token", "of CPU", "before", "load", "after", "MiB", "cess.", "a second", "a second", "busy", "mean, ms", "p99, ms", "mean, ms", "TTFT", "TPOT")
}

func (r result) row() string {
	f, seen := r.client, r.server.Seen
	before, end := r.cost.until(seen.First), r.cost.until(seen.Last)
	token := float64((end - before).Nanoseconds()) / float64(seen.Tokens)
	num := func(digits int, v float64) string { return strconv.FormatFloat(v, 'f', digits, 64) }
	seeing := func(digits int, v float64) string {
		if v == 0 {
			return "-"
		}
		return num(digits, v)
	}
	ttft, tpot := "-", "-"
	if r.pace > 0 {
		ttft, tpot = num(2, r.server.TTFT), num(3, r.server.TPOT)
	}
	return fmt.Sprintf(cells, r.name, num(2, token/1e3), num(0, 1e9/token),
		num(2, before.Seconds()), num(2, (end-before).Seconds()), num(2, (r.cost.CPU-end).Seconds()),
		num(0, float64(r.cost.Peak)/(1<<20)), strconv.Itoa(r.cost.Processes), num(1, f.Requests), num(0, f.Tokens),
		num(0, 100*float64(r.server.CPU)/float64(seen.Last-seen.First))+"%",
		seeing(2, f.TTFT), seeing(2, f.TTFT99), seeing(3, f.TPOT), ttft, tpot)
}

// header says where this is, and which versions.
func header(ctx context.Context, clients []client, core, left int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s; the server on core %d, the clients on the other %d\n", processor(), core, left)
	for _, c := range clients {
		v := c.version()
		out, err := exec.CommandContext(ctx, v[0], v[1:]...).Output()
		if err != nil {
			out = []byte("does not tell its version: " + err.Error())
		}
		fmt.Fprintf(&b, "# %s: %s\n", c.name(), strings.TrimSpace(string(out)))
	}
	return b.String()
}

// processor is its name.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
