package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// forgery is a copy of a sound result that someone changes, and who makes every
// checksum right again.
type forgery struct {
	t    *testing.T
	dir  string
	text string         // of the record
	r    map[string]any // of it, with its numbers as they are written
}

// forge copies the result in from.
func forge(t *testing.T, from string) *forgery {
	t.Helper()
	f := &forgery{t: t, dir: filepath.Join(t.TempDir(), "result")}
	if err := os.CopyFS(f.dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	f.read()
	return f
}

func (f *forgery) read() {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.dir, result.RecordFile))
	if err == nil {
		f.text = string(data)
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		err = d.Decode(&f.r)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// at finds the object or the list that holds the value at a path, and its key.
func (f *forgery) at(path string) (holder any, key string) {
	f.t.Helper()
	var at any = f.r
	for path != "" {
		step, rest := next(at, path)
		if rest == "" {
			return at, step
		}
		switch v := at.(type) {
		case map[string]any:
			at = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				f.t.Fatalf("the record has no %s", path)
			}
			at = v[i]
		default:
			f.t.Fatalf("the record has no %s", path)
		}
		path = rest
	}
	return nil, ""
}

// next is the first step of a path; a key of a map may hold dots.
func next(at any, path string) (step, rest string) {
	if m, ok := at.(map[string]any); ok {
		for key := range m {
			if after, ok := strings.CutPrefix(path, key); ok && (after == "" || after[0] == '.' || after[0] == '[') && len(key) > len(step) {
				step, rest = key, strings.TrimPrefix(after, ".")
			}
		}
		if step != "" {
			return step, rest
		}
	}
	if after, ok := strings.CutPrefix(path, "["); ok {
		step, rest, _ = strings.Cut(after, "]")
		return step, strings.TrimPrefix(rest, ".")
	}
	step, rest, _ = strings.Cut(path, ".")
	return step, rest
}

func (f *forgery) get(path string) any {
	f.t.Helper()
	switch holder, key := f.at(path); v := holder.(type) {
	case map[string]any:
		got, ok := v[key]
		if !ok {
			f.t.Fatalf("the record has no %s", path)
		}
		return got
	case []any:
		i, _ := strconv.Atoi(key)
		return v[i]
	}
	f.t.Fatalf("the record has no %s", path)
	return nil
}

func (f *forgery) set(path string, value any) {
	f.t.Helper()
	switch holder, key := f.at(path); v := holder.(type) {
	case map[string]any:
		v[key] = value
	case []any:
		i, _ := strconv.Atoi(key)
		v[i] = value
	default:
		f.t.Fatalf("the record has no %s", path)
	}
}

func (f *forgery) number(path string) float64 {
	f.t.Helper()
	n, ok := f.get(path).(json.Number)
	if !ok {
		f.t.Fatalf("%s is %v, and no number", path, f.get(path))
	}
	v, err := n.Float64()
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

// times multiplies numbers.
func (f *forgery) times(by float64, paths ...string) {
	f.t.Helper()
	for _, path := range paths {
		f.set(path, f.number(path)*by)
	}
}

// sums makes the checksums of the files right.
func (f *forgery) sums() {
	f.t.Helper()
	for _, e := range f.r["files"].([]any) {
		file := e.(map[string]any)
		data, err := os.ReadFile(filepath.Join(f.dir, file["name"].(string)))
		if err != nil {
			continue // it was taken away
		}
		sum := sha256.Sum256(data)
		file["bytes"], file["sha256"] = len(data), hex.EncodeToString(sum[:])
	}
}

// seal writes the record with the checksum that is right for it.
func (f *forgery) seal() {
	f.t.Helper()
	f.r["record_sha256"] = ""
	canonical, err := json.Marshal(f.r)
	if err != nil {
		f.t.Fatal(err)
	}
	sum := sha256.Sum256(canonical)
	f.r["record_sha256"] = hex.EncodeToString(sum[:])
	f.encode()
}

// encode writes the record as it is.
func (f *forgery) encode() {
	f.t.Helper()
	text, err := json.MarshalIndent(f.r, "", "  ")
	if err != nil {
		f.t.Fatal(err)
	}
	f.write(string(text))
}

func (f *forgery) write(text string) {
	f.t.Helper()
	f.text = text
	if err := os.WriteFile(filepath.Join(f.dir, result.RecordFile), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// requests changes the rows of requests.parquet.
func (f *forgery) requests(do func([]result.RequestRow)) {
	f.t.Helper()
	rows, err := result.ReadRequests(filepath.Join(f.dir, result.RequestsFile))
	if err == nil {
		do(rows)
		err = result.Open(f.dir).PutRequests(slices.Values(rows))
	}
	if err != nil {
		f.t.Fatal(err)
	}
	f.sums()
}

// samples changes the rows of samples.parquet.
func (f *forgery) samples(do func([]result.SampleRow)) {
	f.t.Helper()
	rows, err := result.ReadSamples(filepath.Join(f.dir, result.SamplesFile))
	if err == nil {
		do(rows)
		err = result.Open(f.dir).PutSamples(slices.Values(rows))
	}
	if err != nil {
		f.t.Fatal(err)
	}
	f.sums()
}

// leaves are the values of the record that are no object and no list, by their path.
func leavesOf(v any, path string, out map[string]any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			leavesOf(inner, strings.TrimPrefix(path+"."+key, "."), out)
		}
	case []any:
		for i, inner := range v {
			leavesOf(inner, fmt.Sprintf("%s[%d]", path, i), out)
		}
	default:
		out[path] = v
	}
	return out
}

// otherwise is a value of the same kind that is not v; nil of what is unknown.
func otherwise(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return 2*n + 1
		}
		f, _ := v.Float64()
		return 2*f + 1
	case bool:
		return !v
	case string:
		if regexp.MustCompile(`^\d{4}-\d\d-\d\dT`).MatchString(v) {
			return strings.Replace(v, v[:4], "2031", 1)
		}
		return v + "x"
	}
	return nil
}
