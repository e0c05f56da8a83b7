package campaign

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "llem-campaign-")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Setenv("LLEM_LOCK_DIR", filepath.Join(dir, "locks"))
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// fake is an executor without a host: what becomes of a run is the test's.
type fake struct {
	site   Site
	fails  error                                                    // of Open
	does   func(ctx context.Context, r Run) (*result.Record, error) // in place of completing
	ran    []Run
	work   Work
	closed int
}

var _ Executor = (*fake)(nil)

func (f *fake) Open(_ context.Context, w Work) (Site, error) {
	f.work = w
	return f.site, f.fails
}

func (f *fake) Execute(ctx context.Context, r Run) (*result.Record, error) {
	f.ran = append(f.ran, r)
	if f.does != nil {
		return f.does(ctx, r)
	}
	return completes(r)
}

func (f *fake) Close(context.Context) error {
	f.closed++
	return nil
}

// completes leaves a whole result.
func completes(r Run) (*result.Record, error) { return leaves(r, result.Completed) }

// failed leaves the result of a run that failed.
func failed(r Run) (*result.Record, error) {
	rec, err := leaves(r, result.Failed)
	return rec, errors.Join(launch.Faultf(launch.ExperimentFault, "the engine died"), err)
}

// leaves writes what a run leaves: a file, and a record that has it.
func leaves(r Run, status string) (*result.Record, error) {
	store, err := result.CreateAt(r.Folder)
	if err != nil {
		return nil, err
	}
	rec := recordOf(r, status)
	if err := store.PutFile(result.ConfigFile, r.Experiment.EffectiveYAML()); err != nil {
		return nil, err
	}
	if rec.Files, err = result.Files(store.Dir()); err != nil {
		return nil, err
	}
	return rec, store.PutRecord(rec)
}

func recordOf(r Run, status string) *result.Record {
	rec := &result.Record{
		SchemaVersion: result.SchemaVersion, Status: status, StartedAt: time.Now(), ConfigHash: r.Experiment.ConfigHash(),
		ExperimentID: fmt.Sprint(filepath.Base(r.Folder), " ", r.Study.Attempt), Study: &r.Study, WarningSeverities: map[string]string{},
	}
	for _, w := range r.Doubts {
		rec.MeasurementWarnings = append(rec.MeasurementWarnings, w.String())
		rec.WarningSeverities[w.Code] = string(w.Severity)
	}
	return rec
}

// errKilled is what a fake panics with where llem is killed.
var errKilled = errors.New("killed")

// grid is a study of two concurrencies, with what execution says.
const grid = `model: reference/tiny
engine: {name: reference, image: i}
workload: {prompts: 4, max_input_tokens: 8, max_output_tokens: 4}
sweep: {workload.load.concurrency: [1, 2]}
execution: {order: interleave, cycles: 2%s}
`

// whole is the grid's result.
var whole = map[string]string{
	"001_c1_concurrency-1": result.Completed, "002_c1_concurrency-2": result.Completed,
	"003_c2_concurrency-1": result.Completed, "004_c2_concurrency-2": result.Completed,
}

// bench is a study of grid in a folder, on a fake.
type bench struct {
	x    *fake
	said []string
	file string
	dir  string // empty: the study is not begun

	failFast bool
	refuse   bool // changes of the study's file
}

func newBench(t *testing.T, x *fake, execution string) *bench {
	t.Helper()
	b := &bench{x: x, file: filepath.Join(t.TempDir(), "s.yaml")}
	if x.site.Images == nil {
		x.site.Host.GPUs, x.site.Images = []string{}, []result.StudyImage{{Ref: "i", ID: "sha256:1"}}
	}
	b.write(t, fmt.Sprintf(grid, execution))
	return b
}

// write makes text the study's file.
func (b *bench) write(t *testing.T, text string) {
	t.Helper()
	text += fmt.Sprintf("output: {dir: %q}\n", filepath.Dir(b.file))
	if err := os.WriteFile(b.file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) say(note string) { b.said = append(b.said, note) }

// saidAny says whether a note has text in it.
func (b *bench) saidAny(text string) bool { return strings.Contains(strings.Join(b.said, "\n"), text) }

// campaign begins the study, or goes on with it.
func (b *bench) campaign() (*Campaign, error) {
	if b.dir == "" {
		data, err := os.ReadFile(b.file)
		if err != nil {
			return nil, err
		}
		return New(Source{Name: b.file, Data: data, Options: study.Options{Quick: true}})
	}
	return Resume(b.dir, ResumeOptions{
		AcceptChanges: !b.refuse, User: func() (*study.Layer, error) { return nil, nil }, Say: b.say,
	})
}

// run carries the study out, or goes on with it. An executor that panics with errKilled
// ends it as a kill does: nothing more is written, and its locks are given up.
func (b *bench) run(ctx context.Context) (err error) {
	b.x.ran = nil
	c, err := b.campaign()
	if err == nil {
		err = c.Hold()
	}
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p == errKilled { //nolint:errorlint // it is the value itself
			err = errKilled
		} else if p != nil {
			panic(p)
		}
		err = errors.Join(err, c.Close())
	}()
	if err := c.Open(ctx, b.x, Options{Version: "v", FailFast: b.failFast, Say: b.say}); err != nil {
		return err
	}
	b.dir = c.Dir()
	return c.Run(ctx)
}

// completed carries the study out, which must succeed, and gives the record of a run.
func (b *bench) completed(t *testing.T, run int) *result.Record {
	t.Helper()
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, _, err := result.Read(b.folder(t, run))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// plan is the study's, as it is written.
func (b *bench) plan(t *testing.T) *result.StudyPlan {
	t.Helper()
	p, err := result.ReadStudyPlan(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// folder is the path of a run's.
func (b *bench) folder(t *testing.T, run int) string {
	t.Helper()
	return filepath.Join(b.dir, b.plan(t).Folder(run))
}

// records are the statuses of the study's runs, by their folders.
func (b *bench) records(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	list, err := filepath.Glob(filepath.Join(b.dir, "*", result.RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range list {
		r, _, err := result.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if seen, ok := result.CheckRecord(filepath.Dir(path)); !ok || len(r.Files) == 0 {
			t.Errorf("%s: %s, %d files", path, seen, len(r.Files))
		}
		out[filepath.Base(filepath.Dir(path))] = r.Status
	}
	return out
}

// isWhole sees that every run of the grid has its record.
func (b *bench) isWhole(t *testing.T) {
	t.Helper()
	if diff := cmp.Diff(whole, b.records(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// aside lists what was set aside.
func (b *bench) aside(t *testing.T) (out []string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(b.dir, result.SupersededDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, f := range list {
		out = append(out, f.Name())
	}
	return out
}

// journal is the log of the study, its lines as event, folder and status.
func (b *bench) journal(t *testing.T) (out []string) {
	t.Helper()
	j, err := result.OpenJournal(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for _, e := range j.Entries() {
		out = append(out, strings.TrimSpace(fmt.Sprint(e.Event, " ", e.Folder, " ", e.Status)))
	}
	return out
}
