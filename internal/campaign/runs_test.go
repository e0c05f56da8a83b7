package campaign

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/result"
)

func TestRunsAreExecutedInThePlansOrder(t *testing.T) {
	t.Parallel()
	x := &fake{}
	b := newBench(t, x, ", gap_seconds: 1, cycle_gap_seconds: 2, restart: engine_change, experiment_timeout_seconds: 90")
	x.does = func(_ context.Context, r Run) (*result.Record, error) {
		if !lease.RunHeld(r.Lock.Path()) {
			t.Error("the campaign's lock is not held")
		}
		return completes(r)
	}
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range x.ran {
		s := r.Study
		got = append(got, fmt.Sprintf("%d/%d %s, attempt %d, gap %s, last %t, in %s", s.Cycle, r.Cycles, s.Point, s.Attempt, r.Gap, r.Last, filepath.Base(r.Folder)))
	}
	want := []string{
		"1/2 concurrency-1, attempt 1, gap 0s, last false, in 001_c1_concurrency-1",
		"1/2 concurrency-2, attempt 1, gap 1s, last false, in 002_c1_concurrency-2",
		"2/2 concurrency-1, attempt 1, gap 2s, last false, in 003_c2_concurrency-1",
		"2/2 concurrency-2, attempt 1, gap 1s, last true, in 004_c2_concurrency-2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	b.isWhole(t)
	if p := b.plan(t); !x.work.Keeps || x.work.Timeout != 90*time.Second || x.work.ID != p.ID || p.LlemVersion != "v" || len(p.Images) != 1 || x.closed != 1 {
		t.Errorf("work %+v, plan %+v, closed %d times", x.work, p, x.closed)
	}
	if last := b.said[len(b.said)-1]; !strings.Contains(last, "4 of 4 done, 0 failed, 0 left") {
		t.Errorf("it said last %q", last)
	}
}

// After a kill at any run, resuming ends with one whole record of each run, and measures
// nothing twice that was whole.
func TestAStudyIsResumedAfterAKillAtAnyRun(t *testing.T) {
	t.Parallel()
	partial := func(r Run, rec *result.Record) error {
		store, err := result.CreateAt(r.Folder)
		if err == nil {
			err = store.PutFile(result.RequestsFile, []byte("some"))
		}
		if err == nil && rec != nil {
			err = store.PutRecord(rec)
		}
		return err
	}
	for name, c := range map[string]struct {
		leaves func(r Run) error
		again  bool // the run is executed again
		aside  bool // what it left is set aside
	}{
		"nothing":           {func(Run) error { return nil }, true, false},
		"an empty folder":   {func(r Run) error { return os.Mkdir(r.Folder, 0o755) }, true, false},
		"no record":         {func(r Run) error { return partial(r, nil) }, true, true},
		"it interrupted":    {func(r Run) error { return partial(r, recordOf(r, result.Interrupted)) }, true, true},
		"an unended record": {func(r Run) error { return partial(r, recordOf(r, result.Completed)) }, false, false},
		"a whole record":    {func(r Run) error { _, err := completes(r); return err }, false, false},
	} {
		for at := 1; at <= 4; at++ {
			x := &fake{}
			b := newBench(t, x, "")
			x.does = func(_ context.Context, r Run) (*result.Record, error) {
				if r.Study.Run < at {
					return completes(r)
				}
				if err := c.leaves(r); err != nil {
					t.Error(err)
				}
				panic(errKilled)
			}
			if err := b.run(t.Context()); !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			x.does = nil
			if err := b.run(t.Context()); err != nil {
				t.Fatalf("%s at run %d: %v", name, at, err)
			}
			b.isWhole(t)
			left := 4 - at
			if c.again {
				left++
			}
			if len(x.ran) != left || c.again && x.ran[0].Study.Attempt != 2 {
				t.Errorf("%s at run %d: %d runs, want %d", name, at, len(x.ran), left)
			}
			if n := len(b.aside(t)); (n == 1) != c.aside {
				t.Errorf("%s at run %d: %d folders were set aside", name, at, n)
			}
			if err := b.run(t.Context()); err != nil || len(x.ran) != 0 {
				t.Errorf("a whole study again: %v, %d runs", err, len(x.ran))
			}
		}
	}
}

// Wherever the journal is cut or damaged, a whole study stays whole and nothing is run
// twice.
func TestAStudyOutlivesItsJournal(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	b.write(t, strings.Replace(fmt.Sprintf(grid, ""), "cycles: 2", "cycles: 1", 1)) // the journal of more runs has more of the same lines
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.dir, result.JournalFile)
	journal, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again := func(what string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := b.run(t.Context()); err != nil || len(b.x.ran) != 0 {
			t.Fatalf("%s: %v, %d runs", what, err, len(b.x.ran))
		}
	}
	for cut := range len(journal) + 1 {
		again(fmt.Sprintf("cut at byte %d", cut), journal[:cut])
	}
	for at := 0; at < len(journal); at += 13 {
		damaged := slices.Clone(journal)
		damaged[at] ^= 0x11
		again(fmt.Sprintf("damaged at byte %d", at), damaged)
	}
	if got := b.records(t); len(got) != 2 {
		t.Errorf("%d records, want 2: %v", len(got), got)
	}
}

