package result

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// exported are two runs that differ in three keys, and one that failed.
func exported() *Table {
	config := func(concurrency float64, more map[string]any) map[string]any {
		c := map[string]any{
			"name": "n", "model": "m", "engine": map[string]any{"args": map[string]any{}, "pull": "missing"}, "output": map[string]any{"dir": "out"},
			"workload": map[string]any{"load": map[string]any{"concurrency": concurrency}},
		}
		for k, v := range more {
			c[k] = v
		}
		return c
	}
	base := Record{
		ExperimentID: "1", Name: "a, \"b\"\nc", Status: Completed, StartedAt: time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.FixedZone("", 3600)),
		Environment:  Environment{GPUs: []GPU{{Name: "H100", UUID: "GPU-a", Driver: "550", PowerLimitW: p(700.0)}, {Name: "H100", UUID: "GPU-b", Driver: "550", PowerLimitW: p(700.0)}}},
		EnergyTotalJ: p(1234.5), EnergyPerOutputToken: p(0.1), Energy: Energy{Valid: true, Scope: "gpu", URepeatabilityJ: p(1.5)},
		Tokens: Tokens{Input: p[int64](10), Output: p[int64](12345)}, Latency: Latency{TTFT: &Summary{P50: 1, P99: 2}},
		MeasurementWarnings: []string{"single_run: one; more", "quick_mode: x"}, Config: config(1, nil),
	}
	other := base
	other.ExperimentID, other.Config = "2", config(8, map[string]any{"gpus": []any{0.0, 1.0}, "seed": true})
	other.Environment.GPUs = []GPU{{Name: "H100", PowerLimitW: p(700.0)}, {Name: "H100", PowerLimitW: p(300.0)}}
	failed := Record{ExperimentID: "3", Status: Failed, Error: "died", Config: config(8, map[string]any{"name": "x", "seed": 7.0, "engine": map[string]any{"args": map[string]any{}, "pull": "always", "container": map[string]any{"mounts": []any{}, "user": ""}}, "output": map[string]any{"dir": "y"}})}
	return NewTable([]*Record{&base, &other, &failed}, []string{"r/1", "r/2", "r/3"})
}

// written is what a format writes, and the file that it is in.
func written(t *testing.T, write func(io.Writer) error) (string, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table")
	if err := WriteTo(path, write); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), path
}

// some are columns of a table by name, with another's word for unknown.
var some = map[string][]string{
	"result":                           {"r/1", "r/2", "r/3"},
	"name":                             {"a, \"b\"\nc", "a, \"b\"\nc", ""},
	"status":                           {"completed", "completed", "failed"},
	"error":                            {"", "", "died"},
	"gpus":                             {"2", "2", "0"},
	"gpu_names":                        {"H100, H100", "H100, H100", ""},
	"gpu_power_limit_w":                {"700", "?", "?"},
	"energy_total_j":                   {"1234.5", "1234.5", "?"},
	"u_repeatability_j":                {"1.5", "1.5", "?"},
	"energy_valid":                     {"true", "true", "false"},
	"output_tokens":                    {"12345", "12345", "?"},
	"ttft_p99_ms":                      {"2", "2", "?"},
	"tpot_p50_ms":                      {"?", "?", "?"},
	"warnings":                         {"single_run, quick_mode", "single_run, quick_mode", ""},
	"config.gpus":                      {"?", "[0,1]", "?"},
	"config.seed":                      {"?", "true", "7"},
	"config.workload.load.concurrency": {"1", "8", "8"},
}

// check compares columns with some; unknown is the format's word.
func check(t *testing.T, got map[string][]string, unknown string) {
	t.Helper()
	for name, want := range some {
		want = slices.Clone(want)
		for i := range want {
			want[i] = strings.ReplaceAll(want[i], "?", unknown)
		}
		if !slices.Equal(got[name], want) {
			t.Errorf("column %s: %q, want %q", name, got[name], want)
		}
	}
	for name := range got {
		if strings.HasPrefix(name, "config.") && some[name] == nil {
			t.Errorf("column %s of a key that does not differ, or that only names", name)
		}
	}
}

func TestCSVHasARowForEachResult(t *testing.T) {
	text, _ := written(t, exported().CSV)
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, line := range lines[1:] {
		for i, v := range line {
			got[lines[0][i]] = append(got[lines[0][i]], v)
		}
	}
	check(t, got, "")
	if at := got["started_at"][0]; at != "2026-01-02T02:04:05.678901234Z" {
		t.Errorf("started_at %s", at)
	}
}

func TestJSONLinesHoldTheColumnsInOrder(t *testing.T) {
	table := exported()
	text, _ := written(t, table.JSONL)
	got := map[string][]string{}
	for line := range strings.Lines(text) {
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		var row map[string]any
		if err := d.Decode(&row); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		at := 0
		for _, name := range table.columns {
			text := "null"
			if v := row[name]; v != nil {
				text = cell(reflect.ValueOf(v))
			}
			got[name] = append(got[name], text)
			next := strings.Index(line[at:], `"`+name+`":`)
			if next < 0 {
				t.Fatalf("%s is not in its place in %s", name, line)
			}
			at += next
		}
	}
	check(t, got, "null")
}

func TestParquetIsReadBackByAnother(t *testing.T) {
	tab := exported()
	_, path := written(t, tab.Parquet)
	fields, rows := table(t, path)
	if diff := cmp.Diff(tab.columns, fields); diff != "" {
		t.Errorf("columns, -want +got:\n%s", diff)
	}
	got := map[string][]string{}
	for _, row := range rows {
		for i, v := range row {
			got[fields[i]] = append(got[fields[i]], v)
		}
	}
	check(t, got, "(null)")
	for _, want := range []string{"started_at INT64 required", "energy_total_j DOUBLE optional", "config.gpus BYTE_ARRAY optional", "config.workload.load.concurrency DOUBLE optional"} {
		if !slices.Contains(columns(t, path), want) {
			t.Errorf("no column %s", want)
		}
	}
}

func TestATableOfOneResultHasNoConfiguration(t *testing.T) {
	r := Record{Config: map[string]any{"seed": 1.0}}
	var b bytes.Buffer
	if err := NewTable([]*Record{&r}, []string{"d"}).CSV(&b); err != nil || strings.Contains(b.String(), "config.") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestAKeyWithACommaStaysOneColumn(t *testing.T) {
	of := func(v float64) *Record {
		return &Record{Config: map[string]any{"engine": map[string]any{"args": map[string]any{`a,"b`: v}}}}
	}
	_, path := written(t, NewTable([]*Record{of(1), of(2)}, []string{"d", "e"}).Parquet)
	if fields, _ := table(t, path); !slices.Contains(fields, `config.engine.args.a%2C"b`) {
		t.Errorf("columns %q", fields)
	}
}
