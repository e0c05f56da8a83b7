package lease

import (
	"cmp"
	"log/slog"
	"os"
	"slices"
	"sync"

	"github.com/llenergymeasure/llem/internal/device"
)

// Lease is what one llem holds on this host, for a run or for all runs of a campaign:
// GPUs, the settings that it changed of them, and the lock of the run.
type Lease struct {
	looks  bool   // it locks no GPU
	holder string // in the lock files of GPUs: a run or a campaign
	log    *slog.Logger
	held   []held // in the order in which they were claimed
	run    *RunLock

	mu       sync.Mutex // held while a GPU is changed and while it is put back
	settings []*setting // the last run's, and those that could not be put back
	unwatch  func() bool
}

// held is a GPU with its lock.
type held struct {
	device.Device
	lock *os.File
}

// New is the lease of a holder, whose name other processes see. It holds nothing yet.
func New(holder string, log *slog.Logger) *Lease { return &Lease{holder: holder, log: log} }

// Looking is a lease that holds nothing: its claims find GPUs, lock none and never wait.
func Looking(log *slog.Logger) *Lease { return &Lease{looks: true, log: log} }

// Lock takes the locks of the GPUs that l does not hold yet, or none and an [ErrBusy].
// It never waits.
func (l *Lease) Lock(devices []device.Device) error {
	if l.looks {
		return nil
	}
	from := len(l.held)
	for _, d := range devices {
		if !l.holds(d.UUID) {
			l.held = append(l.held, held{Device: d})
		}
	}
	// Sorted, so that two callers who want the same GPUs do not each end up refused.
	order := make([]*held, 0, len(l.held)-from)
	for i := range l.held[from:] {
		order = append(order, &l.held[from+i])
	}
	slices.SortFunc(order, func(a, b *held) int { return cmp.Compare(a.UUID, b.UUID) })
	for _, h := range order {
		f, other, err := tryLock("gpu-"+h.UUID, l.holder)
		if err == nil && f == nil {
			other.UUID = h.UUID
			err = other
		}
		if err != nil {
			l.giveBack(from)
			return err
		}
		h.lock = f
	}
	return nil
}

func (l *Lease) holds(uuid string) bool {
	return slices.ContainsFunc(l.held, func(h held) bool { return h.UUID == uuid })
}

// giveBack releases the GPUs that were claimed after the first n. The files stay:
// removing one that another process has just opened would let two processes hold one
// GPU.
func (l *Lease) giveBack(n int) {
	for _, h := range l.held[n:] {
		if h.lock != nil {
			unlock(h.lock)
		}
	}
	l.held = l.held[:n]
}

// Devices are the GPUs that l holds, in the order in which they were claimed.
func (l *Lease) Devices() []device.Device {
	out := make([]device.Device, len(l.held))
	for i, h := range l.held {
		out[i] = h.Device
	}
	return out
}

// Release gives the GPUs back, and keeps the lock of the run: see Run.
func (l *Lease) Release() { l.giveBack(0) }

// LockRun is the function [LockRun], for the run or the campaign that l is held for.
func (l *Lease) LockRun(run, dir string) (err error) {
	l.run, err = LockRun(run, dir)
	return err
}

// Join takes the lock of a campaign for that of the run. Its owner releases it.
func (l *Lease) Join(run *RunLock) { l.run = run }

// Run is the lock that shows that the run is alive; nil: LockRun was not called.
func (l *Lease) Run() *RunLock { return l.run }
