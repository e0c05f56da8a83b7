package result

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Names of the files of a study, beside the folders of its runs.
const (
	StudyFile        = "study.yaml"
	StudyInputFile   = "study.input.yaml" // the study's file as it was given
	PlanFile         = "plan.json"
	JournalFile      = "journal.jsonl"
	SummaryFile      = "summary.json"
	SummaryTableFile = "summary.parquet"
	// SupersededDir holds what attempts left that were cut off and run again.
	SupersededDir = "superseded"
)

// StudyRun is where a run stands in its study.
type StudyRun struct {
	ID      string `json:"id"`         // of this carrying-out of the study, unique on any host
	Name    string `json:"name"`       // of the study
	Hash    string `json:"study_hash"` // over what the study runs and how it is measured
	Run     int    `json:"run"`        // place in the plan's order, from 1
	Cycle   int    `json:"cycle"`      // from 1
	Point   string `json:"point"`      // name of the point
	Attempt int    `json:"attempt"`    // from 1; earlier ones were cut off, or failed for a reason that passes
	// GapSeconds were waited before it; why, or why none were, is in gap.
	GapSeconds float64 `json:"gap_seconds"`
}

// Kept says that a run's server was started for an earlier run of its study.
type Kept struct {
	StartedFor string `json:"started_for"` // experiment_id of that run
	Runs       int    `json:"runs"`        // of the study that it served before this one
	CacheReset string `json:"cache_reset"` // how its prefix cache was emptied: a route, or none where it keeps none
	// CachedBefore and CachedAfter are the tokens of a prompt sent again that were
	// found in the prefix cache, before the reset and after it: after it none are.
	CachedBefore int64  `json:"cached_tokens_before_reset"`
	CachedAfter  int64  `json:"cached_tokens_after_reset"`
	CachedBy     string `json:"cached_tokens_by"` // who counted them: usage | metrics
}

// StudyPlan is plan.json: a study as it was expanded, and the order of its runs.
type StudyPlan struct {
	SchemaVersion string       `json:"schema_version"`
	ID            string       `json:"id,omitempty"` // of this carrying-out, unique on any host; absent from --dry-run
	Name          string       `json:"name"`
	Hash          string       `json:"study_hash"`
	LlemVersion   string       `json:"llem_version"`
	CreatedAt     time.Time    `json:"created_at,omitzero"` // absent from --dry-run
	Source        string       `json:"source"`              // absolute path of the study's file
	Sets          []StudySet   `json:"sets"`                // values of flags and the environment, which stand above the file
	Quick         bool         `json:"quick"`
	Execution     any          `json:"execution"`     // as it is carried out: cycles rounded, seed filled in
	CyclesAsked   int          `json:"cycles_asked"`  // by the file
	Swept         []string     `json:"swept"`         // keys in which the points differ
	Points        []StudyPoint `json:"points"`        // in the file's order
	Runs          [][2]int     `json:"runs"`          // cycle and point, both from 1, in the order of the runs
	Host          StudyHost    `json:"host"`          // on which it was begun
	Images        []StudyImage `json:"images"`        // that its runs use
	LeastSeconds  float64      `json:"least_seconds"` // by the protocol's own waits
	// Folders of runs, by their numbers, that are not named by their place in the
	// plan: those from before the study was changed.
	Folders map[int]string `json:"folders,omitempty"`
	// Checksums; absent from --dry-run, and from plans of older llems.
	StudySHA256 string `json:"study_sha256,omitempty"` // of study.yaml
	PlanSHA256  string `json:"plan_sha256,omitempty"`  // of this plan: keys in order, no white space, this field empty
}

// StudySet is one value from a flag or the environment.
type StudySet struct {
	Path   string `json:"path"`
	Value  string `json:"value"`  // as YAML, secrets redacted
	Source string `json:"source"` // --image, LLEM_GPUS …
}

// StudyPoint is one experiment of a study.
type StudyPoint struct {
	Name       string            `json:"name"`
	ConfigHash string            `json:"config_hash"` // empty where it is not valid
	Invalid    string            `json:"invalid"`     // why it is not run; empty: it is
	SameAs     *int              `json:"same_as"`     // the point, from 1, that is run in its place
	Settings   map[string]string `json:"settings"`    // in which it differs from what all share, secrets redacted
}

// StudyHost is what a study must find again to go on with like measurements.
type StudyHost struct {
	Hostname string   `json:"hostname"`
	Kernel   string   `json:"kernel"`
	Docker   string   `json:"docker"`
	Driver   string   `json:"driver"` // of the GPUs; empty: there are none
	GPUs     []string `json:"gpus"`   // UUIDs
}

// StudyImage is an image as it was when the study began.
type StudyImage struct {
	Ref    string `json:"ref"`
	ID     string `json:"id"`
	Digest string `json:"digest"` // empty for one that was built here
}

// Folder is that of a run of the study, in the study's own.
func (p *StudyPlan) Folder(run int) string {
	if f, ok := p.Folders[run]; ok {
		return f
	}
	return p.FolderAt(run, run)
}

// FolderAt is the name of a run's folder with a number of its own.
func (p *StudyPlan) FolderAt(number, run int) string {
	r := p.Runs[run-1]
	return fmt.Sprintf("%03d_c%d_%s", number, r[0], p.Points[r[1]-1].Name)
}

// IsStudyDir says whether dir is a study's.
func IsStudyDir(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, PlanFile))
	return err == nil
}
