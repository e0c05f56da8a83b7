package result

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

// table reads a file with arrow-go, which did not write it: its columns and their
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
		fields = append(fields, tab.Schema().Field(i).Name)
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

// columns reads the file's own schema: name, physical type and repetition of
// every leaf.
func columns(t *testing.T, path string) (out []string) {
	t.Helper()
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := f.MetaData().Schema
	for i := range s.NumColumns() {
		c := s.Column(i)
		out = append(out, fmt.Sprintf("%s %s %s", c.Path(), c.PhysicalType(), s.Root().Field(i).RepetitionType()))
	}
	return out
}

// Protocol section 7, to the letter: eight columns. Behind them comes what
// joins them with other files.
var eleven = []string{
	"timestamp_s DOUBLE required", "gpu_index INT32 required", "power_w FLOAT optional", "temperature_c FLOAT optional",
	"memory_used_mb FLOAT optional", "memory_total_mb FLOAT optional", "sm_utilisation_pct FLOAT optional", "throttle_reasons INT64 optional",
	"gpu_uuid BYTE_ARRAY required", "utc_ns INT64 required", "experiment_id BYTE_ARRAY optional",
}

func TestTimeseriesHasItsColumns(t *testing.T) {
	known := TimeseriesRow{TimestampS: 0, GPUIndex: 3, PowerW: p[float32](301.5), TemperatureC: p[float32](41), MemoryUsedMB: p[float32](1024), MemoryTotalMB: p[float32](81920), SMUtilisationPct: p[float32](99), ThrottleReasons: p(int64(1) << 40), GPUUUID: "GPU-3", UTCNS: 5, ExperimentID: p("e1")}
	text := []string{"0", "3", "301.5", "41", "1024", "81920", "99", "1099511627776", "GPU-3", "5", "e1"}
	null := []string{"1.5", "3", "(null)", "(null)", "(null)", "(null)", "(null)", "(null)", "", "0", "(null)"}
	for name, c := range map[string]struct {
		rows []TimeseriesRow
		want [][]string
	}{
		"empty":        {nil, [][]string{}},
		"full":         {[]TimeseriesRow{known}, [][]string{text}},
		"null-holding": {[]TimeseriesRow{known, {TimestampS: 1.5, GPUIndex: 3}}, [][]string{text, null}},
		"only nulls":   {[]TimeseriesRow{{TimestampS: 1.5, GPUIndex: 3}}, [][]string{null}},
	} {
		t.Run(name, func(t *testing.T) {
			s := store(t)
			if err := s.PutTimeseries(c.rows); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(s.Dir(), TimeseriesFile)
			if diff := cmp.Diff(eleven, columns(t, path)); diff != "" {
				t.Errorf("columns, -want +got:\n%s", diff)
			}
			if _, rows := table(t, path); !cmp.Equal(c.want, rows) {
				t.Errorf("rows, -want +got:\n%s", cmp.Diff(c.want, rows))
			}
		})
	}
}

var (
	requestColumns = []string{
		"id INT64 required", "scheduled_ns INT64 required", "sent_ns INT64 optional", "first_byte_ns INT64 optional", "first_token_ns INT64 optional",
		"last_token_ns INT64 optional", "end_ns INT64 optional", "input_tokens INT32 optional", "output_tokens INT32 optional", "reasoning_tokens INT32 optional",
		"status BYTE_ARRAY required", "http_status INT32 required", "error BYTE_ARRAY required", "finish_reason BYTE_ARRAY required", "prompt_hash BYTE_ARRAY required", "usage_refused BYTE_ARRAY optional",
		"model BYTE_ARRAY optional", "cached_tokens INT32 optional", "input_tokens_by BYTE_ARRAY optional", "output_tokens_by BYTE_ARRAY optional",
		"planned_input_tokens INT32 optional", "planned_output_tokens INT32 optional",
		"chunk_delta_ns.list.element INT64 required", "chunk_tokens.list.element INT32 required", "experiment_id BYTE_ARRAY required",
	}
	sampleColumns = []string{
		"phase BYTE_ARRAY required", "edge BOOLEAN required", "source BYTE_ARRAY required", "gpu_uuid BYTE_ARRAY required", "gpu_index INT32 required",
		"monotonic_ns INT64 required", "window_ns INT64 optional", "utc_ns INT64 required", "read_took_ns INT64 required",
		"energy_mj INT64 optional", "energy_device_us INT64 optional", "power_instant_mw INT32 optional", "power_average_mw INT32 optional", "power_usage_mw INT32 optional",
		"temperature_c INT32 optional", "memory_used_bytes INT64 optional", "memory_total_bytes INT64 optional", "sm_utilisation_pct INT32 optional", "throttle_reasons INT64 optional",
		"throttled_sw_power_cap_ns INT64 optional", "throttled_thermal_ns INT64 optional", "throttled_sw_thermal_ns INT64 optional",
		"throttled_hw_thermal_ns INT64 optional", "throttled_hw_power_brake_ns INT64 optional", "experiment_id BYTE_ARRAY required",
	}
)

