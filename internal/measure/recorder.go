package measure

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// blockSamples is the unit in which memory for samples is taken: about 600 kB.
const blockSamples = 4096

// maxSamples bounds the memory of a run (about 600 MB, 14 hours of 8 GPUs at
// 10 Hz). Past it interval readings are counted and dropped; edges are kept,
// so the counter still gives the energy.
const maxSamples = 4 << 20

// Recorder reads all devices of a Sampler at an interval and keeps every
// reading. The zero value is not usable; see NewRecorder.
type Recorder struct {
	sampler  device.Sampler
	devices  int
	interval time.Duration
	epoch    time.Time

	mu      sync.Mutex
	blocks  [][]device.Sample
	scratch []device.Sample
	phase   Phase
	total   int
	dropped int
	failed  int
	lastErr error

	stop chan struct{}
	done chan struct{}
}

// NewRecorder prepares to read devices GPUs through s every interval. Its
// epoch, to which all Sample.At refer, is now.
func NewRecorder(s device.Sampler, devices int, interval time.Duration) *Recorder {
	r := &Recorder{
		sampler: s, devices: devices, interval: interval, epoch: time.Now(),
		scratch: make([]device.Sample, 0, devices),
		stop:    make(chan struct{}), done: make(chan struct{}),
	}
	if devices > 0 {
		r.grow()
	}
	return r
}

// Epoch is the instant to which Sample.At refers; it has a monotonic reading.
func (r *Recorder) Epoch() time.Time { return r.epoch }

// Start begins reading in the background until Stop.
func (r *Recorder) Start() { go r.loop() }

// Stop ends the background reading and waits for it. Edges may still be taken.
// Call it once, after Start.
func (r *Recorder) Stop() {
	close(r.stop)
	<-r.done
}

func (r *Recorder) loop() {
	defer close(r.done)
	tick := time.NewTicker(r.interval)
	defer tick.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-tick.C:
			r.mu.Lock()
			r.take(false, r.sampler.Sample)
			r.mu.Unlock()
		}
	}
}

// SetPhase names the phase of the readings that follow and takes memory for
// expect more seconds of them, so that none is taken while they come in.
func (r *Recorder) SetPhase(p Phase, expect time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = p
	if p == WindowPhase {
		want := min(int(expect/r.interval)*r.devices, maxSamples-r.total)
		for free := r.free(); free < want; free += blockSamples {
			r.grow()
		}
	}
}

// Edge reads all devices now, marks the readings as edges and returns them.
func (r *Recorder) Edge() ([]device.Sample, error) { return r.edge(r.sampler.Sample) }

func (r *Recorder) edge(sample sampleFunc) ([]device.Sample, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.take(true, sample)
	out := append([]device.Sample(nil), got...)
	if len(out) < r.devices {
		return out, r.lastErr
	}
	return out, nil
}

// Pace of the polls at the edges of a span, protocol section 3: a tick lies between two
// polls, and one comes within a refresh and a jitter of 0.2 of it, which is assumed.
const (
	settleEvery = 5 * time.Millisecond
	settleLimit = 1.2 // refreshes, for one tick
	// After a window three ticks are read: the one that its end falls into, and two that
	// show how power falls.
	ticksAfter = 3
)

// Settle reads all devices every 5 ms until the energy counter of each has
// moved, so that the tick next to a span's edge is known, and at most 1.2 times
// the longest refresh. refresh is by device; 0 is one without a counter. All
// readings are edges. It returns the error of the last reading, or ctx's.
func (r *Recorder) Settle(ctx context.Context, refresh []time.Duration) error {
	return r.settle(ctx, refresh, 1)
}

// Unwind is Settle for the end of a window: it reads on until each counter has moved
// three times, and at most 3.2 times the longest refresh.
func (r *Recorder) Unwind(ctx context.Context, refresh []time.Duration) error {
	return r.settle(ctx, refresh, ticksAfter)
}

// fallOff is how long power is read after a window of GPUs without a counter.
const fallOff = 250 * time.Millisecond

func (r *Recorder) settle(ctx context.Context, refresh []time.Duration, ticks int) error {
	got, err := r.Edge()
	last, seen, waiting := make([]uint64, r.devices), make([]int, r.devices), make([]bool, r.devices)
	for _, s := range got {
		last[s.GPU] = s.EnergyMJ
	}
	longest := time.Duration(0)
	for g, t := range refresh {
		waiting[g] = t > 0 || ticks > 1
		if longest = max(longest, t); t == 0 && ticks > 1 {
			longest = max(longest, fallOff/ticksAfter)
		}
	}
	deadline := time.Now().Add(time.Duration((settleLimit + float64(ticks-1)) * float64(longest)))
	for slices.Contains(waiting, true) && time.Now().Before(deadline) {
		if serr := Sleep(ctx, settleEvery); serr != nil {
			return serr
		}
		got, err = r.edge(r.quick())
		for _, s := range got {
			if s.Has&device.HasEnergy != 0 && s.EnergyMJ != last[s.GPU] {
				last[s.GPU] = s.EnergyMJ
				seen[s.GPU]++
				waiting[s.GPU] = waiting[s.GPU] && seen[s.GPU] < ticks
			}
		}
	}
	return err
}

// sampleFunc takes one reading of every device, as Sampler.Sample.
type sampleFunc func(epoch time.Time, dst []device.Sample) ([]device.Sample, error)

// quick is how energy and power alone are read, where the sampler can, and else all.
func (r *Recorder) quick() sampleFunc {
	if q, ok := r.sampler.(interface {
		SampleEnergy(epoch time.Time, dst []device.Sample) ([]device.Sample, error)
	}); ok {
		return q.SampleEnergy
	}
	return r.sampler.Sample
}

// take takes one reading of every device and stores it. The caller holds mu.
func (r *Recorder) take(edge bool, sample sampleFunc) []device.Sample {
	got, err := sample(r.epoch, r.scratch[:0])
	if err != nil {
		r.failed++
		r.lastErr = err
	}
	for i := range got {
		got[i].Phase, got[i].Edge = uint8(r.phase), edge
	}
	if r.total+len(got) > maxSamples && !edge {
		r.dropped += len(got)
		return got
	}
	for i := range got {
		b := r.total / blockSamples
		if b == len(r.blocks) {
			r.grow()
		}
		r.blocks[b] = append(r.blocks[b], got[i])
		r.total++
	}
	return got
}

func (r *Recorder) grow()     { r.blocks = append(r.blocks, make([]device.Sample, 0, blockSamples)) }
func (r *Recorder) free() int { return len(r.blocks)*blockSamples - r.total }

// Samples is a copy of every reading so far, in the order they were taken.
func (r *Recorder) Samples() []device.Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]device.Sample, 0, r.total)
	for _, b := range r.blocks {
		out = append(out, b...)
	}
	return out
}

// Trouble says how many readings failed or were dropped, and the last error.
func (r *Recorder) Trouble() (failed, dropped int, last error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed, r.dropped, r.lastErr
}

// errNoReading says that a GPU gave no reading where a span needs one.
var errNoReading = errors.New("GPU gave no reading")
