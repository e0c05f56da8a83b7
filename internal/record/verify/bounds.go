package verify

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/record"
	"github.com/llenergymeasure/llem/internal/result"
)

// slack is what two stamps of one event may be apart on a host that is busy.
const slack = time.Second

// bounds hold what only the run saw to what else lies in its folder.
func bounds(again *record.Recomputed, r *result.Record, dir, version string, rows []result.RequestRow, raw []result.SampleRow) (out []Finding) {
	wrong := func(what, seen string, args ...any) {
		out = append(out, Finding{what, false, fmt.Sprintf(seen, args...)})
	}
	if r.Older() {
		boundVersions(r, dir, wrong)
		return out
	}
	boundStatus(again, r, wrong)
	boundTimes(r, wrong)
	boundSamples(r, raw, wrong)
	boundWindow(again.Window, r, rows, wrong)
	boundFiles(r, dir, rows, raw, wrong)
	boundConfig(again, r, dir, version, wrong)
	return out
}

type wronged func(what, seen string, args ...any)

func boundStatus(again *record.Recomputed, r *result.Record, wrong wronged) {
	completed := 0
	if again.Window != nil {
		completed, _, _ = again.Window.Failures(again.Job.Experiment, again.Job.Credentials.From)
	}
	switch done := r.Status == result.Completed; {
	case done && r.Error != "":
		wrong("status", "the record says completed, and its error is: %s", r.Error)
	case done && completed == 0:
		wrong("status", "the record says completed, and no request in %s did", result.RequestsFile)
	case !done && r.Error == "":
		wrong("error", "the record says %s and not why", r.Status)
	case !done && r.Status != result.Failed && r.Status != result.Interrupted:
		wrong("status", "no run ends as %q", r.Status)
	}
}

// boundTimes holds the phases, and what took its time in them, to each other.
func boundTimes(r *result.Record, wrong wronged) {
	end := r.StartedAt
	long := map[string]float64{}
	for _, p := range r.Phases {
		if p.Start.Before(end.Add(-time.Microsecond)) {
			wrong("phases", "%s begins at %s, before what comes ahead of it has ended at %s", p.Name, p.Start.Format(time.RFC3339Nano), end.Format(time.RFC3339Nano))
			return
		}
		end = p.End()
		long[p.Name] += p.Seconds
	}
	if r.EndedAt.Before(end.Add(-time.Microsecond)) {
		wrong("ended_at", "the run ends at %s, before its last phase at %s", r.EndedAt.Format(time.RFC3339Nano), end.Format(time.RFC3339Nano))
	}
	if s := r.Engine.StartupSeconds; s != nil && *s > long[measure.Launch.String()] {
		wrong("engine.startup_seconds", "%g s are longer than the launch of %g s", *s, long[measure.Launch.String()])
	}
	if w := r.Warmup; w != nil && w.DurationSeconds > long[measure.WarmupPhase.String()] {
		wrong("warmup.duration_seconds", "%g s are longer than the phase of %g s", w.DurationSeconds, long[measure.WarmupPhase.String()])
	}
}

// boundSamples holds the phases to the phase of each sample. A run that was killed after its
// window may have written samples of the phase after, and not the record that has it.
func boundSamples(r *result.Record, raw []result.SampleRow, wrong wronged) {
	has := func(phase string) bool {
		return slices.ContainsFunc(r.Phases, func(p result.Phase) bool { return p.Name == phase })
	}
	// A run that failed may wait for what was to blame, and its last phase is that of the
	// samples until then.
	ends := func(i int) time.Time {
		if next := i + 1; next < len(r.Phases) && r.Status != result.Completed && r.Phases[next].Name == measure.Record.String() {
			return r.Phases[next].Start
		}
		return r.Phases[i].End()
	}
	cutOff := (len(r.Files) == 0 || r.WarningSeverities["record_unfinished"] != "") && !has(measure.After.String())
	for i := range raw {
		if cutOff && raw[i].Phase == measure.After.String() {
			continue
		}
		at := time.Unix(0, raw[i].UTCNS)
		if raw[i].Phase == measure.Record.String() { // from the end of the window on
			continue
		}
		in := false
		for k, p := range r.Phases {
			in = in || p.Name == raw[i].Phase && !at.Before(p.Start.Add(-slack)) && !at.After(ends(k).Add(5*slack))
		}
		if !in {
			wrong("phases", "a sample of the phase %s was read at %s, which is not in it", raw[i].Phase, at.UTC().Format(time.RFC3339Nano))
			break
		}
	}
	if b := r.Energy.Baseline; b != nil && b.Cached && slices.ContainsFunc(raw, func(s result.SampleRow) bool { return s.Edge && s.Phase == measure.BaselinePhase.String() }) {
		wrong("energy.baseline.cached", "the record says that the baseline is an earlier run's, and its own readings are among the samples")
	}
}

