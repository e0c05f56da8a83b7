package job

import (
	"context"
	"errors"
	"log/slog"

	"github.com/llenergymeasure/llem/internal/dataset"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/launch"
)

// Finder finds what jobs are made of, on this host and from the hub. Launcher may be
// nil where only servers that already run are asked for. What fails is a [launch.Fault].
type Finder struct {
	Launcher launch.Launcher
	Progress func(done, total int64) // of downloads, for people; nil: not shown
	Say      func(note string)       // to people
	Log      *slog.Logger
	APIKey   string         // of the variable LLEM_API_KEY; stands above engine.api_key_file
	Headers  string         // of LLEM_HEADERS, in the same way
	Files    *dataset.Cache // of prompts, for jobs that are made one after the other; nil: of one
	Pins     Pins
	InStudy  bool // a server that does not answer may be back, and is waited for
}

// Pins are versions that are taken in place of what the experiment names; zero: none.
type Pins struct {
	Again    *launch.Image // the Ref, Digest and ID of the image of the run that is done again
	Taken    *launch.Image // the image that the study took as it began
	Revision string        // the commit of the model
	Dataset  string        // the commit of the prompts' dataset
}

// Server finds what is measured, and makes its spec: the image or the server that
// already runs, its engine, the files of its model. The prompts and the GPUs are known.
func (f *Finder) Server(ctx context.Context, j *Job) error {
	if err := f.findKey(j); err != nil {
		return err
	}
	find := f.findEngine
	if j.Running() {
		find = f.findEndpoint
	}
	if err := find(ctx, j); err != nil {
		return err
	}
	if err := f.findFiles(ctx, j); err != nil {
		return err
	}
	return j.complete()
}

// complete sees that the engine can do what is asked for, and makes the spec.
func (j *Job) complete() (err error) {
	if err := j.takeFiles(); err != nil {
		return err
	}
	j.Spec, err = j.spec()
	return config(err)
}

// config gives an error that has no kind that of the configuration.
func config(err error) error {
	var has *launch.Fault
	if err == nil || errors.As(err, &has) {
		return err
	}
	return &launch.Fault{Kind: launch.ConfigFault, Err: err}
}

// hubFault gives an error of a download its kind.
func hubFault(err error) error {
	var has *launch.Fault
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.As(err, &has):
		return err
	case errors.Is(err, hub.ErrNotFound), errors.Is(err, hub.ErrDenied):
		return &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	return &launch.Fault{Kind: launch.HostFault, Err: err}
}
