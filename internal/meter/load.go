package meter

import (
	"sort"
	"sync"
	"time"
)

// Load is how busy simulated GPUs are over time, from 0 for idle to 1 for all that they
// can. The zero value is idle. Any goroutines may use it at once.
type Load struct {
	mu    sync.Mutex
	turns []turn
}

// turn is where a load changed.
type turn struct {
	at   time.Time
	busy float64 // from then on
	done float64 // until then, in seconds of full load
}

// Set has the GPUs so busy from now on, such as requests in flight over the most that
// there can be. Less than 0 is 0 and more than 1 is 1.
func (l *Load) Set(busy float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now() // under the lock: what was read does not change afterwards
	l.turns = append(l.turns, turn{at: now, busy: min(max(busy, 0), 1), done: l.doneBy(now)})
}

// until is the load up to t, in seconds of full load.
func (l *Load) until(t time.Time) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.doneBy(t)
}

func (l *Load) doneBy(t time.Time) float64 {
	i := sort.Search(len(l.turns), func(i int) bool { return l.turns[i].at.After(t) })
	if i == 0 {
		return 0
	}
	last := l.turns[i-1]
	return last.done + last.busy*t.Sub(last.at).Seconds()
}

func (l *Load) now() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.turns) == 0 {
		return 0
	}
	return l.turns[len(l.turns)-1].busy
}
