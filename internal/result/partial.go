package result

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// before are the files that llem writes into the folder of a run or of a study
// before its record or its plan.
var before = []string{TimeseriesFile, RequestsFile, SamplesFile, ConfigFile, InputFile, LogFile, ResponsesFile, StudyFile, StudyInputFile}

// temporary says that a file's name is that of one of llem's that was being written:
// see replace.
func temporary(name string) bool {
	rest, ok := strings.CutPrefix(name, ".")
	if !ok {
		return false
	}
	known := func(of string) bool { return len(rest) > len(of) && strings.HasPrefix(rest, of) }
	return slices.ContainsFunc(before, known) || slices.ContainsFunc([]string{RecordFile, PlanFile, JournalFile, SummaryFile, SummaryTableFile}, known)
}

// Sweep removes the files of dir that were being written when llem was killed.
// Nothing may be written in dir meanwhile.
func Sweep(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var failed error
	for _, e := range list {
		if e.Type().IsRegular() && temporary(e.Name()) {
			failed = errors.Join(failed, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return failed
}

// Partial says that dir holds nothing but what llem writes before a run's record or
// a study's plan. An empty one is partial too.
func Partial(dir string) bool {
	list, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(list, func(e fs.DirEntry) bool {
		return !e.Type().IsRegular() || !slices.Contains(before, e.Name()) && !temporary(e.Name())
	})
}

// RemovePartial removes a folder that is [Partial], and nothing else.
func RemovePartial(dir string) error {
	if !Partial(dir) {
		return errors.New(dir + " holds files that are not llem's")
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return os.Remove(dir)
}
