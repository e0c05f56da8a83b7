package result

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"
)

var at = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func store(t *testing.T) *Store {
	t.Helper()
	s, err := Create(t.TempDir(), "run", at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// table reads a file with arrow-go, which did not write it: its schema, and its
// values as text.
func table(t *testing.T, path string) (fields []string, rows [][]string) {
	t.Helper()
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := r.ReadTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Release()
	rows = make([][]string, tab.NumRows())
	for i := range int(tab.NumCols()) {
		fields = append(fields, describe(tab.Schema().Field(i)))
		n := 0
		for _, c := range tab.Column(i).Data().Chunks() {
			for j := range c.Len() {
				rows[n] = append(rows[n], c.ValueStr(j))
				n++
			}
		}
	}
	return fields, rows
}

func describe(f arrow.Field) string {
	s := f.Name + " " + f.Type.String()
	if f.Nullable {
		s += " null"
	}
	return s
}

// Section 7 of the protocol, to the letter: eight columns.
var eight = []string{
	"timestamp_s float64", "gpu_index int32", "power_w float32 null", "temperature_c float32 null",
	"memory_used_mb float32 null", "memory_total_mb float32 null", "sm_utilisation_pct float32 null", "throttle_reasons int64 null",
}

func p[T any](v T) *T { return &v }

func TestTimeseriesHasItsEightColumns(t *testing.T) {
	s := store(t)
	path := filepath.Join(s.Dir(), TimeseriesFile)
	for name, c := range map[string]struct {
		rows []TimeseriesRow
		want [][]string
	}{
		"empty": {nil, [][]string{}},
		"full and unknown": {
			[]TimeseriesRow{
				{TimestampS: 0, GPUIndex: 3, PowerW: p[float32](301.5), TemperatureC: p[float32](41), MemoryUsedMB: p[float32](1024), MemoryTotalMB: p[float32](81920), SMUtilisationPct: p[float32](99), ThrottleReasons: p[int64](4)},
				{TimestampS: 1, GPUIndex: 3},
			},
			[][]string{{"0", "3", "301.5", "41", "1024", "81920", "99", "4"}, {"1", "3", "(null)", "(null)", "(null)", "(null)", "(null)", "(null)"}},
		},
	} {
		if err := s.PutTimeseries(c.rows); err != nil {
			t.Fatal(err)
		}
		fields, rows := table(t, path)
		if diff := cmp.Diff(eight, fields); diff != "" {
			t.Errorf("%s: columns, -want +got:\n%s", name, diff)
		}
		if diff := cmp.Diff(c.want, rows); diff != "" {
			t.Errorf("%s: rows, -want +got:\n%s", name, diff)
		}
	}
}

func TestRequestsAreReadBackByAnother(t *testing.T) {
	s := store(t)
	err := s.PutRequests([]RequestRow{
		{ID: 1, ScheduledNS: 5, SentNS: p[int64](6), FirstByteNS: p[int64](7), FirstTokenNS: p[int64](8), LastTokenNS: p[int64](9), EndNS: p[int64](10), InputTokens: 3, OutputTokens: 4, Status: "ok", HTTPStatus: 200, FinishReason: "length", PromptHash: "h", ChunkDeltaNS: []int64{2, 1}, ChunkTokens: []int32{3, 1}},
		{ID: 2, Status: "timeout", Error: "no answer"},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, rows := table(t, filepath.Join(s.Dir(), RequestsFile))
	want := [][]string{
		{"1", "5", "6", "7", "8", "9", "10", "3", "4", "0", "ok", "200", "", "length", "h", "[2,1]", "[3,1]"},
		{"2", "0", "(null)", "(null)", "(null)", "(null)", "(null)", "0", "0", "0", "timeout", "0", "no answer", "", "", "[]", "[]"},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := s.PutRequests(nil); err != nil {
		t.Fatal(err)
	}
	if fields, rows := table(t, filepath.Join(s.Dir(), RequestsFile)); len(fields) != 17 || len(rows) != 0 {
		t.Errorf("an empty file has %d columns and %d rows", len(fields), len(rows))
	}
}

// More rows than one row group, from a stream.
func TestSamplesAreStreamed(t *testing.T) {
	s := store(t)
	const n = rowGroup + 1000
	err := s.PutSamples(func(yield func(SampleRow) bool) {
		for i := range n {
			if !yield(SampleRow{Phase: "window", Source: "nvml", GPUUUID: "GPU-1", MonotonicNS: int64(i), EnergyMJ: p(int64(i * 2))}) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	fields, rows := table(t, filepath.Join(s.Dir(), SamplesFile))
	if len(rows) != n || len(fields) != 19 {
		t.Fatalf("%d rows of %d columns", len(rows), len(fields))
	}
	column := func(name string) int {
		return slices.IndexFunc(fields, func(f string) bool { return strings.HasPrefix(f, name+" ") })
	}
	last := rows[n-1]
	if last[column("monotonic_ns")] != fmt.Sprint(n-1) || last[column("energy_mj")] != fmt.Sprint(2*(n-1)) || last[column("power_instant_mw")] != "(null)" || last[column("phase")] != "window" {
		t.Errorf("the last row is %v", last)
	}
	if err := s.PutSamples(func(func(SampleRow) bool) {}); err != nil {
		t.Fatal(err)
	}
	if again, rows := table(t, filepath.Join(s.Dir(), SamplesFile)); len(rows) != 0 || !slices.Equal(again, fields) {
		t.Errorf("an empty file has the columns %v", again)
	}
}

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

func TestWhatIsUnknownIsNullAndNeverMissing(t *testing.T) {
	v := marshalled(t, &Record{SchemaVersion: SchemaVersion})
	for _, k := range []string{"energy_total_j", "energy_adjusted_j", "baseline_power_w", "energy_per_output_token", "window_seconds", "tokens_per_second"} {
		if got, ok := v[k]; !ok || got != nil {
			t.Errorf("%s is %v, present %v; want null", k, got, ok)
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

// The names that scripts read.
var named = strings.Fields(`schema_version experiment_id config_hash workload_hash name llem_version status error started_at ended_at
phases phases.name phases.start phases.seconds gap
engine.name engine.version engine.image engine.image_digest engine.image_id engine.command engine.container_id engine.startup_seconds engine.startup_energy_j
model.id model.revision model.dtype model.parameters_total model.parameters_non_embedding model.parameters_active model.source config environment
energy_total_j energy_adjusted_j baseline_power_w energy_per_output_token
energy.valid energy.reasons energy.scope energy.backend energy.method energy.per_gpu energy.u_repeatability_j energy.u_absolute_j energy.coverage_k
energy.components energy.cross_checks energy.mean_power_w energy.peak_power_w energy.per_request_j energy.per_total_token_j energy.engine_idle_power_w
energy.baseline energy.steady energy.window_closed_by energy.engine_idle_confirmed
tokens.input tokens.output tokens.reasoning tokens.source requests.completed requests.failed window_seconds tokens_per_second tokens_per_second_per_gpu
latency.ttft_ms latency.tpot_ms latency.itl_ms latency.e2e_ms latency.ttft_scheduled_ms latency.e2e_scheduled_ms latency.ttft_ms.mean latency.ttft_ms.p50 latency.ttft_ms.p90
latency.ttft_ms.p95 latency.ttft_ms.p99 latency.ttft_ms.max client.cpu_seconds client.send_lag_ms
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
		if diff := cmp.Diff(&r, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestNaNIsUnknownAndLosesNoRecord(t *testing.T) {
	r := Record{SchemaVersion: SchemaVersion, EnergyTotalJ: p(math.NaN()), WindowSeconds: p(2.5)}
	r.Energy.Components = map[string]float64{"bad": math.Inf(1), "good": 1}
	r.Energy.PerGPU = []GPUEnergy{{EnergyJ: p(math.Inf(-1))}}
	v := marshalled(t, &r)
	if v["energy_total_j"] != nil || v["window_seconds"] != 2.5 {
		t.Errorf("%v", v)
	}
	if c := v["energy"].(map[string]any)["components"].(map[string]any); len(c) != 1 || c["good"] != 1.0 {
		t.Errorf("components %v", c)
	}
	if !math.IsNaN(*r.EnergyTotalJ) {
		t.Error("the caller's record was changed")
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, says string }{
		"cut off": {`{"schema_version": "1.0", "name": "a`, "is not a result"},
		"newer":   {`{"schema_version": "99.0"}`, `schema_version "99.0"`},
		"other":   {`{"name": "a"}`, "schema_version"},
		"no JSON": {"PAR1", "is not a result"},
	} {
		path := filepath.Join(dir, name+".json")
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Read(path); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want one that says %q and where", name, err, c.says)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "nowhere")} {
		if _, _, err := Read(path); err == nil || !strings.Contains(err.Error(), "name a run's directory") {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

func TestChecksumsFindOneChangedByte(t *testing.T) {
	s := store(t)
	for _, name := range []string{"a", "b", RecordFile} {
		if err := s.PutFile(name, []byte("content of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := Files(s.Dir())
	if err != nil || len(files) != 2 || files[0].Name != "a" || files[0].Bytes != 12 {
		t.Fatalf("%+v, %v", files, err)
	}
	if diff := files[0].Check(s.Dir()); diff != "" {
		t.Errorf("an unchanged file: %s", diff)
	}
	for text, says := range map[string]string{"content of b": "SHA-256", "content": "bytes"} {
		if err := s.PutFile("a", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if diff := files[0].Check(s.Dir()); !strings.Contains(diff, says) {
			t.Errorf("%q says %q", text, diff)
		}
	}
	if diff := (File{Name: "gone"}).Check(s.Dir()); !strings.Contains(diff, "no such file") {
		t.Errorf("a file that is gone: %q", diff)
	}
}

func TestTwoRunsOfOneSecondHaveTheirOwnDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "too")
	seen := map[string]bool{}
	for range 3 {
		s, err := Create(dir, "run", at)
		if err != nil || seen[s.Dir()] {
			t.Fatalf("%v, %v", s, err)
		}
		seen[s.Dir()] = true
	}
	if !seen[filepath.Join(dir, "run_20261124T100000Z")] || !seen[filepath.Join(dir, "run_20261124T100000Z_3")] {
		t.Errorf("%v", seen)
	}
}

// A file is replaced whole or not at all, and nothing is left beside it.
func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	s := store(t)
	if err := s.PutFile("a", []byte("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := s.Put("a", func(w io.Writer) error {
		if _, err := w.Write(bytes.Repeat([]byte("new"), 1000)); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "write a") {
		t.Errorf("error %v", err)
	}
	checkOnly(t, s, "a", "old")
	info, err := os.Stat(filepath.Join(s.Dir(), "a"))
	if err != nil || info.Mode().Perm()&0o444 != 0o444 {
		t.Errorf("mode %v, %v: others cannot read it", info.Mode(), err)
	}
}

func checkOnly(t *testing.T, s *Store, name, want string) {
	t.Helper()
	list, err := os.ReadDir(s.Dir())
	if err != nil || len(list) != 1 || list[0].Name() != name {
		t.Errorf("the directory holds %v, %v; want %s alone", list, err, name)
	}
	if got, err := os.ReadFile(filepath.Join(s.Dir(), name)); err != nil || string(got) != want {
		t.Errorf("%s holds %.20q, %v; want %q", name, got, err, want)
	}
}

func TestAFullDiskLeavesTheOldFileAndSaysWhatToDo(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must run as root, to mount a small filesystem")
		}
		t.Skip("only root can mount a small filesystem")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=256k", "llem-test", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v\n%s", err, out)
	}
	defer func() { _ = exec.Command("umount", "--lazy", dir).Run() }() // the folder goes with the test
	s, err := Create(dir, "run", at)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutFile("a", []byte("old")); err != nil {
		t.Fatal(err)
	}
	err = s.PutFile("a", make([]byte, 1<<20))
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "--output") {
		t.Errorf("error %v, want one that says what to do", err)
	}
	checkOnly(t, s, "a", "old")
}
