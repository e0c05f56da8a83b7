package measure

import (
	"context"
	"fmt"
	"time"
)

// HostDomain is one counter of the host's energy.
type HostDomain struct {
	Name  string // package-0, dram-0
	MaxUJ uint64 // where it wraps; 0: unknown
}

// HostReader reads counters of the host's energy, in microjoules.
type HostReader interface {
	Domains() []HostDomain
	Read() ([]uint64, error)
}

// HostEnergy is what one domain used. Energy is nil where its counter was lost or
// wrapped at an unknown place.
type HostEnergy struct {
	Domain string
	Energy *Joules
}

// hostEvery is how often counters are read, so that none wraps twice unseen: the
// smallest ranges, 32 bits of units of 15.3 µJ (Intel's Software Developer's Manual,
// volume 3, MSR_RAPL_POWER_UNIT), last 3 minutes at 350 W.
const hostEvery = 20 * time.Second

// HostSpan adds up the host's energy from its start on.
type HostSpan struct {
	r      HostReader
	last   []uint64
	sum    []uint64
	void   []bool
	cancel context.CancelFunc
	done   chan struct{}
}

// StartHost opens a span; Stop ends it.
func StartHost(ctx context.Context, r HostReader) (*HostSpan, error) {
	first, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("open host energy: %w", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &HostSpan{r: r, last: first, sum: make([]uint64, len(first)), void: make([]bool, len(first)), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for Sleep(ctx, hostEvery) == nil {
			s.add()
		}
	}()
	return s, nil
}

// Stop ends the span and gives each domain's energy, in the reader's order.
func (s *HostSpan) Stop() []HostEnergy {
	s.cancel()
	<-s.done
	s.add()
	out := make([]HostEnergy, 0, len(s.sum))
	for i, d := range s.r.Domains() {
		e := HostEnergy{Domain: d.Name}
		if !s.void[i] {
			j := Joules(float64(s.sum[i]) / 1e6)
			e.Energy = &j
		}
		out = append(out, e)
	}
	return out
}

// add takes one more reading. A counter that went backwards has wrapped once.
func (s *HostSpan) add() {
	now, err := s.r.Read()
	domains := s.r.Domains()
	for i := range s.sum {
		switch {
		case err != nil:
			s.void[i] = true
		case now[i] >= s.last[i]:
			s.sum[i] += now[i] - s.last[i]
		case domains[i].MaxUJ >= s.last[i]:
			s.sum[i] += domains[i].MaxUJ - s.last[i] + now[i]
		default:
			s.void[i] = true
		}
	}
	if err == nil {
		s.last = now
	}
}
