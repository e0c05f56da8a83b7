package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/load/standin"
)

// result is what a load came to with one client.
type result struct {
	client     string
	small, big trial
}

// trial is one of the two sizes.
type trial struct {
	n      int
	cost   cost
	client figures
	server truth
}

// truth is what the server stamped, in milliseconds, and its CPU time.
type truth struct {
	TTFT, TPOT float64 // from its read of a request to its first write; between writes
	CPU        time.Duration
}

// compare runs both sizes, each with a fresh server.
func compare(ctx context.Context, o options, core int, tokenizer string, l plan, c client) (result, error) {
	r := result{client: c.name()}
	for n, into := range map[int]*trial{l.small: &r.small, l.big: &r.big} {
		var err error
		if *into, err = one(ctx, core, job{plan: l, n: n, tokenizer: tokenizer, dir: filepath.Join(o.work, l.name, c.name(), strconv.Itoa(n))}, c); err != nil {
			return r, fmt.Errorf("%d requests: %w", n, err)
		}
	}
	return r, nil
}

// one runs a client on a server of its own.
func one(ctx context.Context, core int, j job, c client) (trial, error) {
	self, err := os.Executable()
	if err != nil {
		return trial{}, err
	}
	if err := os.MkdirAll(j.dir, 0o755); err != nil {
		return trial{}, err
	}
	j.prompts = prompts(j.n)
	server, err := standin.Start(ctx, core, self, "-serve", "-pace", j.pace.String())
	if err != nil {
		return trial{}, err
	}
	defer server.Stop()
	j.url = server.URL
	command, err := c.args(j)
	if err != nil {
		return trial{}, err
	}
	out := trial{n: j.n}
	if out.cost, err = measure(ctx, j.dir, command); err != nil {
		return out, err
	}
	if out.server.CPU, err = server.CPUTime(ctx); err != nil {
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

// token is the CPU time of one: the difference of the sizes.
func (r result) token() time.Duration {
	return time.Duration(float64(r.big.cost.CPU-r.small.cost.CPU) / (r.big.client.Output - r.small.client.Output))
}

func columns() string {
	return fmt.Sprintf("%-14s | %8s %8s %9s %9s | %8s %5s | %9s %9s %6s | %8s %8s %8s | %8s %8s\n", "client",
		"µs/token", "whole", "tokens/s", "CPU, s", "peak,", "pro-", "requests", "tokens", "server", "TTFT", "its 99%", "TPOT", "server's", "server's") +
		fmt.Sprintf("%-14s | %8s %8s %9s %9s | %8s %5s | %9s %9s %6s | %8s %8s %8s | %8s %8s\n", "",
			"of CPU", "", "of CPU", "", "MiB", "cess.", "a second", "a second", "busy", "mean, ms", "ms", "mean, ms", "TTFT", "TPOT")
}

// row is of the big size, but for what a token costs and what the server needs.
func (r result) row(l plan) string {
	f := r.big.client
	whole := float64(r.big.cost.CPU.Microseconds()) / f.Output
	busy := (r.big.server.CPU - r.small.server.CPU).Seconds() / float64(r.big.n-r.small.n) * f.Requests
	truth := []string{"-", "-"}
	if l.pace > 0 {
		truth = []string{fmt.Sprintf("%.2f", r.big.server.TTFT), fmt.Sprintf("%.3f", r.big.server.TPOT)}
	}
	return fmt.Sprintf("%-14s | %8.2f %8.1f %9.0f %4.1f %4.1f | %8.0f %5d | %9.1f %9.0f %5.0f%% | %8.2f %8.2f %8.3f | %8s %8s\n", r.client,
		float64(r.token())/1e3, whole, 1e9/float64(r.token()), r.small.cost.CPU.Seconds(), r.big.cost.CPU.Seconds(),
		float64(r.big.cost.Peak)/(1<<20), r.big.cost.Processes, f.Requests, f.Tokens, 100*busy, f.TTFT, f.TTFT99, f.TPOT, truth[0], truth[1])
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