func TestARecordThatIsGoneOrDamagedIsMeasuredAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(b.folder(t, 1)); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(b.folder(t, 3), result.RecordFile)
	data, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(record, []byte(strings.Replace(string(data), `"run": 3`, `"run": 7`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b.isWhole(t); len(b.x.ran) != 2 || !b.saidAny("run 1 is run again: the journal says that it ended, and its record is missing") || !b.saidAny("run 3 is run again: its record is damaged") {
		t.Errorf("%d runs, want 2; it said %q", len(b.x.ran), b.said)
	}
}

func TestTwoCannotRunOneStudy(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	if err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	j, err := result.OpenJournal(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := b.run(t.Context()); !errors.Is(err, result.ErrStudyHeld) || launch.KindOf(err) != launch.HostFault {
		t.Errorf("a second: %v", err)
	}
}

func TestFailuresInARowEndAStudy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		most string
		fast bool
		runs int
		want string
	}{
		{", max_consecutive_failures: 2", false, 2, "2 runs in a row failed"},
		{", max_consecutive_failures: 0", false, 4, "4 of the study's 4 runs failed"},
		{"", true, 1, "--fail-fast"},
	} {
		b := newBench(t, &fake{does: func(_ context.Context, r Run) (*result.Record, error) { return failed(r) }}, c.most)
		b.failFast = c.fast
		err := b.run(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || launch.KindOf(err) != launch.ExperimentFault {
			t.Errorf("%s: %v", c.most, err)
		}
		if got := len(b.records(t)); got != c.runs || b.x.closed != 1 {
			t.Errorf("%s: %d records, want %d", c.most, got, c.runs)
		}
	}
}

// A run that completes ends a row of failures.
func TestFailuresThatAreNotInARow(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{does: func(_ context.Context, r Run) (*result.Record, error) {
		if r.Study.Run%2 == 1 {
			return failed(r)
		}
		return completes(r)
	}}, ", max_consecutive_failures: 2")
	if err := b.run(t.Context()); err == nil || !strings.Contains(err.Error(), "2 of the study's 4 runs failed") {
		t.Error(err)
	}
	b.x.does = nil
	if err := b.run(t.Context()); err == nil || len(b.x.ran) != 0 {
		t.Errorf("resumed: %v, %d runs: one that failed is not run again", err, len(b.x.ran))
	}
}

// What an attempt left whose failure may pass is set aside, and the run is made again.
func TestAFailureThatMayPassIsWaitedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := &fake{}
		b := newBench(t, x, "")
		away := launch.Faultf(launch.HostFault, "%w", launch.ErrAway)
		x.does = func(_ context.Context, r Run) (*result.Record, error) {
			if r.Study.Run != 2 || r.Study.Attempt > 2 {
				return completes(r)
			}
			store, err := result.CreateAt(r.Folder)
			return nil, errors.Join(away, err, store.PutFile(result.LogFile, []byte("its log")))
		}
		begun := time.Now()
		if err := b.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.isWhole(t)
		if took := time.Since(begun); took != 6*time.Second {
			t.Errorf("it waited %s, want 1 s and 5 s", took)
		}
		const run2 = "002_c1_concurrency-2"
		want := []string{
			"study_begun", "run_begun 001_c1_concurrency-1", "run_ended 001_c1_concurrency-1 completed",
			"run_begun " + run2, "run_ended " + run2 + " interrupted", "run_again " + run2,
			"run_begun " + run2, "run_ended " + run2 + " interrupted", "run_again " + run2,
			"run_begun " + run2, "run_ended " + run2 + " completed",
		}
		if diff := cmp.Diff(want, b.journal(t)[:len(want)]); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if got := b.aside(t); !slices.Equal(got, []string{run2 + "_1", run2 + "_2"}) {
			t.Errorf("set aside %q", got)
		}
	})
}

