package lease

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
)

// host is one whose GPUs 0, 1, ... are named GPU-0, GPU-1, ...; in says which of
// them have a process as they are looked at for the n-th time.
type host struct {
	device.Session
	size   int
	in     func(look, gpu int) bool
	looked int
}

func (h *host) Devices(context.Context) (list []device.Device, err error) {
	for i := range h.size {
		list = append(list, device.Device{Index: i, UUID: "GPU-" + string(rune('0'+i))})
	}
	return list, nil
}

func (h *host) Select(ctx context.Context, ids []string) (list []device.Device, err error) {
	all, err := h.Devices(ctx)
	for _, id := range ids {
		i := slices.IndexFunc(all, func(d device.Device) bool { return d.UUID == id })
		if i < 0 {
			return nil, errors.New("no GPU " + id)
		}
		list = append(list, all[i])
	}
	return list, err
}

func (h *host) Watch(devices []device.Device) (device.Watcher, error) {
	h.looked++
	var l lister
	for at, d := range devices {
		if h.in != nil && h.in(h.looked, d.Index) {
			l.list = append(l.list, device.Process{PID: 7, Device: at})
		}
	}
	return l, nil
}

// What a claim takes, and whose fault it is where it takes nothing.
func TestGPUsThatAreClaimed(t *testing.T) {
	used := func(gpus ...int) func(int, int) bool {
		return func(_, gpu int) bool { return slices.Contains(gpus, gpu) }
	}
	for _, c := range []struct {
		name  string
		host  host
		locks string // by another llem
		want  Want
		got   []string
		err   string
		busy  bool
		kind  launch.Kind
	}{
		{name: "the first that are free", host: host{size: 4, in: used(1)}, locks: "GPU-0", want: Want{Auto: true, N: 2}, got: []string{"GPU-2", "GPU-3"}},
		{name: "those that are named, also in use", host: host{size: 2, in: used(1)}, want: Want{IDs: []string{"GPU-1"}, N: 1}, got: []string{"GPU-1"}},
		{name: "those of a server", host: host{size: 3, in: used(1, 2)}, want: Want{Auto: true, N: 2, Serves: true}, got: []string{"GPU-1", "GPU-2"}},
		{name: "the only one, of a server", host: host{size: 1}, want: Want{Auto: true, N: 1, Serves: true}, got: []string{"GPU-0"}},
		{name: "a server's that are unknown", host: host{size: 2}, want: Want{Auto: true, N: 1, Serves: true}, err: "processes are on 0", kind: launch.ConfigFault},
		{name: "too few in all", host: host{size: 1}, want: Want{Auto: true, N: 2}, err: "this host has 1", kind: launch.ConfigFault},
		{name: "too few named", host: host{size: 2}, want: Want{IDs: []string{"GPU-0"}, N: 2}, err: "2 GPUs (tensor", kind: launch.ConfigFault},
		{name: "none of that name", host: host{size: 1}, want: Want{IDs: []string{"GPU-7"}, N: 1}, err: "select GPUs: no GPU GPU-7", kind: launch.ConfigFault},
		{name: "too few free", host: host{size: 2, in: used(1)}, want: Want{Auto: true, N: 2}, err: "GPU in use: 1 of 2 are free", busy: true, kind: launch.HostFault},
		{name: "one is locked", host: host{size: 2}, locks: "GPU-1", want: Want{IDs: []string{"GPU-0", "GPU-1"}, N: 2}, err: "locked by llem run other", busy: true, kind: launch.HostFault},
		{name: "locked, and too few free", host: host{size: 2}, locks: "GPU-0", want: Want{Auto: true, N: 2}, err: "1 of 2 GPUs are free and 2 are needed: GPU GPU-0 is locked", busy: true, kind: launch.HostFault},
	} {
		t.Run(c.name, func(t *testing.T) {
			useLockDir(t)
			if c.locks != "" {
				other, err := lockGPUs("other", c.locks)
				if err != nil {
					t.Fatal(err)
				}
				defer other.Release()
			}
			l := New("mine", nil)
			defer l.Release()
			got, why, err := l.Claim(t.Context(), &c.host, c.want)
			if !slices.Equal(device.UUIDs(got), c.got) || !slices.Equal(device.UUIDs(l.Devices()), c.got) || why != "" {
				t.Errorf("got %v, holds %v, want %v; %s", device.UUIDs(got), device.UUIDs(l.Devices()), c.got, why)
			}
			if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) || errors.Is(err, ErrBusy) != c.busy || launch.KindOf(err) != c.kind {
				t.Errorf("got %v, want %q, busy %v, kind %v", err, c.err, c.busy, c.kind)
			}
		})
	}
}

// A claim that waits holds no GPU meanwhile, and takes all of them once they are free:
// those that it had locked in a try before are not in its own way.
func TestAClaimThatWaits(t *testing.T) {
	for name, w := range map[string]Want{"the first free": {Auto: true, N: 2}, "named": {IDs: []string{"GPU-0", "GPU-1"}, N: 2}} {
		useLockDir(t)
		synctest.Test(t, func(t *testing.T) {
			h := &host{size: 2, in: func(look, gpu int) bool { return look < 3 && gpu == 1 }}
			l := New("mine", nil)
			said := 0
			w.Waiting = func(why error) {
				said++
				if other, err := lockGPUs("other", "GPU-0", "GPU-1"); err != nil {
					t.Errorf("%s: while it waits: %v", name, err)
				} else {
					other.Release()
				}
			}
			got, _, err := l.Claim(t.Context(), h, w)
			if err != nil || len(got) != 2 || said != 1 {
				t.Errorf("%s: got %v, %v; said %d times that it waits", name, got, err, said)
			}
			// Held by now, they are another's in no case.
			h.in = func(int, int) bool { return true }
			if got, _, err := l.Claim(t.Context(), h, Want{Auto: true, N: 1, Waiting: w.Waiting}); err != nil || len(got) != 1 || len(l.Devices()) != 2 {
				t.Errorf("%s: again: got %v of %v, %v", name, got, l.Devices(), err)
			}
			l.Release()
			ctx, cancel := context.WithCancel(t.Context())
			w.Waiting = func(error) { cancel() }
			if _, _, err := l.Claim(ctx, h, w); launch.KindOf(err) != launch.InterruptFault || len(l.Devices()) != 0 {
				t.Errorf("%s: interrupted: %v, holds %v", name, err, l.Devices())
			}
		})
	}
}
