package result

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// keys lists every key of a JSON object, by path.
func keys(v any, path string) (out []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			out = append(append(out, path+k), keys(e, path+k+".")...)
		}
	case []any:
		for _, e := range v {
			out = append(out, keys(e, path)...)
		}
	}
	return out
}

func marshalled(t *testing.T, r *Record) map[string]any {
	t.Helper()
	s := store(t)
	if err := s.PutRecord(r); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(s.Dir(), RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The four headline figures are there in every record, and null is neither 0
// nor missing.
func TestWhatIsUnknownIsNullAndNeverMissing(t *testing.T) {
	headline := []string{"energy_total_j", "energy_adjusted_j", "baseline_power_w", "energy_per_output_token"}
	v := marshalled(t, &Record{SchemaVersion: SchemaVersion})
	for _, k := range append(headline, "window_seconds", "tokens_per_second", "flops", "warmup") {
		if got, ok := v[k]; !ok || got != nil {
			t.Errorf("%s is %v, present %v; want null", k, got, ok)
		}
	}
	v = marshalled(t, &Record{EnergyTotalJ: p(0.0), EnergyAdjustedJ: p(-2.5), BaselinePowerW: p(0.0), EnergyPerOutputToken: p(0.0)})
	for i, want := range []float64{0, -2.5, 0, 0} {
		if got := v[headline[i]]; got != want {
			t.Errorf("%s is %v, want the reading %g", headline[i], got, want)
		}
	}
}

// filled sets every field of v to something.
func filled(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(at))
			return
		}
		for i := range v.NumField() {
			filled(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		filled(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		e := reflect.New(v.Type().Elem()).Elem()
		if e.Kind() != reflect.Interface {
			filled(e)
			v.SetMapIndex(reflect.ValueOf("k"), e)
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Bool:
		v.SetBool(true)
	}
}

// The names that scripts read: the table of the file formats, "The result".
var named = strings.Fields(`schema_version experiment_id config_hash workload_hash name llem_version status error started_at ended_at
phases phases.name phases.start phases.seconds gap
engine.name engine.version engine.image engine.image_digest engine.image_id engine.command engine.container_id engine.startup_seconds engine.startup_energy_j
model.id model.revision model.dtype model.parameters_total model.parameters_non_embedding model.parameters_active model.source config
environment.gpus environment.gpus.index environment.gpus.uuid environment.gpus.name environment.gpus.memory_mb environment.gpus.driver environment.gpus.cuda
environment.gpus.vbios environment.gpus.compute_capability environment.gpus.power_limit_w environment.gpus.sm_clock_mhz environment.gpus.persistence_mode
environment.gpus.mig environment.gpus.pcie_generation environment.gpus.pcie_width
environment.host.cpu environment.host.memory_mb environment.host.kernel environment.host.os environment.host.governor
environment.docker.version environment.docker.runtimes environment.gpu_processes
energy_total_j energy_adjusted_j baseline_power_w energy_per_output_token
energy.valid energy.reasons energy.scope energy.backend energy.method energy.per_gpu energy.u_repeatability_j energy.u_absolute_j energy.coverage_k
energy.components energy.cross_checks energy.mean_power_w energy.peak_power_w energy.per_request_j energy.per_total_token_j energy.engine_idle_power_w
energy.baseline energy.steady energy.host energy.window_closed_by energy.engine_idle_confirmed
tokens.input tokens.output tokens.reasoning tokens.source requests.completed requests.failed window_seconds tokens_per_second tokens_per_second_per_gpu
latency.ttft_ms latency.tpot_ms latency.itl_ms latency.e2e_ms latency.ttft_scheduled_ms latency.e2e_scheduled_ms latency.ttft_ms.mean latency.ttft_ms.p50 latency.ttft_ms.p90
latency.ttft_ms.p95 latency.ttft_ms.p99 latency.ttft_ms.max client.cpu_seconds client.cpu_share client.send_lag_ms client.read_lag_ms client.gc_pauses_ms
flops.value flops.method flops.confidence flops.precision flops.prefill flops.decode flops.attention flops.lm_head flops.notes flops.flops_per_second flops.flops_per_joule
warmup.converged warmup.final_cv warmup.iterations_completed warmup.target_cv warmup.max_prompts warmup.latencies_ms warmup.duration_seconds warmup.thermal_floor_seconds
measurement_warnings timeseries requests_file samples_file files files.name files.bytes files.sha256`)

func TestTheRecordHasEveryNameAndComesBackWhole(t *testing.T) {
	var r Record
	filled(reflect.ValueOf(&r).Elem())
	r.SchemaVersion = SchemaVersion
	v := marshalled(t, &r)
	have := keys(v, "")
	for _, k := range named {
		if !slices.Contains(have, k) {
			t.Errorf("no key %s", k)
		}
	}
	s := store(t)
	if err := s.PutRecord(&r); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{s.Dir(), filepath.Join(s.Dir(), RecordFile)} {
		got, dir, err := Read(path)
		if err != nil || dir != s.Dir() {
			t.Fatalf("read %s: in %s, %v", path, dir, err)
		}
		r.RecordSHA256, r.State = got.RecordSHA256, Whole // which PutRecord and Read compute
		if diff := cmp.Diff(&r, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestNaNIsUnknownAndLosesNoRecord(t *testing.T) {
	build := func() *Record {
		r := &Record{SchemaVersion: SchemaVersion, EnergyTotalJ: p(math.NaN()), WindowSeconds: p(2.5), FLOPs: &FLOPs{Value: p(math.Inf(1))}}
		r.Energy.Components = map[string]float64{"bad": math.Inf(1), "good": 1}
		r.Energy.PerGPU = []GPUEnergy{{EnergyJ: p(math.Inf(-1))}}
		r.Config = map[string]any{"extra_body": map[string]any{"bad": math.NaN(), "list": []any{math.Inf(1), "x"}}}
		return r
	}
	r := build()
	v := marshalled(t, r)
	if v["energy_total_j"] != nil || v["window_seconds"] != 2.5 || v["flops"].(map[string]any)["value"] != nil {
		t.Errorf("%v", v)
	}
	if c := v["energy"].(map[string]any)["components"].(map[string]any); len(c) != 1 || c["good"] != 1.0 {
		t.Errorf("components %v", c)
	}
	if diff := cmp.Diff(map[string]any{"extra_body": map[string]any{"bad": nil, "list": []any{nil, "x"}}}, v["config"]); diff != "" {
		t.Errorf("config, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(build(), r, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("the caller's record was changed, -want +got:\n%s", diff)
	}
}

func TestTimesAreUTCToTheNanosecond(t *testing.T) {
	v := marshalled(t, &Record{StartedAt: time.Date(2026, 11, 24, 11, 0, 0, 123456789, time.FixedZone("", 3600))})
	if got, want := v["started_at"], "2026-11-24T10:00:00.123456789Z"; got != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct{ text, says, line string }{
		"empty":        {"", "not a result", ":1:"},
		"cut off":      {"{\"schema_version\": \"1.0\",\n\"name\": \"a", "unexpected end", ":2:"},
		"newer":        {`{"schema_version": "99.0"}`, `schema_version "99.0"`, ""},
		"older":        {`{"schema_version": "0.9"}`, "use the llem that wrote it", ""},
		"nobody's":     {`{"name": "a"}`, "no schema_version", ""},
		"no JSON":      {"PAR1", "invalid character", ":1:"},
		"wrong type":   {"{\"schema_version\": \"1.0\",\n\n\"energy_total_j\": \"12 J\"}", "energy_total_j", ":3:"},
		"a list":       {`[]`, "not a result", ":1:"},
		"not a number": {"{\"schema_version\": \"1.0\",\n\"window_seconds\": NaN}", "invalid character 'N'", ":2:"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), RecordFile)
			if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, from := range []string{path, filepath.Dir(path)} {
				if _, _, err := Read(from); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path+c.line) {
					t.Errorf("error %v, want one that says %q at %s", err, c.says, path+c.line)
				}
			}
		})
	}
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "nowhere")} {
		if _, _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "name a run's directory") {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

// A field that a later minor version adds is passed over.
func TestANewerMinorVersionIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), RecordFile)
	if err := os.WriteFile(path, []byte(`{"schema_version": "1.9", "name": "a", "new_field": {"x": 1}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, _, err := Read(path); err != nil || r.Name != "a" || r.EnergyTotalJ != nil {
		t.Errorf("%+v, %v", r, err)
	}
}
