package lease

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
)

// Tuning is what a run asks of its GPUs.
type Tuning struct {
	PowerLimitW float64 // 0: as it is
	SMClockMHz  int     // to which the clock is locked; 0: as it is
}

// Setting is what a run changed of one GPU.
type Setting struct {
	Index        int // NVML's
	UUID         string
	LimitBeforeW float64
	LimitW       float64 // 0: was left as it was, and LimitBeforeW is 0
	ClockMHz     int     // 0: was left free
	Restored     bool
}

// Settings are what run has changed until now.
func (l *Lease) Settings(run string) []Setting {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Setting
	for _, s := range l.settings {
		if s.Run != run {
			continue
		}
		g := Setting{Index: s.Index, UUID: s.UUID, Restored: s.restored}
		if s.LimitW > 0 {
			g.LimitBeforeW, g.LimitW = s.LimitW, s.want.PowerLimitW
		}
		if s.Clock {
			g.ClockMHz = s.want.SMClockMHz
		}
		out = append(out, g)
	}
	return out
}

// Tune sets what run asks of devices, which no other process may use, and returns them
// as the driver has them now. An end of ctx puts them back at once, in a goroutine: what
// comes after it may wait for a daemon that hangs. An error is a
// [launch.HostFault], and may be a [device.ErrBeyond]; PutBack undoes what was changed
// by then.
func (l *Lease) Tune(ctx context.Context, gpus device.Session, devices []device.Device, run string, want Tuning) ([]device.Device, error) {
	// Again, since others may have come after the claim.
	w, err := gpus.Watch(devices)
	var others []device.Process
	if err == nil {
		others, err = w.Processes(ctx)
	}
	switch {
	case err != nil:
		return nil, launch.Faultf(launch.HostFault, "gpu_settings are not changed on a GPU that others may use: %w; leave gpu_settings out", err)
	case len(others) > 0:
		return nil, launch.Faultf(launch.HostFault, "gpu_settings are not changed on a GPU that others use: %s; stop them, choose another GPU, or leave gpu_settings out", measure.Describe(others))
	}
	l.mu.Lock()
	l.settings = slices.DeleteFunc(l.settings, func(s *setting) bool { return s.restored }) // of a run before
	l.unwatch = context.AfterFunc(ctx, l.PutBack)
	l.mu.Unlock()
	for _, d := range devices {
		s := &setting{UUID: d.UUID, Index: d.Index, Run: run, Clock: want.SMClockMHz > 0, path: settingPath(d.UUID), device: d, gpus: gpus, want: want}
		if err := l.tuneOne(ctx, s); err != nil {
			return nil, launch.Faultf(launch.HostFault, "gpu_settings: %w", err)
		}
	}
	// As the driver has them now: for the record, and for the baseline's cache.
	if devices, err = gpus.Select(ctx, device.UUIDs(devices)); err != nil {
		return nil, launch.Faultf(launch.HostFault, "read gpu_settings back: %w", err)
	}
	return devices, nil
}

func (l *Lease) tuneOne(ctx context.Context, s *setting) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.want.PowerLimitW > 0 {
		var err error
		if s.LimitW, err = s.gpus.PowerLimit(s.device); err != nil {
			return err
		}
	}
	if err := s.write(); err != nil {
		return err
	}
	l.settings = append(l.settings, s)
	if s.want.PowerLimitW > 0 {
		if err := s.gpus.SetPowerLimit(s.device, s.want.PowerLimitW); err != nil {
			return err
		}
	}
	if s.want.SMClockMHz > 0 {
		if err := s.gpus.LockSMClock(s.device, s.want.SMClockMHz); err != nil {
			s.Clock = false // nothing to put back
			return err
		}
	}
	return nil
}

// PutBack puts every GPU back as it was before its run, and ends the wait for an
// interrupt that does so. It may be called at any time and from any goroutine; a GPU
// that cannot be put back is left to `llem clean`.
func (l *Lease) PutBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unwatch != nil {
		l.unwatch()
	}
	for _, s := range l.settings {
		if s.restored {
			continue
		}
		if err := s.restore(); err != nil {
			l.log.Error("a GPU is left with gpu_settings; `llem clean` as root tries again", "error", err)
		}
	}
}

// Forget leaves what could not be put back to `llem clean`: the session that would do it is
// about to be closed.
func (l *Lease) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settings = slices.DeleteFunc(l.settings, func(s *setting) bool { return !s.restored })
}

// Untouched refuses, by a [launch.HostFault], GPUs that a killed run has left changed.
func Untouched(devices []device.Device) error {
	for _, d := range devices {
		s, err := readSetting(settingPath(d.UUID))
		if errors.Is(err, errDamagedNote) {
			return launch.Faultf(launch.HostFault, "%w", err)
		}
		if err == nil {
			return launch.Faultf(launch.HostFault, "GPU %d still has the settings of run %s, which was killed: sudo llem clean puts them back", d.Index, s.Run)
		}
	}
	return nil
}

// restore undoes a setting and forgets it. A limit that is as it was needs no
// permission to be left so.
func (s *setting) restore() error {
	var err error
	if s.LimitW > 0 {
		if now, lerr := s.gpus.PowerLimit(s.device); lerr != nil || now != s.LimitW {
			err = s.gpus.SetPowerLimit(s.device, s.LimitW)
		}
	}
	if s.Clock {
		err = errors.Join(err, s.gpus.LockSMClock(s.device, 0))
	}
	if err == nil {
		err = os.Remove(s.path)
	}
	s.restored = err == nil
	return err
}

// LeftSettings are the GPUs, by UUID, that a killed run has left changed and that
// no llem holds now.
func LeftSettings() (left []string, err error) {
	files, err := filepath.Glob(filepath.Join(lockDir(), settingPrefix+"*"+settingSuffix))
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		uuid := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), settingPrefix), settingSuffix)
		if l, err := lockToClean(uuid); err == nil { // no llem has it
			l.Release()
			if _, err := readSetting(path); !errors.Is(err, errNotOurs) && !errors.Is(err, fs.ErrNotExist) {
				left = append(left, uuid)
			}
		}
	}
	return left, nil
}

// lockToClean takes the lock of one GPU.
func lockToClean(uuid string) (*Lease, error) {
	l := New("clean", nil)
	return l, l.Lock([]device.Device{{UUID: uuid}})
}

// RestoreSettings puts a GPU back as it was before the run that was killed, and
// says what was done.
func RestoreSettings(ctx context.Context, gpus device.Session, uuid string) (string, error) {
	l, err := lockToClean(uuid)
	if err != nil {
		return "", err
	}
	defer l.Release()
	path := settingPath(uuid)
	s, err := readSetting(path)
	if errors.Is(err, errDamagedNote) {
		return "", err
	}
	if err != nil { // cut off while it was written, when nothing was changed yet
		return "nothing was changed on GPU " + uuid, os.Remove(path)
	}
	all, err := gpus.Devices(ctx)
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(all, func(d device.Device) bool { return d.UUID == uuid })
	if at < 0 {
		return "", fmt.Errorf("GPU %s, whose settings a killed run has changed, does not answer", uuid)
	}
	s.device, s.gpus = all[at], gpus
	if err := s.restore(); err != nil {
		return "", err
	}
	done := []string{}
	if s.LimitW > 0 {
		done = append(done, fmt.Sprintf("power limit %g W", s.LimitW))
	}
	if s.Clock {
		done = append(done, "SM clock free")
	}
	return fmt.Sprintf("restored GPU %d: %s", s.device.Index, strings.Join(done, ", ")), nil
}
