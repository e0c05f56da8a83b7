package harness

import (
	"log/slog"
	"os"
	"testing"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/record"
	"github.com/llenergymeasure/llem/internal/result"
)

// Where neither the output folder nor one under the temporary one can be had, what comes
// after, such as the engine's log, still has a place to fail at.
func TestAResultThatNoFolderTakesLeavesItsStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/out"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &saver{store: result.Open(dir), log: slog.New(slog.DiscardHandler)}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	seen := record.Observation{}
	seen.Job.Experiment.Name = "no\x00name"
	if err := s.save(&result.Record{}, seen); launch.KindOf(err) != launch.HostFault {
		t.Error(err)
	}
	if s.store == nil || s.store.Dir() != dir {
		t.Errorf("the store is %v", s.store)
	}
}
