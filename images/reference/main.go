// Command reference is a small LLM engine that runs anywhere: a Llama-style
// decoder on the CPU with weights drawn from a seed, behind OpenAI's API. It
// counts the multiply-adds that it did, so that a measurement of it can be
// checked against an engine that knows. It is an instrument, not a product.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// version is set by the linker.
var version = "dev"

// maxSeqs bounds the batch: up to 64 rows gonum takes one path, so that a
// request's text does not depend on the others in its batch.
const maxSeqs = 64

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	if err := serve(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Fatal("reference: ", err)
	}
}

type options struct {
	model, host, served     string
	port, maxLen, seqs, cpu int
	seed                    int64
	delay                   time.Duration
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("reference", flag.ContinueOnError)
	f.StringVar(&o.model, "model", "tiny", "preset: tiny, small, medium or large")
	f.StringVar(&o.host, "host", "0.0.0.0", "address to listen on")
	f.IntVar(&o.port, "port", 8000, "port to listen on")
	f.Int64Var(&o.seed, "seed", 42, "of weights and sampling")
	f.IntVar(&o.maxLen, "max-model-len", 4096, "longest prompt and answer together, in tokens")
	f.IntVar(&o.seqs, "max-num-seqs", 32, "most requests decoded at once, up to 64")
	f.IntVar(&o.cpu, "threads", 0, "processor cores to use; 0 is all")
	f.StringVar(&o.served, "served-model-name", "", "name in the API (default reference/PRESET)")
	f.DurationVar(&o.delay, "load-delay", 0, "extra time until ready, to try a client's patience")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if _, ok := presets[o.model]; !ok {
		return o, fmt.Errorf("--model %q: want tiny, small, medium or large", o.model)
	}
	if o.seqs < 1 || o.seqs > maxSeqs || o.maxLen < 2 || f.NArg() > 0 {
		return o, fmt.Errorf("--max-num-seqs is 1 to %d, --max-model-len at least 2, and nothing else stands on the command line", maxSeqs)
	}
	if o.served == "" {
		o.served = "reference/" + o.model
	}
	return o, nil
}

func serve(args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.cpu > 0 {
		runtime.GOMAXPROCS(o.cpu)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	l, err := net.Listen("tcp", net.JoinHostPort(o.host, strconv.Itoa(o.port)))
	if err != nil {
		return err
	}
	s := &server{name: o.served, preset: o.model, maxLen: o.maxLen, seed: o.seed}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	web := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second, Protocols: &protocols}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(l) }()
	log.Printf("reference %s: loading %s on %s", version, o.model, l.Addr())
	e := newEngine(newModel(presets[o.model], o.seed), o.seqs)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		log.Print("stopped before the model was loaded")
		return web.Close()
	case <-time.After(o.delay):
	}
	done := make(chan struct{})
	go func() { defer close(done); e.run(ctx) }()
	s.eng.Store(e)
	log.Printf("ready: %d parameters", e.m.parametersTotal())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	<-done // every request is aborted, so that its answer can end
	bye, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if web.Shutdown(bye) != nil {
		err = web.Close()
	}
	log.Print("stopped")
	return err
}
