package result

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// aRequest and aSample are sound rows, changed by do.
func aRequest(do func(*RequestRow)) RequestRow {
	r := RequestRow{
		ScheduledNS: 1, SentNS: p(int64(2)), FirstByteNS: p(int64(3)), FirstTokenNS: p(int64(3)), LastTokenNS: p(int64(9)), EndNS: p(int64(9)),
		InputTokens: p(int32(4)), OutputTokens: p(int32(2)), Status: "ok", PromptHash: "ab", ChunkDeltaNS: []int64{1, 6}, ChunkTokens: []int32{1, 1},
	}
	do(&r)
	return r
}

func aSample(do func(*SampleRow)) SampleRow {
	s := SampleRow{Phase: "window", Source: "nvml", GPUUUID: "GPU-1", MonotonicNS: 10, UTCNS: 11, ReadTookNS: 1, EnergyMJ: p(int64(4)), PowerInstantMW: p(int32(5))}
	do(&s)
	return s
}

// Whole files of rows that no run leaves: each names what it found.
func TestRowsThatCannotBeAreErrorsOfTheirFile(t *testing.T) {
	for name, c := range map[string]struct {
		rows []RequestRow
		want string
	}{
		"sent before t0":             {[]RequestRow{aRequest(func(r *RequestRow) { r.SentNS = p(int64(-7)) })}, "row 1: sent_ns is -7"},
		"ended in 200 years":         {[]RequestRow{aRequest(func(*RequestRow) {}), aRequest(func(r *RequestRow) { r.EndNS = p(int64(200) * 365 * 24 * 3600e9) })}, "row 2: end_ns is"},
		"ended before it was sent":   {[]RequestRow{aRequest(func(r *RequestRow) { r.EndNS = p(int64(1)) })}, "before it was sent"},
		"a chunk 2^62 ns later":      {[]RequestRow{aRequest(func(r *RequestRow) { r.ChunkDeltaNS[1] = 1 << 62 })}, "chunk 2 came"},
		"stamps without tokens":      {[]RequestRow{aRequest(func(r *RequestRow) { r.ChunkTokens = r.ChunkTokens[:1] })}, "stamps of 2 chunks and tokens of 1"},
		"2^31 tokens in a chunk":     {[]RequestRow{aRequest(func(r *RequestRow) { r.ChunkTokens[0] = math.MaxInt32 })}, "chunk 1 has 2147483647 tokens"},
		"-1 token in a chunk":        {[]RequestRow{aRequest(func(r *RequestRow) { r.ChunkTokens[1] = -1 })}, "chunk 2 has -1 tokens"},
		"-3 tokens in a prompt":      {[]RequestRow{aRequest(func(r *RequestRow) { r.InputTokens = p(int32(-3)) })}, "tokens below 0"},
		"answered and never sent":    {[]RequestRow{aRequest(func(r *RequestRow) { r.SentNS = nil })}, "never sent"},
		"the request with number -1": {[]RequestRow{aRequest(func(r *RequestRow) { r.ID = -1 })}, "id is -1"},
	} {
		s := store(t)
		if err := s.PutRequests(slices.Values(c.rows)); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadRequests(filepath.Join(s.Dir(), RequestsFile)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		rows []SampleRow
		want string
	}{
		"not in the order of time":   {[]SampleRow{aSample(func(*SampleRow) {}), aSample(func(s *SampleRow) { s.MonotonicNS = 9 })}, "row 2: it was taken at 9 ns, before"},
		"before the run's epoch":     {[]SampleRow{aSample(func(s *SampleRow) { s.MonotonicNS = -1 })}, "row 1: it was taken at -1 ns"},
		"a counter below 0":          {[]SampleRow{aSample(func(s *SampleRow) { s.EnergyMJ = p(int64(-4)) })}, "energy_mj is -4"},
		"2 MW of one GPU":            {[]SampleRow{aSample(func(s *SampleRow) { s.PowerUsageMW = p(int32(2e9)) })}, "power cannot be"},
		"GPU -2":                     {[]SampleRow{aSample(func(s *SampleRow) { s.GPUIndex = -2 })}, "gpu_index is -2"},
		"a read that took 200 years": {[]SampleRow{aSample(func(s *SampleRow) { s.ReadTookNS = math.MaxInt64 })}, "took"},
	} {
		s := store(t)
		if err := s.PutSamples(slices.Values(c.rows)); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSamples(filepath.Join(s.Dir(), SamplesFile)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

// Columns of another name or type would be read as 0.
func TestAFileOfOtherColumnsIsAnError(t *testing.T) {
	type noEnd struct {
		ID int64 `parquet:"id"`
	}
	type textID struct {
		ID string `parquet:"id"`
	}
	for name, write := range map[string]func(path string) error{
		"only an id":  func(path string) error { return parquet.WriteFile(path, []noEnd{{1}}) },
		"a text's id": func(path string) error { return parquet.WriteFile(path, []textID{{"1"}}) },
		"a time series": func(path string) error {
			return WriteTimeseries(path, []TimeseriesRow{{TimestampS: 1}})
		},
	} {
		path := filepath.Join(t.TempDir(), RequestsFile)
		if err := write(path); err != nil {
			t.Fatal(err)
		}
		if rows, err := ReadRequests(path); err == nil || !strings.Contains(err.Error(), "column") {
			t.Errorf("%s: %d rows, %v", name, len(rows), err)
		}
	}
}

// A run's files are files in its own folder, of their one name.
func TestAFileOfARunIsInItsOwnFolder(t *testing.T) {
	elsewhere := store(t)
	if err := elsewhere.PutRequests(slices.Values([]RequestRow{aRequest(func(*RequestRow) {})})); err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(elsewhere.Dir(), RequestsFile)
	for name, c := range map[string]struct {
		record Record
		put    func(path string) error
		want   string
	}{
		"a path":         {Record{RequestsFile: "../victim/" + RequestsFile}, func(string) error { return nil }, "names"},
		"absolute":       {Record{RequestsFile: victim}, func(string) error { return nil }, "names"},
		"another name":   {Record{RequestsFile: SamplesFile}, func(string) error { return nil }, "names"},
		"a link":         {Record{RequestsFile: RequestsFile}, func(path string) error { return os.Symlink(victim, path) }, "is a link"},
		"a pipe":         {Record{RequestsFile: RequestsFile}, func(path string) error { return syscall.Mkfifo(path, 0o644) }, "not a file"},
		"a folder":       {Record{RequestsFile: RequestsFile}, func(path string) error { return os.Mkdir(path, 0o755) }, "not a file"},
		"none":           {Record{RequestsFile: RequestsFile}, func(string) error { return nil }, "no such file"},
		"not listed":     {Record{RequestsFile: RequestsFile, Files: []File{{Name: ConfigFile}}}, func(string) error { return nil }, "not among"},
		"of another sum": {Record{RequestsFile: RequestsFile, Files: []File{{Name: RequestsFile, Bytes: 1}}}, func(path string) error { return os.WriteFile(path, []byte("x"), 0o644) }, "not the file that was written"},
	} {
		dir := t.TempDir()
		if err := c.put(filepath.Join(dir, RequestsFile)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.record.ReadRequests(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	for _, name := range []string{"../" + filepath.Base(elsewhere.Dir()) + "/" + RequestsFile, victim, "..", ""} {
		if diff := (File{Name: name}).Check(elsewhere.Dir()); !strings.Contains(diff, "own folder") {
			t.Errorf("checksum of %q: %q", name, diff)
		}
	}
}

// Flipped bits, cuts, and blocks that were swapped or written twice, of a file that no
// checksum covers: an error or sound rows, and no more memory than the file warrants.
func TestDamagedParquetIsAnErrorOfItsFile(t *testing.T) {
	s := store(t)
	var requests []RequestRow
	var samples []SampleRow
	for i := range 300 {
		requests = append(requests, aRequest(func(r *RequestRow) { r.ID, r.Error = int64(i), strings.Repeat("e", i%7) }))
		samples = append(samples, aSample(func(s *SampleRow) { s.MonotonicNS += int64(i) }))
	}
	if err := errors.Join(s.PutRequests(slices.Values(requests)), s.PutSamples(slices.Values(samples))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "damaged")
	for name, read := range map[string]func(path string) (any, error){
		RequestsFile: func(path string) (any, error) { return ReadRequests(path) },
		SamplesFile:  func(path string) (any, error) { return ReadSamples(path) },
	} {
		random := rand.New(rand.NewPCG(1, 2))
		sound, err := os.ReadFile(filepath.Join(s.Dir(), name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := read(filepath.Join(s.Dir(), name))
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tries := 400
		if text := os.Getenv("LLEM_DAMAGE"); text != "" { // make damage
			if tries, err = strconv.Atoi(text); err != nil {
				t.Fatal(err)
			}
		}
		refused := 0
		for range tries {
			if err := os.WriteFile(path, damaged(random, sound), 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := read(path)
			if err != nil {
				refused++
			} else if !reflect.DeepEqual(got, want) { // it was no part of the rows
				t.Errorf("%s: rows are read as others, without an error", name)
			}
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / uint64(tries); each > 8<<20 {
			t.Errorf("%s: %d bytes were taken for each read", name, each)
		}
		t.Logf("%s: %d damaged files, %d were refused, the others were read as they were written", name, tries, refused)
		if refused < tries/2 {
			t.Errorf("%s: %d of %d damaged files were refused", name, refused, tries)
		}
	}
}

// damaged is data with one thing wrong.
func damaged(random *rand.Rand, data []byte) []byte {
	out := bytes.Clone(data)
	at, n := random.IntN(len(out)), 1+random.IntN(64)
	end := min(at+n, len(out))
	switch random.IntN(5) {
	case 0:
		return out[:at]
	case 1:
		return slices.Concat(out[:at], out[end:])
	case 2:
		return slices.Concat(out[:end], out[at:])
	case 3:
		for i := at; i < end; i++ {
			out[i] = byte(random.IntN(256))
		}
	default:
		out[at] ^= 1 << random.IntN(8)
	}
	return out
}
