package harness

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/record"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// saver writes the result of a run.
type saver struct {
	store *result.Store
	input []byte // the experiment file as given, or empty
	log   *slog.Logger
}

// save writes everything measured, before anything else can fail. What the
// output folder does not take goes under the temporary one.
func (s *saver) save(r *result.Record, seen record.Observation) error {
	cause := s.write(r, seen)
	if cause == nil {
		return nil
	}
	full := s.store.Dir()
	dir, err := os.MkdirTemp("", "llem-results-")
	if err == nil {
		var other *result.Store
		if other, err = result.Create(dir, seen.Job.Experiment.Name, seen.Run.Started); err == nil {
			s.store = other
			err = s.write(r, seen)
		}
	}
	if err != nil {
		return launch.Faultf(launch.HostFault, "write the result: %w; under the temporary folder: %w; make room and measure again", cause, err)
	}
	if err := os.RemoveAll(full); err != nil {
		s.log.Warn("remove what was half written", "error", err)
	}
	return launch.Faultf(launch.HostFault, "write the result: %w; it is kept in %s", cause, s.store.Dir())
}

// write tries every file, even where others fail.
func (s *saver) write(r *result.Record, seen record.Observation) error {
	e := seen.Job.Experiment
	r.Timeseries, r.RequestsFile = result.TimeseriesFile, result.RequestsFile
	err := errors.Join(
		s.store.PutFile(result.ConfigFile, e.EffectiveYAML()),
		s.store.PutTimeseries(seen.Timeseries()),
		s.store.PutRequests(seen.Requests()),
	)
	if len(s.input) > 0 {
		err = errors.Join(err, s.store.PutFile(result.InputFile, s.input))
	}
	if e.Output.SaveResponses && seen.Window != nil {
		err = errors.Join(err, s.store.Put(result.ResponsesFile, func(w io.Writer) error { return writeResponses(w, e, seen.Window.Timings) }))
	}
	if e.Output.RawSamples {
		r.SamplesFile = result.SamplesFile
		err = errors.Join(err, s.store.PutSamples(seen.Samples()))
	}
	return errors.Join(err, s.store.PutRecord(r))
}

// response is one line of responses.jsonl.
type response struct {
	ID   int    `json:"id"`
	Text string `json:"text"`
}

func writeResponses(w io.Writer, e study.Experiment, timings load.Timings) error {
	enc := json.NewEncoder(w)
	for _, t := range timings.All() {
		if err := enc.Encode(response{t.ID, e.Hide(string(t.Text))}); err != nil {
			return err
		}
	}
	return nil
}

// rewrite puts the record again with what came after, raw samples included.
func (s *saver) rewrite(r *result.Record, seen record.Observation) error {
	var err error
	if seen.Job.Experiment.Output.RawSamples {
		err = s.store.PutSamples(seen.Samples())
	}
	files, ferr := result.Files(s.store.Dir())
	err, r.Files = errors.Join(err, ferr), files
	if err := errors.Join(err, s.store.PutRecord(r)); err != nil {
		return launch.Faultf(launch.HostFault, "write what came after the window: %w; %s has the rest", err, s.store.Dir())
	}
	return nil
}
