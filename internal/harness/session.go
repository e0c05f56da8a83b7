package harness

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// session is what the runs of a study share while one llem carries it out.
type session struct {
	id     string
	keeps  bool // execution.restart: engine_change
	mark   *RunLock
	locks  *Locks
	held   []measure.Device // in the order in which they were claimed
	images map[string]launch.Image
	kept   *kept
	left   []launch.Server // that could not be removed yet
	hurry  <-chan struct{} // as the runner's
	cutOff bool            // the daemon may yet make a container that nobody waits for
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

// lock takes the GPUs that the study does not hold yet. They stay its own until
// it ends.
func (s *session) lock(uuids []string) error {
	var missing []string
	for _, u := range uuids {
		if !s.has(u) {
			missing = append(missing, u)
		}
	}
	got, err := LockGPUs(missing, s.id)
	if err == nil {
		s.locks = s.locks.join(got)
	}
	return err
}

func (s *session) has(uuid string) bool {
	return slices.ContainsFunc(s.held, func(d measure.Device) bool { return d.UUID == uuid })
}

// hold remembers devices whose locks were taken.
func (s *session) hold(devices []measure.Device) {
	for _, d := range devices {
		if !s.has(d.UUID) {
			s.held = append(s.held, d)
		}
	}
}

// close ends what the study holds on the host, but for its mark.
func (s *session) close(ctx context.Context) error {
	err := errors.Join(s.drop(ctx), s.sweep(ctx))
	s.locks.Release()
	return err
}

// end shows others that the study is not alive any more.
func (s *session) end() {
	if s.cutOff || len(s.left) > 0 {
		s.mark.Leave()
	}
	s.mark.Release()
}

// leave remembers a container that could not be removed.
func (x *run) leave(s launch.Server) {
	x.left = true
	if x.place != nil {
		x.place.session.left = append(x.place.session.left, s)
	}
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

// onHeld is the experiment with the GPUs that its study holds in place of auto: all
// runs of a study are of the same ones.
func (x *run) onHeld() study.Experiment {
	e := x.exp
	if x.place == nil || e.GPUs.Mode != "auto" || x.running() {
		return e
	}
	if s, n := x.place.session, e.Parallel.Size(); len(s.held) >= n {
		e.GPUs = study.GPUs{Mode: "list", IDs: uuids(s.held[:n])}
	}
	return e
}

// holds says that the study had these GPUs before this run, so that none of them
// is waited for.
func (x *run) holds() bool {
	return x.place != nil && !slices.ContainsFunc(x.devices, func(d measure.Device) bool { return !x.place.session.has(d.UUID) })
}

// mark is the lock that shows that the run is alive.
func (x *run) mark() *RunLock {
	if x.place != nil {
		return x.place.session.mark
	}
	return x.runLock
}

// lockFile is the file by which others see that the run's container has an owner.
func (x *run) lockFile() string { return x.mark().Path() }

// pinned is the image that the study took for this run's when it began.
func (x *run) pinned() (launch.Image, bool) {
	if x.place == nil {
		return launch.Image{}, false
	}
	img, ok := x.place.session.images[x.exp.Engine.Image]
	return img, ok
}

// samePinned finds that very image on this host, whatever its tag names by now.
func (x *run) samePinned(ctx context.Context, was launch.Image) (launch.Image, error) {
	img, err := x.Launcher.Resolve(ctx, was.ID, "never", x.Observer.Progress)
	if errors.Is(err, launch.ErrNoImage) {
		return img, launch.Faultf(launch.HostFault, "image %s (%s), which the study took, is not on this host any more: resumed, the study takes what the name stands for by then", was.Ref, short(was.ID))
	}
	img.Ref, img.Digest = was.Ref, was.Digest
	return img, err
}

// pause waits until so much time has passed since the run before as the study's
// file asks for. Where a container is started in between there is no need.
func (x *run) pause(ctx context.Context) error {
	const still = "the thermal floor stands inside the experiment"
	at := x.place
	switch {
	case at == nil && x.running():
		x.gap = "none: the server was already running, and nothing ran before on its behalf"
	case at == nil:
		x.gap = "skipped: starting a container is the gap, and " + still
	case at.session.ended.IsZero():
		x.gap = "none: no run of the study came before it"
		if at.Run > 1 {
			x.gap = "none: the study was resumed with it"
		}
	case x.kept == nil && !x.running():
		x.gap = "skipped " + at.gap.String() + ": starting a container is the gap, and " + still + x.because()
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
	if x.running() {
		who = "the server was already running"
	}
	x.gap = "waited " + d.String() + ": " + who + ", and nothing is restarted"
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
func (s *session) devicesOf(e study.Experiment) (out []measure.Device) {
	switch e.GPUs.Mode {
	case "none":
		return nil
	case "list":
		for _, d := range s.held {
			if slices.Contains(e.GPUs.IDs, d.UUID) || slices.Contains(e.GPUs.IDs, strconv.Itoa(d.Index)) {
				out = append(out, d)
			}
		}
		return out
	}
	return s.held[:min(e.Parallel.Size(), len(s.held))]
}
