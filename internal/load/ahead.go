package load

import "fmt"

// ahead makes requests before they are due, in a goroutine of its own: the window holds
// a few of them and never all.
type ahead struct {
	ready chan Request // closed when there are no more
	stop  chan struct{}
	err   error // why no more could be made; read it once ready is closed
}

// aheadAtLeast is how many are made ahead where nothing else is said.
const aheadAtLeast = 64

// makeAhead makes requests from number n on, at most room of them ahead, and returns when so many are
// ready. prepare, if any, completes one for its sending.
func makeAhead(n, most, room int, more func(n int) (Request, error), prepare func(*Request) error) *ahead {
	a := &ahead{ready: make(chan Request, max(room, aheadAtLeast)), stop: make(chan struct{})}
	full := make(chan struct{})
	go func() {
		defer close(a.ready)
		filling := true
		for ; most <= 0 || n < most; n++ {
			r, err := more(n)
			if err == nil && prepare != nil {
				err = prepare(&r)
			}
			if err != nil {
				a.err = fmt.Errorf("make request %d: %w", n+1, err)
				break
			}
			if filling {
				select {
				case a.ready <- r:
					continue
				default:
				}
				filling = false
				close(full)
			}
			select {
			case a.ready <- r:
			case <-a.stop:
				return
			}
		}
		if filling {
			close(full)
		}
	}()
	<-full
	return a
}

// next is the next one; ok is false when there are no more.
func (a *ahead) next() (r Request, ok bool) {
	if a == nil {
		return Request{}, false
	}
	r, ok = <-a.ready
	return r, ok
}

// close ends the making, waits for it, and says why no more could be made.
func (a *ahead) close() error {
	if a == nil {
		return nil
	}
	close(a.stop)
	for range a.ready {
	}
	return a.err
}