func TestAFailureThatDoesNotPassEndsTheStudy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err      error
		attempts int
	}{
		"stays away":   {launch.Faultf(launch.HostFault, "%w", launch.ErrAway), 6},
		"no such disk": {launch.Faultf(launch.HostFault, "no space"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, &fake{does: func(context.Context, Run) (*result.Record, error) { return nil, c.err }}, "")
				if err := b.run(t.Context()); !errors.Is(err, c.err) || len(b.x.ran) != c.attempts || b.x.closed != 1 {
					t.Errorf("%v after %d attempts, want %d", err, len(b.x.ran), c.attempts)
				}
				if got := b.journal(t); got[len(got)-1] != "study_ended  stopped" {
					t.Errorf("the journal ends with %q", got)
				}
			})
		})
	}
}

// A record counts, also where the host failed after it. The study ends.
func TestARunThatWasMeasuredBeforeTheHostFailed(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{does: func(_ context.Context, r Run) (*result.Record, error) {
		rec, err := completes(r)
		return rec, errors.Join(launch.Faultf(launch.HostFault, "stop container"), err)
	}}, "")
	if err := b.run(t.Context()); launch.KindOf(err) != launch.HostFault || len(b.x.ran) != 1 || len(b.records(t)) != 1 {
		t.Errorf("%v after %d runs", err, len(b.x.ran))
	}
	b.x.does = nil
	if err := b.run(t.Context()); err != nil || len(b.x.ran) != 3 {
		t.Errorf("resumed: %v, %d runs", err, len(b.x.ran))
	}
}

func TestAStudyThatIsInterruptedGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, waiting := range []bool{false, true} {
			b := newBench(t, &fake{}, "")
			ctx, cancel := context.WithCancel(t.Context())
			b.x.does = func(_ context.Context, r Run) (*result.Record, error) {
				switch {
				case r.Study.Run == 1:
					return completes(r)
				case waiting:
					time.AfterFunc(time.Millisecond, cancel)
					return nil, launch.ErrAway
				}
				cancel()
				rec, err := leaves(r, result.Interrupted)
				return rec, errors.Join(launch.Faultf(launch.InterruptFault, "interrupted"), err)
			}
			if err := b.run(ctx); launch.KindOf(err) != launch.InterruptFault || !strings.Contains(err.Error(), "interrupted in run 2") {
				t.Errorf("got %v", err)
			}
			if got := b.journal(t); got[len(got)-1] != "study_ended  interrupted" {
				t.Errorf("the journal ends with %q", got)
			}
			b.x.does = nil
			if err := b.run(t.Context()); err != nil || len(b.x.ran) != 3 {
				t.Errorf("resumed: %v, %d runs", err, len(b.x.ran))
			}
			b.isWhole(t)
		}
	})
}

func TestAStudyEndsWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fake{}, ", timeout_hours: 0.001")
		begun := time.Now()
		b.x.does = func(ctx context.Context, _ Run) (*result.Record, error) {
			<-ctx.Done()
			return nil, launch.Faultf(launch.InterruptFault, "interrupted")
		}
		if err := b.run(t.Context()); !errors.Is(err, errStudyTime) || launch.KindOf(err) != launch.ExperimentFault {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begun); took != 3600*time.Millisecond {
			t.Errorf("after %s", took)
		}
		b.x.does = nil
		if r := b.completed(t, 4); r.Status != result.Completed {
			t.Errorf("resumed: %s", r.Status)
		}
	})
}
