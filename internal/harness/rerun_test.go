package harness

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

func TestARunThatIsDoneAgainHasItsModelsCommit(t *testing.T) {
	t.Parallel()
	commit := strings.Repeat("a", 40)
	from := &result.Record{Model: result.Model{ID: "org/m", Revision: &commit}, Config: map[string]any{"revision": "main"}}
	for name, c := range map[string]struct {
		from            *result.Record
		model, revision string
		want            string
	}{
		"the same":                {from, "org/m", "main", commit},
		"another revision, asked": {from, "org/m", "v2", "v2"},
		"another model, asked":    {from, "org/n", "main", "main"},
		"a run of its own":        {nil, "org/m", "main", "main"},
	} {
		got := cmp.Or(pinsOf(c.from, study.Experiment{Model: c.model, Revision: c.revision}).Revision, c.revision)
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestReplacedFilesOfALocalModelDiffer(t *testing.T) {
	t.Parallel()
	now, then := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	for name, c := range map[string]struct {
		was  *string
		want bool
	}{"replaced": {&then, true}, "the same": {&now, false}, "of a record that did not keep it": {nil, false}} {
		list := differences(&result.Record{Model: result.Model{Fingerprint: c.was}}, &result.Record{Model: result.Model{Fingerprint: &now}}, "Docker")
		if got := slices.Contains(list, "model files (fingerprint): then 222222222222, now 111111111111"); got != c.want {
			t.Errorf("%s: %v in %q, want %v", name, got, list, c.want)
		}
	}
}