// boundWindow holds the window to the requests and to its phase.
func boundWindow(w *record.Window, r *result.Record, rows []result.RequestRow, wrong wronged) {
	if w == nil {
		return
	}
	last := int64(0)
	for i := range rows {
		if rows[i].EndNS != nil {
			last = max(last, *rows[i].EndNS)
		}
	}
	window := int64(w.Length)
	if window < last || window > last && r.Energy.WindowClosedBy == "responses_drained" {
		wrong("window_seconds", "the record says %v, and the last byte came after %v", w.Length, time.Duration(last))
	}
	i := slices.IndexFunc(r.Phases, func(p result.Phase) bool { return p.Name == measure.WindowPhase.String() })
	if i < 0 {
		wrong("phases", "there is a window and no phase of it")
		return
	}
	p := r.Phases[i]
	if w.T0.Before(p.Start) || w.T0.Add(w.Length).After(p.End().Add(time.Microsecond)) {
		wrong("phases", "the window is not within its phase")
	}
	if c := r.Client; c.CPUSeconds != nil && c.CPUShare != nil && *c.CPUShare*time.Duration(last).Seconds() > *c.CPUSeconds*(1+1e-9) {
		wrong("client.cpu_share", "%g of a core is more than %g s until the last byte", *c.CPUShare, *c.CPUSeconds)
	}
}

// boundFiles holds the list of files, and what they say of themselves, to the record.
func boundFiles(r *result.Record, dir string, rows []result.RequestRow, raw []result.SampleRow, wrong wronged) {
	want := []string{result.ConfigFile, result.TimeseriesFile, result.RequestsFile}
	if r.SamplesFile != "" {
		want = append(want, result.SamplesFile)
	}
	for _, name := range want {
		if len(r.Files) > 0 && !slices.ContainsFunc(r.Files, func(f result.File) bool { return f.Name == name }) {
			wrong("files", "there is no %s among them, which every such run has", name)
		}
	}
	boundVersions(r, dir, wrong)
	for i := range rows {
		if rows[i].ExperimentID != r.ExperimentID {
			wrong("experiment_id", "%s has the requests of another run, %s", result.RequestsFile, rows[i].ExperimentID)
			break
		}
	}
	for i := range raw {
		if raw[i].ExperimentID != r.ExperimentID {
			wrong("experiment_id", "%s has the samples of another run, %s", result.SamplesFile, raw[i].ExperimentID)
			break
		}
	}
}

// boundVersions holds the Parquet files to the schema_version of the record: one that was
// made to look older has newer files.
func boundVersions(r *result.Record, dir string, wrong wronged) {
	names := []string{result.TimeseriesFile, result.RequestsFile}
	if r.SamplesFile != "" {
		names = append(names, result.SamplesFile)
	}
	for _, name := range names {
		version, err := result.WrittenAs(dir, name)
		switch {
		case err != nil:
			wrong(name, "%v", err)
		case version != r.SchemaVersion:
			wrong(name, "it was written under schema_version %s, and the record says %s", version, r.SchemaVersion)
		}
	}
}

// boundConfig holds the configuration to its file.
func boundConfig(again *record.Recomputed, r *result.Record, dir, version string, wrong wronged) {
	for _, f := range r.Files {
		if f.Name == result.ConfigFile && f.Check(dir) != "" {
			return // as is said of it
		}
	}
	have, err := os.ReadFile(filepath.Join(dir, result.ConfigFile))
	if err != nil {
		return // as files says
	}
	if r.LlemVersion == version && !again.Job.Experiment.IsFile(have) { // another llem may write other keys
		wrong("config", "it is not what %s says", result.ConfigFile)
	}
}

// series holds timeseries.parquet to the samples that it averages.
func series(r *result.Record, dir string, again *record.Recomputed) []Finding {
	const what = "timeseries"
	if again.Window == nil {
		return nil
	}
	have, err := r.ReadTimeseries(dir)
	if err != nil {
		return []Finding{{what, false, err.Error()}}
	}
	want := again.Timeseries()
	if len(have) != len(want) {
		return []Finding{{what, false, fmt.Sprintf("it has %d rows, its samples give %d", len(have), len(want))}}
	}
	for i := range want {
		if !sameRow(have[i], want[i]) {
			return []Finding{{what, false, fmt.Sprintf("second %g of GPU %d is not what its samples give", want[i].TimestampS, want[i].GPUIndex)}}
		}
	}
	return []Finding{{what, true, fmt.Sprintf("%d rows, computed again", len(have))}}
}

// sameRow compares two rows by what they hold.
func sameRow(a, b result.TimeseriesRow) bool {
	if math.IsNaN(a.TimestampS) {
		return false
	}
	return reflect.DeepEqual(a, b)
}
