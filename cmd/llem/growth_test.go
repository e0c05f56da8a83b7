package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// BenchmarkGrowth reads so many results with each command that reads many. What a
// result takes, ns/result, is the same for any number of them.
func BenchmarkGrowth(b *testing.B) {
	const most = 10_000
	dir := b.TempDir()
	if err := manyResults(dir, most); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"show", []string{"show"}}, {"compare", []string{"compare"}}, {"verify", []string{"verify"}},
		{"export", []string{"export", "--parquet", filepath.Join(b.TempDir(), "all.parquet")}},
	} {
		for _, n := range []int{100, 1000, most} {
			args := c.args
			for i := range n {
				args = append(args, filepath.Join(dir, fmt.Sprint(i)))
			}
			b.Run(fmt.Sprintf("%s/results=%d", c.name, n), func(b *testing.B) {
				for b.Loop() {
					// verify finds that nothing was measured; it has read all the same.
					if code := execute(args, io.Discard, io.Discard); code != exitDone && code != exitFailed {
						b.Fatalf("exit %d", code)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/result")
			})
		}
	}
}

// manyResults writes n whole results of three repeats a configuration, each with
// requests and samples.
func manyResults(dir string, n int) error {
	stamp := func(ms int) *int64 { v := int64(ms) * 1e6; return &v }
	in, out := int32(3), int32(2)
	row := result.RequestRow{
		SentNS: stamp(0), FirstByteNS: stamp(10), FirstTokenNS: stamp(10), LastTokenNS: stamp(20), EndNS: stamp(25), InputTokens: &in, OutputTokens: &out,
		Status: "ok", FinishReason: "length", ChunkDeltaNS: []int64{10e6, 10e6}, ChunkTokens: []int32{1, 1},
	}
	if err := os.MkdirAll(filepath.Join(dir, "files"), 0o755); err != nil {
		return err
	}
	files := result.Open(filepath.Join(dir, "files"))
	err := errors.Join(files.PutRequests(slices.Values([]result.RequestRow{row, row})), files.PutFile(result.ConfigFile, []byte("model: m\n")))
	list, lerr := result.Files(files.Dir())
	if err := errors.Join(err, lerr); err != nil {
		return err
	}
	for i := range n {
		per, window := 1+float64(i%97)/1000, 20.0
		r := &result.Record{
			SchemaVersion: result.SchemaVersion, ExperimentID: fmt.Sprint(i), Name: fmt.Sprint("p", i/3), ConfigHash: fmt.Sprint(i / 3), Status: result.Completed,
			WindowSeconds: &window, EnergyPerOutputToken: &per, Energy: result.Energy{Valid: true, Scope: "gpu"}, RequestsFile: result.RequestsFile, Files: list,
			Config: map[string]any{"model": "m", "seed": i / 3, "workload": map[string]any{"load": map[string]any{"concurrency": i / 3}}},
		}
		r.EnergyTotalJ = &window
		data, err := r.Encode()
		to := filepath.Join(dir, fmt.Sprint(i))
		if err := errors.Join(err, os.Mkdir(to, 0o755), os.WriteFile(filepath.Join(to, result.RecordFile), data, 0o644)); err != nil {
			return err
		}
		for _, f := range list {
			if err := os.Link(filepath.Join(files.Dir(), f.Name), filepath.Join(to, f.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}
