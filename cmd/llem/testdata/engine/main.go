// Command engine is what the tests run in place of a good engine: the reference
// engine behind a proxy that switches a stand-in GPU's power while requests
// run, or that breaks in a chosen way.
//
// Its own flags come as --x-NAME VALUE; all others go to the reference engine.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// options are the --x- flags.
type options struct {
	fault string  // how to break; empty: do not
	after int     // completions before it breaks
	file  string  // the stand-in's file
	which []int   // GPUs whose power is switched; default: the first
	idle  float64 // watts of each
	busy  float64
	// loading is what each draws until the engine is ready; 0: what it drew before.
	loading float64
	batch   int           // requests in flight with which it is busy: fewer draw less; 0: one is enough
	pace    time.Duration // from event to event of a stream; 0: as fast as the engine is
}

func main() {
	o, rest := parse(os.Args[1:])
	log.Printf("test engine: fault %q after %d, arguments %q", o.fault, o.after, os.Args[1:]) // as vLLM does
	switch o.fault {
	case "exit":
		log.Print("cannot find the model weights")
		os.Exit(7)
	case "oom":
		hog()
	case "ignore-term":
		signal.Ignore(syscall.SIGTERM)
	}
	term := make(chan os.Signal, 1)
	if o.fault != "ignore-term" {
		signal.Notify(term, syscall.SIGTERM)
	}
	child := exec.Command("/reference", append(rest, "--host", "127.0.0.1", "--port", "8001")...)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	if err := child.Start(); err != nil {
		log.Fatal(err)
	}
	backend, err := url.Parse("http://127.0.0.1:8001")
	if err != nil {
		log.Fatal(err)
	}
	p := &proxy{options: o, next: &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(backend) },
		FlushInterval: -1,
	}}
	if o.file != "" {
		if p.gpus, err = standin.Open(o.file); err != nil {
			log.Fatal(err)
		}
	}
	if o.loading > 0 {
		p.set(o.loading)
		go p.loaded(backend.String() + "/health")
	}
	web := &http.Server{Addr: ":8000", Handler: p}
	go func() {
		if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()
	<-term
	end(child, web)
}

// end passes the signal on, as an engine that stops cleanly: its requests are
// aborted, and the proxy hands out what it still says.
func end(child *exec.Cmd, web *http.Server) {
	_ = child.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = child.Wait()                          // however it ended
	bye, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = web.Shutdown(bye) // who still listens is cut off
}

func parse(args []string) (o options, rest []string) {
	for i := 0; i < len(args); i++ {
		name, ok := strings.CutPrefix(args[i], "--x-")
		if !ok {
			rest = append(rest, args[i])
			continue
		}
		i++
		v := args[i]
		n, _ := strconv.ParseFloat(v, 64) // text flags do not parse
		switch name {
		case "fault":
			o.fault = v
		case "after":
			o.after = int(n)
		case "file":
			o.file = v
		case "gpu":
			for id := range strings.SplitSeq(v, ",") {
				g, err := strconv.Atoi(id)
				if err != nil {
					log.Fatal(err)
				}
				o.which = append(o.which, g)
			}
		case "loading":
			o.loading = n
		case "batch":
			o.batch = int(n)
		case "idle":
			o.idle = n
		case "busy":
			o.busy = n
		case "pace":
			o.pace = time.Duration(n * float64(time.Millisecond))
		}
	}
	if o.which == nil {
		o.which = []int{0}
	}
	return o, rest
}

// hog takes memory until the kernel ends it.
func hog() {
	var all [][]byte
	for {
		b := make([]byte, 16<<20)
		for i := range b {
			b[i] = 1
		}
		all = append(all, b)
		time.Sleep(time.Millisecond * time.Duration(len(all)%2))
	}
}

type proxy struct {
	options
	next http.Handler
	gpus *standin.Control

	mu     sync.Mutex
	seen   int
	flying int
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "completions") {
		if p.fault == "never-ready" && r.URL.Path == "/health" {
			http.Error(w, "still loading", http.StatusServiceUnavailable)
			return
		}
		p.next.ServeHTTP(w, r)
		return
	}
	breaks := p.enter()
	defer p.leave()
	// Read whole first: the engine answers so fast that the server would close
	// a body from which the proxy's transport still wants to see the end.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if !breaks || !p.fail(w, r) {
		p.next.ServeHTTP(&paced{ResponseWriter: w, pace: p.pace, next: time.Now(), gone: r.Context().Done()}, r)
	}
}

// paced hands a stream's events on at a pace of its own, whatever the machine: a
// window of known length that costs no CPU.
type paced struct {
	http.ResponseWriter
	pace time.Duration
	next time.Time
	gone <-chan struct{}
}

func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *paced) Write(b []byte) (int, error) {
	p.next = p.next.Add(time.Duration(bytes.Count(b, []byte("data:"))) * p.pace)
	if wait := time.Until(p.next); wait > 0 {
		select {
		case <-time.After(wait):
		case <-p.gone:
		}
	}
	return p.ResponseWriter.Write(b)
}

// enter counts a request in, raises the power with the first, and says whether
// its turn to break has come.
func (p *proxy) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flying++; p.flying == 1 || p.batch > 0 {
		p.set(p.power())
	}
	p.seen++
	return p.fault != "" && p.seen > p.after
}

func (p *proxy) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flying--; p.flying == 0 || p.batch > 0 {
		p.set(p.power())
	}
}

// power is what each GPU draws with the requests in flight.
func (p *proxy) power() float64 {
	switch {
	case p.flying == 0:
		return p.idle
	case p.flying >= p.batch:
		return p.busy
	}
	return p.idle + (p.busy-p.idle)*(0.4+0.6*float64(p.flying)/float64(p.batch))
}

// set has each GPU draw so much from now on.
func (p *proxy) set(watts float64) {
	if p.gpus == nil {
		return
	}
	for _, g := range p.which {
		p.gpus.SetPower(g, watts)
	}
}

// loaded waits until the engine has its model, which leaves the GPUs idle.
func (p *proxy) loaded(health string) {
	for {
		if r, err := http.Get(health); err == nil {
			_ = r.Body.Close() // the status is all
			if r.StatusCode == http.StatusOK {
				break
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(p.power())
}

const token = `data: {"choices":[{"text":"x","finish_reason":null}]}` + "\n\n"

// fail breaks one request; false when the fault is none of requests.
func (p *proxy) fail(w http.ResponseWriter, r *http.Request) bool {
	event := func(text string) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, text)
		_ = http.NewResponseController(w).Flush() // the client may have gone
	}
	switch p.fault {
	case "400":
		http.Error(w, `{"error":{"message":"max_tokens is too large"}}`, http.StatusBadRequest)
	case "500":
		http.Error(w, `{"error":{"message":"the scheduler is dead"}}`, http.StatusInternalServerError)
	case "garbage":
		event("data: <html>Bad Gateway</html>\n\n")
	case "half":
		event(token + `data: {"choices":[{"te`)
		panic(http.ErrAbortHandler)
	case "close":
		event(token + token)
		panic(http.ErrAbortHandler)
	case "early":
		event(token + token)
	case "hang":
		<-r.Context().Done()
	case "hog":
		hog()
	case "die":
		log.Print("CUDA error: an illegal memory access was encountered")
		os.Exit(9)
	default:
		return false
	}
	return true
}
