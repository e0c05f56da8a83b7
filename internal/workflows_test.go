package internal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var (
	uses    = regexp.MustCompile(`(?m)^\s*(?:- )?uses:\s*(\S+)`)
	pinned  = regexp.MustCompile(`^[\w-]+/[\w./-]+@[0-9a-f]{40}$`)
	ignored = regexp.MustCompile(`(?m)^\s*continue-on-error:\s*true`)
)

// A tag can be moved to other code; a hash cannot. A check whose failure is ignored is
// a check that can be skipped unseen.
func TestWorkflowsPinTheirActionsAndIgnoreNoFailure(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all := uses.FindAllSubmatch(text, -1)
		if len(all) == 0 {
			t.Errorf("%s uses no action: does this test still read it?", file)
		}
		for _, m := range all {
			if !pinned.Match(m[1]) {
				t.Errorf("%s: %s is not pinned by the hash of a commit", file, m[1])
			}
		}
		if ignored.Match(text) {
			t.Errorf("%s ignores a failure", file)
		}
	}
}
