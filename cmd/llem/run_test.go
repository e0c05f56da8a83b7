package main

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
)

// checkPhases holds the phases to an order, without gaps or overlap.
func checkPhases(t *testing.T, phases []result.Phase, want ...string) {
	t.Helper()
	var names []string
	for i, p := range phases {
		names = append(names, p.Name)
		if i > 0 {
			if end := phases[i-1].Start.Add(time.Duration(phases[i-1].Seconds * float64(time.Second))); p.Start.Before(end.Add(-time.Millisecond)) {
				t.Errorf("%s began before %s had ended", p.Name, phases[i-1].Name)
			}
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("phases %v, want %v", names, want)
	}
}

func TestWithoutAGPUThereIsNoEnergyFigureAndItSaysSo(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.llem(h.quick()...)
	r := o.record(t)
	if o.code != 0 || r.Status != "completed" {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	if r.EnergyTotalJ != nil || r.EnergyAdjustedJ != nil || r.BaselinePowerW != nil || r.EnergyPerOutputToken != nil || r.Energy.Valid {
		t.Errorf("energy of no GPU: %+v", r.Energy)
	}
	data, err := os.ReadFile(filepath.Join(o.dirs[0], "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`"energy_total_j": null`, `"energy_adjusted_j": null`, `"baseline_power_w": null`} {
		if !strings.Contains(string(data), key) {
			t.Errorf("%s is not in the JSON", key)
		}
	}
	first, _, _ := strings.Cut(strings.TrimSpace(o.stdout), "\n")
	if !strings.HasPrefix(first, "NO ENERGY FIGURE: no NVIDIA driver") {
		t.Errorf("the table begins with %q", first)
	}
	for _, code := range []string{"energy_unavailable", "quick_mode", "short_measurement_duration", "single_run", "synthetic_prompts", "dummy_weights"} {
		if _, ok := r.WarningSeverities[code]; !ok {
			t.Errorf("no warning %s in %v", code, r.MeasurementWarnings)
		}
	}
	if r.Requests.Completed != 8 || *r.Tokens.Output != 8*256 || *r.Tokens.Input != 8*256 || r.Tokens.Source != "server" {
		t.Errorf("requests %+v, tokens %+v", r.Requests, r.Tokens)
	}
	if r.Energy.WindowClosedBy != "sync_route" || r.Energy.EngineIdleConfirmed == nil || !*r.Energy.EngineIdleConfirmed {
		t.Errorf("closed by %q, idle %v", r.Energy.WindowClosedBy, r.Energy.EngineIdleConfirmed)
	}
	if r.Engine.Route == "" || r.Engine.ContainerID == "" || !strings.HasPrefix(r.Engine.ImageID, "sha256:") {
		t.Errorf("engine = %+v", r.Engine)
	}
}

func TestShowPrintsTheSameTable(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.llem(h.quick()...)
	again := h.llem("show", o.dirs[0])
	if strings.TrimSpace(again.stdout) != strings.TrimSpace(o.stdout) || again.code != 0 {
		t.Errorf("show printed\n%s\nrun printed\n%s", again.stdout, o.stdout)
	}
	var r result.Record
	decodeJSON(t, h.llem("show", "--json", o.dirs[0]).stdout, &r)
	if r.ExperimentID != o.record(t).ExperimentID {
		t.Error("show --json printed another record")
	}
}

// The engine counts the multiply-adds that it really did.
func TestFLOPsAgreeWithAnEngineThatKnows(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	r := h.llem(h.quick()...).record(t)
	if r.Engine.Counters == nil || r.Engine.Counters.MultiplyAdds == nil || r.FLOPs.Total == nil {
		t.Fatalf("counters %+v, flops %+v", r.Engine.Counters, r.FLOPs)
	}
	did := 2 * float64(*r.Engine.Counters.MultiplyAdds)
	if diff := math.Abs(*r.FLOPs.Total-did) / did; diff > 0.02 {
		t.Errorf("FLOPs %g, the engine did %g: %.1f %% apart", *r.FLOPs.Total, did, diff*100)
	}
	if *r.Engine.Counters.OutputTokens != *r.Tokens.Output || *r.Engine.Counters.PromptTokens != *r.Tokens.Input {
		t.Errorf("the server counted %d and %d tokens, the record %+v", *r.Engine.Counters.PromptTokens, *r.Engine.Counters.OutputTokens, r.Tokens)
	}
}

func TestWarmupCountsInNothing(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	var records []*result.Record
	for _, n := range []string{"0", "3"} {
		o := h.llem("run", "--quick", "-o", h.path("out"), h.config("model: reference/tiny\nengine: {image: "+image+"}\nwarmup: {n_warmup: "+n+"}\n"))
		if o.code != 0 {
			t.Fatalf("exit %d\n%s", o.code, o.stderr)
		}
		records = o.records
	}
	a, b := records[0], records[1]
	if !reflect.DeepEqual(a.Tokens, b.Tokens) || *a.FLOPs.Value != *b.FLOPs.Value || !reflect.DeepEqual(a.Requests, b.Requests) || a.WorkloadHash != b.WorkloadHash {
		t.Errorf("n_warmup changed the work: %+v %+v, %+v %+v", a.Tokens, a.Requests, b.Tokens, b.Requests)
	}
	if a.ConfigHash == b.ConfigHash {
		t.Error("n_warmup did not change config_hash")
	}
	if a.Warmup.IterationsCompleted+b.Warmup.IterationsCompleted != 3 {
		t.Errorf("iterations %d and %d, want 0 and 3 in some order", a.Warmup.IterationsCompleted, b.Warmup.IterationsCompleted)
	}
}

func TestConvergenceAddsToTheWarmup(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	r := h.llem("run", "--quick", "-o", h.path("out"), h.config("model: reference/tiny\nengine: {image: "+image+"}\nwarmup: {n_warmup: 7, convergence_detection: true, cv_threshold: 0.5}\n")).record(t)
	w := r.Warmup
	if w.IterationsCompleted < 7 || w.Converged == nil || w.FinalCV == nil || w.TargetCV == nil || *w.TargetCV != 0.5 || w.MaxPrompts != 20 || len(w.LatenciesMS) != w.IterationsCompleted {
		t.Errorf("warmup = %+v", w)
	}
}

func TestJSONIsTheRecordAndNothingElseOnStdout(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.llem(h.quick("--json")...)
	var r result.Record
	decodeJSON(t, o.stdout, &r)
	if r.ExperimentID != o.record(t).ExperimentID {
		t.Error("another record on stdout than on disk")
	}
}
