// Command memory says how much memory llem takes for a load of many requests: it plays
// the reference engine, which answers at once, and runs llem against it.
//
//	go run ./bench/memory -llem bin/llem -n 1000000 -tokens 8
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	llem := flag.String("llem", "bin/llem", "the binary")
	n := flag.Int("n", 1_000_000, "requests")
	tokens := flag.Int("tokens", 8, "of each prompt, and of each answer")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure(ctx, *llem, *n, *tokens); err != nil {
		log.Fatal(err)
	}
}

func measure(ctx context.Context, llem string, n, tokens int) error {
	dir, err := os.MkdirTemp("", "llem-memory")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	at, closed, err := serve()
	if err != nil {
		return err
	}
	defer closed()
	config := filepath.Join(dir, "w.yaml")
	text := fmt.Sprintf("model: reference/tiny\nworkload: {prompts: %d, max_input_tokens: %d, max_output_tokens: %d, load: {concurrency: 32}}\n", n, tokens, tokens)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, llem, "run", "--quick", "--gpus", "none", "--base-url", at, "-o", filepath.Join(dir, "out"), config)
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	took := time.Since(began)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("the system does not say how much memory it took")
	}
	peak := usage.Maxrss << 10 // Linux says it in KiB
	fmt.Printf("%d requests of %d and %d tokens: %.0f MB at most, %.0f bytes a request, in %.0f s\n", n, tokens, tokens, float64(peak)/1e6, float64(peak)/float64(n), took.Seconds())
	return nil
}

// engine is what the reference engine counts.
type engine struct{ prompts, answers atomic.Int64 }

func serve() (address string, closed func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	var e engine
	mux := http.NewServeMux()
	say := func(path, text string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	say("/health", "ok")
	say("/version", `{"version":"memory"}`)
	say("/sync", "{}")
	say("/v1/models", `{"data":[{"id":"reference/tiny","max_model_len":100000,"text_token_low":32,"text_token_high":127,"vocab_size":272,"parameters_total":857216,"parameters_non_embedding":787584,"hidden_size":128,"num_layers":4,"num_heads":4,"head_dim":32}]}`)
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "llem_reference_prompt_tokens_total %d\nllem_reference_generation_tokens_total %d\n", e.prompts.Load(), e.answers.Load())
	})
	mux.HandleFunc("/v1/completions", e.complete)
	s := &http.Server{Handler: mux}
	go func() { _ = s.Serve(l) }()
	return "http://" + l.Addr().String(), func() { _ = s.Close() }, nil
}

// complete sends the tokens one event each, each by itself, so that its stamp is its own.
func (e *engine) complete(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Prompt []int `json:"prompt"`
		Tokens int   `json:"max_tokens"`
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e.prompts.Add(int64(len(ask.Prompt)))
	e.answers.Add(int64(ask.Tokens))
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for i := range ask.Tokens {
		reason := "null"
		if i == ask.Tokens-1 {
			reason = `"length"`
		}
		fmt.Fprintf(w, `data: {"choices":[{"text":"a","finish_reason":%s}]}`+"\n\n", reason)
		_ = out.Flush() // a client that is gone wants nothing
	}
	fmt.Fprintf(w, `data: {"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d}}`+"\n\ndata: [DONE]\n\n", len(ask.Prompt), ask.Tokens)
}
