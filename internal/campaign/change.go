package campaign

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
)

// slot is by what a run is recognised when its study changes.
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

// rebase gives the runs of a changed study the folders of the study that was begun:
// the same configuration in the same cycle keeps its folder, or gets back the one
// that an earlier change set aside; a run that is only in the old study is set aside
// with all that it measured. Folders of new runs are numbered on from the highest.
// It writes no plan.
func rebase(dir string, was, now *result.StudyPlan) error {
	old := slots(was)
	folders := map[int]string{}
	taken := map[string]bool{}
	for s, run := range slots(now) {
		if before, ok := old[s]; ok {
			folders[run] = was.Folder(before)
			taken[was.Folder(before)] = true
		}
	}
	highest := max(highestIn(dir), highestIn(filepath.Join(dir, result.SupersededDir)))
	aside, err := setAsideRuns(dir, now.ID, taken)
	if err != nil {
		return err
	}
	for run := range was.Runs { // from here on folders are moved
		folder := was.Folder(run + 1)
		highest = max(highest, numberOf(folder))
		if taken[folder] {
			continue
		}
		if err := setAside(dir, folder); err != nil {
			return err
		}
	}
	for s, run := range slots(now) {
		path, ok := aside[s]
		if folders[run] != "" || !ok {
			continue
		}
		if folders[run], err = result.Recall(dir, path, taken); err != nil {
			return err
		}
		taken[folders[run]] = true
	}
	for run := 1; run <= len(now.Runs); run++ {
		if folders[run] == "" {
			highest++
			folders[run] = now.FolderAt(highest, run)
		}
	}
	now.Folders = folders
	return nil
}

// highestIn is the highest number of a folder that there is or was: those of a change
// before are set aside, and come back under their own.
func highestIn(dir string) (n int) {
	list, _ := os.ReadDir(dir) // it may not be there
	for _, f := range list {
		n = max(n, numberOf(f.Name()))
	}
	return n
}

// numberOf is the number that a run's folder begins with.
func numberOf(folder string) int {
	text, _, _ := strings.Cut(folder, "_")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// setAsideRuns are the folders of whole, completed runs of the study id that none of
// its runs has now, by what they measured: the newest of each.
func setAsideRuns(dir, id string, taken map[string]bool) (map[slot]string, error) {
	out, newest := map[slot]string{}, map[slot]time.Time{}
	for _, in := range []string{".", result.SupersededDir} {
		list, err := os.ReadDir(filepath.Join(dir, in))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, f := range list {
			folder := filepath.Join(in, f.Name())
			if taken[folder] || !f.IsDir() {
				continue
			}
			r, _, err := result.Read(filepath.Join(dir, folder))
			if err != nil || r.Status != result.Completed || r.Study == nil || r.Study.ID != id {
				continue
			}
			if _, whole := result.CheckRecord(filepath.Join(dir, folder)); !whole {
				continue
			}
			if s := (slot{r.ConfigHash, r.Study.Cycle}); r.StartedAt.After(newest[s]) {
				out[s], newest[s] = folder, r.StartedAt
			}
		}
	}
	return out, nil
}

// setAside keeps a folder that holds something; there may be none.
func setAside(dir, folder string) error {
	path := filepath.Join(dir, folder)
	if _, err := os.Lstat(path); err != nil {
		return nil
	}
	if err := result.Sweep(path); err != nil {
		return err
	}
	if os.Remove(path) == nil {
		return nil
	}
	return result.Supersede(dir, folder)
}
