package harness

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// session is what the runs of a study share while one llem carries it out.
type session struct {
	id     string
	keeps  bool // execution.restart: engine_change
	lease  *lease.Lease
	images map[string]launch.Image
	kept   *kept
	left   []launch.Server // that could not be removed yet
	hurry  <-chan struct{} // as the runner's
	ended  time.Time       // of the run before; zero: there was none
}

// place is where a run stands in a study.
type place struct {
	result.StudyRun
	session *session
	folder  string        // of its result
	cycles  int           // of the study
	gap     time.Duration // that the file asks for before it
	last    bool          // no run comes after it
	doubts  []measure.Warning
}

// close ends what the study holds on the host, but for its lock.
func (s *session) close(ctx context.Context) error {
	err := errors.Join(s.drop(ctx), s.sweep(ctx))
	s.lease.Release()
	return err
}

// end shows others that the study is not alive any more.
func (s *session) end() {
	if len(s.left) > 0 {
		s.lease.Run().Leave()
	}
	s.lease.Run().Release()
}

// leave remembers a container that could not be removed.
func (x *run) leave(s launch.Server) {
	if x.place == nil {
		x.lease.Run().Leave()
		return
	}
	x.place.session.left = append(x.place.session.left, s)
}

// sweep removes the containers that could not be removed before.
func (s *session) sweep(ctx context.Context) error {
	for len(s.left) > 0 {
		ctx, cancel := removing(ctx, s.hurry)
		err := s.left[0].Kill(ctx)
		cancel()
		if err != nil {
			return err
		}
		s.left = s.left[1:]
	}
	return nil
}

// pause waits until so much time has passed since the run before as the study's
// file asks for. Where a container is started in between there is no need.
func (x *run) pause(ctx context.Context) error {
	const still = "the thermal floor stands inside the experiment"
	at := x.place
	switch {
	case at == nil && x.job.Running():
		x.obs.Run.Gap = "none: the server was already running, and nothing ran before on its behalf"
	case at == nil:
		x.obs.Run.Gap = "skipped: starting a container is the gap, and " + still
	case at.session.ended.IsZero():
		x.obs.Run.Gap = "none: no run of the study came before it"
		if at.Run > 1 {
			x.obs.Run.Gap = "none: the study was resumed with it"
		}
	case x.kept == nil && !x.job.Running():
		x.obs.Run.Gap = "skipped " + at.gap.String() + ": starting a container is the gap, and " + still + x.because()
	default:
		return x.wait(ctx, at.gap)
	}
	return nil
}

// because is why a container is started though the study would keep it.
func (x *run) because() string {
	if x.anew == "" {
		return ""
	}
	return "; the container of the run before was removed: " + x.anew
}

func (x *run) wait(ctx context.Context, d time.Duration) error {
	at := x.place
	left := max(0, d-time.Since(at.session.ended))
	err := x.phase(measure.Gap, d.String()+" after the run before", func() (string, error) {
		stop := x.tick(left)
		defer stop()
		return "", measure.Sleep(ctx, left)
	})
	at.GapSeconds = time.Since(at.session.ended).Seconds()
	who := "the container is kept"
	if x.job.Running() {
		who = "the server was already running"
	}
	x.obs.Run.Gap = "waited " + d.String() + ": " + who + ", and nothing is restarted"
	return err
}

// images that a study took, for its plan on disk.
func (s *session) imageList() []result.StudyImage {
	out := []result.StudyImage{}
	for _, ref := range slices.Sorted(maps.Keys(s.images)) {
		i := s.images[ref]
		out = append(out, result.StudyImage{Ref: ref, ID: i.ID, Digest: i.Digest})
	}
	return out
}

// folderOf is a run's, in the study's.
func folderOf(dir string, p *result.StudyPlan, run int) string {
	return filepath.Join(dir, p.Folder(run))
}

// devicesOf are the study's GPUs that an experiment is run on, as far as that is known
// before it: those that it names, else the first.
func (s *session) devicesOf(e study.Experiment) (out []device.Device) {
	held := s.lease.Devices()
	switch e.GPUs.Mode {
	case "none":
		return nil
	case "list":
		for _, d := range held {
			if slices.Contains(e.GPUs.IDs, d.UUID) || slices.Contains(e.GPUs.IDs, strconv.Itoa(d.Index)) {
				out = append(out, d)
			}
		}
		return out
	}
	return held[:min(e.Parallel.Size(), len(held))]
}
