package campaign

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
	"pgregory.net/rapid"
)

// changing is a study's plan of one cycle over points that are recognised by their hashes:
// NAME, or NAME=HASH.
func changing(points ...string) *result.StudyPlan {
	p := &result.StudyPlan{ID: "the study"}
	for i, name := range points {
		name, hash, ok := strings.Cut(name, "=")
		if !ok {
			hash = name
		}
		p.Points = append(p.Points, result.StudyPoint{Name: name, ConfigHash: "sha256:" + hash})
		p.Runs = append(p.Runs, [2]int{1, i + 1})
	}
	return p
}

// measured writes a whole record of every run of p that has none.
func measured(t *testing.T, dir string, p *result.StudyPlan, status string) {
	t.Helper()
	for run, r := range p.Runs {
		path := filepath.Join(dir, p.Folder(run+1))
		if err := os.Mkdir(path, 0o755); err != nil {
			continue // as it was
		}
		rec := &result.Record{
			SchemaVersion: result.SchemaVersion, Status: status, StartedAt: time.Now(), ConfigHash: p.Points[r[1]-1].ConfigHash, ExperimentID: path,
			Study: &result.StudyRun{ID: p.ID, Cycle: r[0]},
		}
		if err := result.Open(path).PutRecord(rec); err != nil {
			t.Fatal(err)
		}
	}
}

// where lists the folders of runs, and those that were set aside.
func where(t *testing.T, dir string) (here, aside []string) {
	t.Helper()
	for _, f := range []struct {
		in   string
		list *[]string
	}{{dir, &here}, {filepath.Join(dir, result.SupersededDir), &aside}} {
		files, _ := os.ReadDir(f.in)
		for _, d := range files {
			if d.Name() != result.SupersededDir {
				*f.list = append(*f.list, d.Name())
			}
		}
	}
	return here, aside
}

// A change that is undone brings back what it set aside, and no two folders share a
// number.
func TestAChangeOfAStudyThatIsUndone(t *testing.T) {
	dir := t.TempDir()
	first := changing("a", "b")
	measured(t, dir, first, result.Completed)
	step := func(was, now *result.StudyPlan, status string, wantHere, wantAside []string) {
		t.Helper()
		if err := rebase(dir, was, now); err != nil {
			t.Fatal(err)
		}
		measured(t, dir, now, status)
		if here, aside := where(t, dir); !slices.Equal(here, wantHere) || !slices.Equal(aside, wantAside) {
			t.Fatalf("the study has %q and set %q aside, want %q and %q", here, aside, wantHere, wantAside)
		}
	}
	second := changing("c", "b")
	step(first, second, result.Failed, []string{"002_c1_b", "003_c1_c"}, []string{"001_c1_a_1"})
	third := changing("a", "b")
	step(second, third, result.Completed, []string{"001_c1_a", "002_c1_b"}, []string{"003_c1_c_1"})
	if got := third.Folder(1); got != "001_c1_a" {
		t.Errorf("run 1 is in %s", got)
	}
	// A run that failed is no measurement to bring back.
	fourth := changing("b", "c")
	step(third, fourth, result.Completed, []string{"002_c1_b", "004_c1_c"}, []string{"001_c1_a_1", "003_c1_c_1"})
	// Killed before the plan was written, the same change finds what it brought back.
	fifth := changing("a", "c")
	if err := rebase(dir, fourth, fifth); err != nil {
		t.Fatal(err)
	}
	again := changing("a", "c")
	step(fourth, again, result.Completed, []string{"001_c1_a", "004_c1_c"}, []string{"002_c1_b_1", "003_c1_c_1"})
}

// Points keep their names while what they are changes: no two runs ever have one
// folder, however often and whenever the study is stopped between.
func TestFoldersOfChangesAreTheirOwn(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "study")
		if err != nil {
			r.Fatal(err)
		}
		points := rapid.Custom(func(r *rapid.T) []string {
			var out []string
			hashes := rapid.SliceOfNDistinct(rapid.IntRange(1, 4), 1, 3, rapid.ID).Draw(r, "hashes")
			for i, h := range hashes {
				out = append(out, fmt.Sprintf("%c=%d", 'p'+rune(i), h))
			}
			return out
		})
		was := changing(points.Draw(r, "begun")...)
		measured(t, dir, was, result.Completed)
		for range rapid.IntRange(1, 6).Draw(r, "changes") {
			now := changing(points.Draw(r, "changed")...)
			if err := rebase(dir, was, now); err != nil {
				r.Fatal(err)
			}
			seen := map[string]bool{}
			for run := range now.Runs {
				folder := now.Folder(run + 1)
				if seen[folder] {
					r.Fatalf("two runs are in %s", folder)
				}
				seen[folder] = true
				rec, _, err := result.Read(filepath.Join(dir, folder))
				if err == nil && rec.ConfigHash != now.Points[run].ConfigHash {
					r.Fatalf("%s holds %s, and is to hold %s", folder, rec.ConfigHash, now.Points[run].ConfigHash)
				}
			}
			if rapid.Bool().Draw(r, "run") {
				measured(t, dir, now, result.Completed)
			}
			was = now
		}
	})
}
