package campaign

import (
	"context"
	"time"

	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// Executor runs the experiments of a campaign where the GPUs are. All that is of a host is
// the executor's: GPUs and their locks, images, containers and their daemon. An error is a
// [launch.Fault]; one that may pass is known by [Patience].
type Executor interface {
	// Open gets ready before anything is measured: it brings images and models to where
	// they are used, takes the GPUs, and sees that every experiment can be run there. It is
	// called once; after an error, Close is to be called, too.
	Open(ctx context.Context, w Work) (Site, error)
	// Execute carries out one run and leaves its result in the run's folder. The error says
	// why the run did not complete. Where the record is nil or interrupted, the run is made
	// again if the error may pass, and ends the campaign if not.
	Execute(ctx context.Context, r Run) (*result.Record, error)
	// Close gives back what Open and the runs took, an interrupt of ctx notwithstanding.
	Close(ctx context.Context) error
}

// Work is what a campaign is going to run.
type Work struct {
	ID          string        // names the campaign to other processes
	Keeps       bool          // a container may serve several runs
	Timeout     time.Duration // of an experiment, from when its server is ready; 0: none, and the executor's own comes before it
	Experiments Experiments
}

// Site is what an executor found where it runs experiments.
type Site struct {
	Host     result.StudyHost
	Launcher string              // what people call what starts engines there
	Images   []result.StudyImage // that runs will use, by their names
	Refused  map[int]string      // points whose experiments cannot be run, and why
	Files    map[int]string      // by points: the digest of the file that says what is sent; empty: no file does
}

// Run is one run of a campaign, as its executor is asked for it.
type Run struct {
	Experiment study.Experiment // with its secrets
	Study      result.StudyRun  // where it is in the study; the executor adds the gap
	Cycles     int              // of the study
	Folder     string           // of its result, in the study's; it is made, or empty
	Gap        time.Duration    // that the study asks for after the run before
	Last       bool             // no run comes after it
	Doubts     []measure.Warning
	Lock       *lease.RunLock // of the campaign, which runs on this host share
}
