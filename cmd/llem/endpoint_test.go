package main

import (
	"strings"
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
	if r.Engine.Endpoint == nil || *r.Engine.Endpoint != url || r.Engine.Counters == nil || *r.Engine.Counters.OutputTokens != r.Tokens.Output {
		t.Errorf("engine %+v", r.Engine)
	}
	if v := h.llem("verify", o.dirs[0]); v.code != exitDone {
		t.Errorf("verify: %d %s", v.code, v.stdout+v.stderr)
	}
	if strings.TrimSpace(dockerCLI(t, "ps", "--quiet", "--filter", "publish="+url[strings.LastIndex(url, ":")+1:])) == "" {
		t.Error("the server was stopped")
	}
}