func TestRequestsAreReadBackByAnother(t *testing.T) {
	s := store(t)
	err := s.PutRequests(slices.Values([]RequestRow{
		{ID: 1, ScheduledNS: 5, SentNS: p[int64](6), FirstByteNS: p[int64](7), FirstTokenNS: p[int64](8), LastTokenNS: p[int64](9), EndNS: p[int64](10), InputTokens: p[int32](3), OutputTokens: p[int32](4), Status: "ok", HTTPStatus: 200, FinishReason: "length", PromptHash: "h", Model: p("m2"), CachedTokens: p[int32](2), InputTokensBy: p("server"), OutputTokensBy: p("chunks"), PlannedInputTokens: p[int32](5), PlannedOutputTokens: p[int32](6), ChunkDeltaNS: []int64{2, 1}, ChunkTokens: []int32{3, 1}, ExperimentID: "e1"},
		{ID: 2, Status: "timeout", Error: "no answer"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, rows := table(t, filepath.Join(s.Dir(), RequestsFile))
	want := [][]string{
		{"1", "5", "6", "7", "8", "9", "10", "3", "4", "(null)", "ok", "200", "", "length", "h", "(null)", "m2", "2", "server", "chunks", "5", "6", "[2,1]", "[3,1]", "e1"},
		{"2", "0", "(null)", "(null)", "(null)", "(null)", "(null)", "(null)", "(null)", "(null)", "timeout", "0", "no answer", "", "", "(null)", "(null)", "(null)", "(null)", "(null)", "(null)", "(null)", "[]", "[]", ""},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(requestColumns, columns(t, filepath.Join(s.Dir(), RequestsFile))); diff != "" {
		t.Errorf("columns, -want +got:\n%s", diff)
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
	if len(rows) != n || len(fields) != 25 {
		t.Fatalf("%d rows of %d columns", len(rows), len(fields))
	}
	column := func(name string) int {
		return slices.Index(fields, name)
	}
	last := rows[n-1]
	if last[column("monotonic_ns")] != fmt.Sprint(n-1) || last[column("energy_mj")] != fmt.Sprint(2*(n-1)) || last[column("power_instant_mw")] != "(null)" || last[column("phase")] != "window" {
		t.Errorf("the last row is %v", last)
	}
	if diff := cmp.Diff(sampleColumns, columns(t, filepath.Join(s.Dir(), SamplesFile))); diff != "" {
		t.Errorf("columns, -want +got:\n%s", diff)
	}
}

func TestFilesWithoutRowsHaveTheirColumns(t *testing.T) {
	s := store(t)
	if err := errors.Join(s.PutRequests(slices.Values([]RequestRow(nil))), s.PutSamples(func(func(SampleRow) bool) {})); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{RequestsFile: requestColumns, SamplesFile: sampleColumns} {
		path := filepath.Join(s.Dir(), name)
		if diff := cmp.Diff(want, columns(t, path)); diff != "" {
			t.Errorf("%s: columns, -want +got:\n%s", name, diff)
		}
		if _, rows := table(t, path); len(rows) != 0 {
			t.Errorf("%s has %d rows", name, len(rows))
		}
	}
}

func TestSamplesComeBackAsTheyWere(t *testing.T) {
	s := store(t)
	want := []SampleRow{
		{Phase: "window", Edge: true, Source: "nvml", GPUUUID: "GPU-1", GPUIndex: 1, MonotonicNS: 1, WindowNS: p(int64(-5)), UTCNS: 2, ReadTookNS: 3, EnergyMJ: p(int64(4)), PowerInstantMW: p(int32(5)), ThrottleReasons: p(int64(0))},
		{Phase: "baseline", Source: "nvml", GPUUUID: "GPU-1", GPUIndex: 1},
	}
	if err := s.PutSamples(slices.Values(want)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.Dir(), SamplesFile)
	got, err := ReadSamples(path)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSamples(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file cut off: %v", err)
	}
}

func TestATimeseriesOfTheUsersGoesWhereItWasAsked(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "series.parquet")
	rows := []TimeseriesRow{{TimestampS: 1, GPUIndex: 2}}
	if err := WriteTimeseries(path, rows); err != nil {
		t.Fatal(err)
	}
	if got := columns(t, path); !slices.Equal(got, eleven) {
		t.Errorf("columns %v", got)
	}
	// A link is followed and stays one, as /dev/stdout must.
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := WriteTimeseries(link, append(rows, rows...)); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Lstat(link); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", st, err)
	}
	if _, got := table(t, path); len(got) != 2 {
		t.Errorf("%d rows through a link", len(got))
	}
	if err := WriteTimeseries("/dev/full", rows); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "/dev/full") {
		t.Errorf("a full device: %v", err)
	}
	missing := filepath.Join(dir, "none", "x.parquet")
	if err := WriteTimeseries(missing, rows); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// Files of llems that wrote 0 for unknown tokens are read as they say.
func TestOlderRequestsAreRead(t *testing.T) {
	type older struct {
		ID              int64   `parquet:"id"`
		ScheduledNS     int64   `parquet:"scheduled_ns"`
		SentNS          *int64  `parquet:"sent_ns,optional"`
		FirstByteNS     *int64  `parquet:"first_byte_ns,optional"`
		FirstTokenNS    *int64  `parquet:"first_token_ns,optional"`
		LastTokenNS     *int64  `parquet:"last_token_ns,optional"`
		EndNS           *int64  `parquet:"end_ns,optional"`
		InputTokens     int32   `parquet:"input_tokens"`
		OutputTokens    int32   `parquet:"output_tokens"`
		ReasoningTokens int32   `parquet:"reasoning_tokens"`
		Status          string  `parquet:"status"`
		HTTPStatus      int32   `parquet:"http_status"`
		Error           string  `parquet:"error"`
		FinishReason    string  `parquet:"finish_reason"`
		PromptHash      string  `parquet:"prompt_hash"`
		ChunkDeltaNS    []int64 `parquet:"chunk_delta_ns,list"`
		ChunkTokens     []int32 `parquet:"chunk_tokens,list"`
	}
	path := filepath.Join(t.TempDir(), RequestsFile)
	err := parquet.WriteFile(path, []older{
		{ID: 1, SentNS: p[int64](6), EndNS: p[int64](10), OutputTokens: 4, Status: "ok", PromptHash: "h", ChunkDeltaNS: []int64{2, 1}, ChunkTokens: []int32{3, 1}},
		{ID: 2, Status: "timeout", Error: "no answer"},
	}, parquet.Compression(&parquet.Zstd))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := ReadRequests(path)
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	r := rows[0]
	if r.ID != 1 || *r.SentNS != 6 || *r.InputTokens != 0 || *r.OutputTokens != 4 || *r.ReasoningTokens != 0 || r.Status != "ok" || r.PromptHash != "h" || r.UsageRefused != nil || !slices.Equal(r.ChunkTokens, []int32{3, 1}) {
		t.Errorf("%+v", r)
	}
	if r = rows[1]; r.ID != 2 || r.SentNS != nil || *r.OutputTokens != 0 || r.Error != "no answer" || len(r.ChunkTokens) != 0 {
		t.Errorf("%+v", r)
	}
}
