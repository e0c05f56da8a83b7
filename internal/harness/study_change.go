package harness

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/llenergymeasure/llem/internal/result"
)

// slot is what a run is told by when its study changes.
type slot struct {
	hash  string
	cycle int
}

func slots(p *result.StudyPlan) map[slot]int {
	out := make(map[slot]int, len(p.Runs))
	for i, r := range p.Runs {
		out[slot{p.Points[r[1]-1].ConfigHash, r[0]}] = i + 1
	}
	return out
}

// Rebase gives the runs of a changed study the folders of the study that was begun:
// the same configuration in the same cycle keeps its folder; a run that is only in
// the old study is set aside with all that it measured. It writes no plan.
func Rebase(dir string, was, now *result.StudyPlan) error {
	old := slots(was)
	now.Folders = map[int]string{}
	taken := map[string]bool{}
	for s, run := range slots(now) {
		if before, ok := old[s]; ok {
			now.Folders[run] = was.Folder(before)
			taken[was.Folder(before)] = true
		}
	}
	for run := range was.Runs {
		if folder := was.Folder(run + 1); !taken[folder] {
			if err := setAside(dir, folder); err != nil {
				return err
			}
		}
	}
	for run := 1; run <= len(now.Runs); run++ {
		if _, kept := now.Folders[run]; kept {
			continue
		}
		name := now.Folder(run)
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", now.Folder(run), n)
		}
		taken[name], now.Folders[run] = true, name
	}
	for run, name := range now.Folders {
		if name == (&result.StudyPlan{Runs: now.Runs, Points: now.Points}).Folder(run) {
			delete(now.Folders, run)
		}
	}
	return nil
}

// setAside keeps a folder that holds something; there may be none.
func setAside(dir, folder string) error {
	path := filepath.Join(dir, folder)
	if _, err := os.Lstat(path); err != nil || os.Remove(path) == nil {
		return nil
	}
	return result.Supersede(dir, folder)
}
