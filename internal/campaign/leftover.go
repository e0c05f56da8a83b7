package campaign

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/result"
)

// What CleanRuns does about the folder of a killed run's result.
const (
	removedEmpty   = "removed its empty folder"
	removedPartial = "removed its folder, which has no record: llem was killed before the record was written"
	finished       = "finished its record, which was measured whole: llem was killed after the window"
	resumable      = "its study is kept; llem run --resume goes on with it"
)

// CleanRuns removes the locks of killed runs, and their results' folders where they
// hold no record. A record that was cut off after the window is finished. With dry it
// only says which. See [lease.CleanRuns].
func CleanRuns(dry, containersLeft bool) ([]lease.DeadRun, error) {
	return lease.CleanRuns(dry, containersLeft, leftover)
}

// leftover does what is to be done about the folder of a killed run or study.
func leftover(dir string, dry bool) (did string, err error) {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return "", nil // it was not made, or has gone
	}
	if _, err := os.Lstat(filepath.Join(dir, result.PlanFile)); err == nil {
		return resumable, sweepStudy(dir, dry)
	}
	if rec, _, err := result.Read(dir); err == nil {
		switch {
		case rec.State != result.Unfinished: // an altered one keeps the checksum that says so
			return "", nil
		case dry:
			return finished, nil
		}
		return finished, finish(dir, rec)
	}
	if !result.Partial(dir) {
		return "", nil // somebody else's files are in it, or a record that is damaged
	}
	did = removedPartial
	if isEmpty(dir) {
		did = removedEmpty
	}
	if dry {
		return did, nil
	}
	return did, result.RemovePartial(dir)
}

// sweepStudy removes what was being written in a study's folder, and its runs'
// folders that hold nothing.
func sweepStudy(dir string, dry bool) error {
	if dry {
		return nil
	}
	failed := result.Sweep(dir)
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if !e.IsDir() {
			continue
		}
		run := filepath.Join(dir, e.Name())
		failed = errors.Join(failed, result.Sweep(run))
		if isEmpty(run) {
			failed = errors.Join(failed, syscall.Rmdir(run))
		}
	}
	return failed
}

func isEmpty(dir string) bool {
	list, err := os.ReadDir(dir)
	return err == nil && len(list) == 0
}
