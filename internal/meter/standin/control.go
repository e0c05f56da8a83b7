package standin

import (
	"fmt"
	"math"
	"math/bits"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Control is the shared file of a set of stand-in GPUs, open for changing them.
// Its methods may be called from any goroutine and any process at once. They
// panic where a GPU is not there or the file is gone, since neither can happen
// to a test that is right.
type Control struct{ shared *mapping }

// Now is CLOCK_MONOTONIC, on which everything in the file is timed.
func Now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("standin: read CLOCK_MONOTONIC: " + err.Error())
	}
	return time.Duration(t.Nano())
}

// At is when t was, or will be, on the clock of [Now]: of a few looks at both
// clocks the quickest, since a process may be kept waiting between them.
func At(t time.Time) (at time.Duration) {
	quickest := time.Duration(math.MaxInt64)
	for range 5 {
		before, since, after := Now(), time.Since(t), Now()
		if took := after - before; took < quickest {
			quickest, at = took, before+took/2-since
		}
	}
	return at
}

// New makes the shared file at path, over whatever was there, with one GPU for
// each description, or one GPU where there is none. Close ends the use of it.
func New(path string, gpus ...GPU) (*Control, error) {
	if len(gpus) == 0 {
		gpus = []GPU{{}}
	}
	if len(gpus) > maxGPUs {
		return nil, fmt.Errorf("make stand-in: %d GPUs, at most %d", len(gpus), maxGPUs)
	}
	// A new file, so that who still has an old one mapped does not see it half made.
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("make stand-in: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("make stand-in: %w", err)
	}
	if err := f.Chmod(0o666); err != nil { // containers run as other users
		return nil, fmt.Errorf("make stand-in: %w", err)
	}
	if err := f.Truncate(int64(unsafe.Sizeof(file{}))); err != nil {
		return nil, fmt.Errorf("make stand-in: %w", err)
	}
	m, err := attach(f)
	if err != nil {
		return nil, err
	}
	m.file.gpus, m.file.cuda = uint32(len(gpus)), 12040
	copy(m.file.driver[:], "550.00.stand-in")
	for i, g := range gpus {
		m.file.gpu[i].begin(i, g)
	}
	atomic.StoreUint64(&m.file.magic, magic)
	return &Control{m}, nil
}

// Open opens a file that [New] made.
func Open(path string) (*Control, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open stand-in: %w", err)
	}
	info, err := f.Stat()
	if err != nil || info.Size() != int64(unsafe.Sizeof(file{})) {
		_ = f.Close()
		return nil, fmt.Errorf("open stand-in: %s has not the size of one of this version", path)
	}
	m, err := attach(f)
	if err != nil {
		return nil, err
	}
	if atomic.LoadUint64(&m.file.magic) != magic {
		_ = m.close()
		return nil, fmt.Errorf("open stand-in: %s is none of this version", path)
	}
	return &Control{m}, nil
}

// Close ends the use of the file, which stays.
func (c *Control) Close() error { return c.shared.close() }

// GPUs is how many there are.
func (c *Control) GPUs() int { return c.shared.gpus() }

// SetPower sets what the GPU draws from now on, in watts, and returns when now is.
// What was scheduled for later no longer happens.
func (c *Control) SetPower(i int, watts float64) (at time.Duration) {
	return c.Schedule(i, 0, Step{Watts: watts})
}

// Step is one change of a GPU's power, so long after the schedule's start.
type Step struct {
	After time.Duration
	Watts float64
}

// Schedule has the GPU draw power by steps in the order of time, which count from
// an instant on the clock of [Now]; one that has passed becomes now, which is
// returned. They happen without a process that runs. What was scheduled before,
// and has not happened, no longer happens.
func (c *Control) Schedule(i int, from time.Duration, steps ...Step) (now time.Duration) {
	if len(steps) >= ringSize {
		panic(fmt.Sprintf("standin: %d steps, and the file holds %d changes", len(steps), ringSize))
	}
	c.shared.change(i, func(g *gpu) {
		now = Now() // after seq became odd: see lib/standin.h
		for g.changes > g.oldest+1 && g.ring[(g.changes-1)%ringSize].atNS > int64(now) {
			atomic.AddUint64(&g.changes, ^uint64(0))
		}
		for _, s := range steps {
			last := g.ring[(g.changes-1)%ringSize]
			at := max(int64(from+s.After), int64(now), last.atNS)
			if g.changes-g.oldest == ringSize {
				g.oldest++
			}
			g.ring[g.changes%ringSize] = change{at, uint64(s.Watts * 1000), last.energyAt(at)}
			atomic.AddUint64(&g.changes, 1)
		}
	})
	return now
}

// power is what the GPU draws now, in watts.
func (c *Control) power(i int) (watts float64) {
	c.shared.change(i, func(g *gpu) {
		if last, ok := g.lastAt(int64(Now())); ok {
			watts = float64(last.powerMW) / 1000
		}
	})
	return watts
}

// Hold has the library's clock stand at an instant, at which calls take no time,
// so that what sensors show is the same on any machine; 0 lets it go on.
func (c *Control) Hold(at time.Duration) { atomic.StoreInt64(&c.shared.file.stillNS, int64(at)) }

// energyAt is the energy up to t, in nJ, as long as c is the last change before t.
func (c change) energyAt(t int64) uint64 {
	if t <= c.atNS {
		return c.energyNJ
	}
	hi, lo := bits.Mul64(c.powerMW, uint64(t-c.atNS))
	used, _ := bits.Div64(hi, lo, 1000)
	return c.energyNJ + used
}

// Truth is the energy, in joules, that the GPU used between two instants of
// [Now], whoever switched its power, to a nanojoule for each change of power
// between them. It fails where more changes have followed than the file holds.
func (c *Control) Truth(i int, from, to time.Duration) (joules float64, err error) {
	c.shared.change(i, func(g *gpu) {
		var a, b uint64
		if a, err = g.energyUpTo(int64(from)); err == nil {
			b, err = g.energyUpTo(int64(to))
		}
		joules = (float64(b) - float64(a)) / 1e9
	})
	return joules, err
}

func (g *gpu) energyUpTo(t int64) (uint64, error) {
	if c, ok := g.lastAt(t); ok {
		return c.energyAt(t), nil
	}
	if g.oldest > 0 {
		return 0, fmt.Errorf("instant %d lies before the last %d changes of power", t, ringSize)
	}
	return 0, nil // before the GPU was made it used nothing
}

// lastAt is the last change at or before t; ok is false where the file has none.
func (g *gpu) lastAt(t int64) (c change, ok bool) {
	for n := g.changes; n > g.oldest; n-- {
		if c := g.ring[(n-1)%ringSize]; c.atNS <= t {
			return c, true
		}
	}
	return change{}, false
}
