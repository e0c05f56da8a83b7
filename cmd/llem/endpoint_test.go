package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

// serve starts the test image as a server of nobody's and gives its address.
func serve(t *testing.T) (address string) {
	t.Helper()
	id := strings.TrimSpace(dockerCLI(t, "run", "--detach", "--rm", "--publish", "127.0.0.1::8000", image, "--model", "tiny", "--host", "0.0.0.0", "--port", "8000"))
	t.Cleanup(func() { dockerCLI(t, "kill", id) })
	port := dockerCLI(t, "port", id, "8000/tcp")
	return "http://" + strings.TrimSpace(port)
}

func TestAServerThatAlreadyRunsIsMeasuredWithoutDocker(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60})
	url := serve(t)
	h.set("DOCKER_HOST", "unix:///nowhere/docker.sock")
	o := h.llem("run", "--quick", "--base-url", url, "--model", "reference/tiny", "-o", h.path("out"))
	if o.code != exitDone {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	r := o.record(t)
	if r.Status != result.Completed || r.EnergyTotalJ == nil || *r.EnergyTotalJ <= 0 || r.BaselinePowerW != nil || r.EnergyAdjustedJ != nil {
		t.Errorf("%s: total %v J, adjusted %v, baseline %v", r.Status, r.EnergyTotalJ, r.EnergyAdjustedJ, r.BaselinePowerW)
	}
	if r.Engine.Endpoint == nil || *r.Engine.Endpoint != url || r.Engine.Counters == nil || *r.Engine.Counters.OutputTokens != *r.Tokens.Output {
		t.Errorf("engine %+v", r.Engine)
	}
	if v := h.llem("verify", o.dirs[0]); v.code != exitDone {
		t.Errorf("verify: %d %s", v.code, v.stdout+v.stderr)
	}
	if strings.TrimSpace(dockerCLI(t, "ps", "--quiet", "--filter", "publish="+url[strings.LastIndex(url, ":")+1:])) == "" {
		t.Error("the server was stopped")
	}
}

// A file that asks for HTTP/2 is measured over nothing else.
func TestRequestsGoByTheHTTPThatIsAskedFor(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	to, err := url.Parse(serve(t))
	if err != nil {
		t.Fatal(err)
	}
	var asked, others atomic.Int64
	behind := httputil.NewSingleHostReverseProxy(to)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/completions") {
			if asked.Add(1); r.Proto != "HTTP/2.0" {
				others.Add(1)
			}
		}
		behind.ServeHTTP(w, r)
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	defer s.Close()
	o := h.llem("run", "--quick", "-o", h.path("out"), h.config(fmt.Sprintf("model: reference/tiny\ngpus: none\nengine: {endpoint: %q}\nworkload: {http: h2c, prompts: 20, max_input_tokens: 8, max_output_tokens: 8, load: {concurrency: 4}}\n", s.URL)))
	if o.code != exitDone {
		t.Fatalf("exit %d: %s", o.code, o.stderr)
	}
	if r := o.record(t); r.Requests.Completed != 20 || r.Client.ReadLagMS == nil {
		t.Errorf("%+v, %+v", r.Requests, r.Client)
	}
	if asked.Load() < 20 || others.Load() > 0 {
		t.Errorf("%d requests, %d of them by another HTTP", asked.Load(), others.Load())
	}
}
