package meter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
)

// ZeusdSocket is where Zeus's daemon listens unless ZEUSD_SOCK_PATH says
// otherwise.
const ZeusdSocket = "/run/zeusd/zeusd.sock"

// zeusdTimeout bounds one answer of the daemon.
var zeusdTimeout = 5 * time.Second

// zeusd speaks to Zeus's daemon over its socket.
type zeusd struct {
	web    *http.Client
	socket string
	ids    []string          // its numbers of the GPUs
	first  map[string]uint64 // nil: no span is open
}

type zeusdGPU struct {
	ID         int
	Name       string
	PCIAddress string `json:"pci_address"`                 // 0.5.0 tells neither this
	Counts     *bool  `json:"cumulative_energy_available"` // nor this
}

// is tells whether it is d.
func (g zeusdGPU) is(d device.Device) bool {
	if g.PCIAddress != "" && d.PCIBusID != "" {
		return samePCI(g.PCIAddress, d.PCIBusID)
	}
	return g.ID == d.Index && (g.Name == "" || d.Name == "" || g.Name == d.Name)
}

// OpenZeusd finds the daemon on socket and the GPUs in its list, by NVML index,
// and by PCI address where the daemon tells it.
func OpenZeusd(ctx context.Context, socket string, gpus []device.Device) (*Instrument, error) {
	z := newZeusd(socket)
	err := z.discover(ctx, gpus)
	if err == nil {
		_, err = z.counters(ctx) // before Volta there is no counter: 400
	}
	if err != nil {
		z.web.CloseIdleConnections()
		return nil, err
	}
	return &Instrument{
		name: "zeusd", versions: map[string]string{"zeusd": "unknown"}, // 0.5.0 has no route and no header that tells it
		begin: func(ctx context.Context) (err error) {
			z.first, err = z.counters(ctx)
			return err
		},
		end:   z.end,
		close: func() error { z.web.CloseIdleConnections(); return nil },
	}, nil
}

// FindZeusd asks the daemon on socket how many GPUs it serves readings of. It takes
// some seconds at most.
func FindZeusd(ctx context.Context, socket string) (gpus int, err error) {
	z := newZeusd(socket)
	defer z.web.CloseIdleConnections()
	list, err := z.list(ctx)
	return len(list), err
}

func newZeusd(socket string) *zeusd {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &zeusd{socket: socket, web: &http.Client{Timeout: zeusdTimeout, Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 1}}}
}

// list are the daemon's GPUs; an error where it may not be asked for readings.
func (z *zeusd) list(ctx context.Context) ([]zeusdGPU, error) {
	var found struct {
		GPUs   []zeusdGPU
		Groups []string `json:"enabled_api_groups"`
		Auth   bool     `json:"auth_required"`
	}
	if err := z.get(ctx, "/discover", &found); err != nil {
		return nil, err
	}
	switch {
	case found.Auth:
		return nil, fmt.Errorf("zeusd on %s wants a token, which llem has none of: serve it without", z.socket)
	case found.Groups != nil && !slices.Contains(found.Groups, "gpu-read"):
		return nil, fmt.Errorf("zeusd on %s does not serve GPU readings: start it with --enable gpu-read", z.socket)
	}
	return found.GPUs, nil
}

// discover finds the daemon's numbers of GPUs.
func (z *zeusd) discover(ctx context.Context, gpus []device.Device) error {
	list, err := z.list(ctx)
	if err != nil {
		return err
	}
	for _, d := range gpus {
		at := slices.IndexFunc(list, func(g zeusdGPU) bool { return g.is(d) })
		if at < 0 {
			return fmt.Errorf("zeusd on %s does not list GPU %d (%s): restart it", z.socket, d.Index, d.Name)
		}
		g := list[at]
		if g.Counts != nil && !*g.Counts {
			return fmt.Errorf("zeusd on %s finds no energy counter in GPU %d (%s)", z.socket, d.Index, d.Name)
		}
		z.ids = append(z.ids, strconv.Itoa(g.ID))
	}
	return nil
}

func (z *zeusd) end(ctx context.Context) (measure.Reading, error) {
	first := z.first
	if z.first = nil; first == nil { // without it the counters' whole life would be the figure
		return measure.Reading{}, errors.New("zeusd: its span was not opened")
	}
	last, err := z.counters(ctx)
	if err != nil {
		return measure.Reading{}, err
	}
	var list []*float64
	for _, id := range z.ids {
		if last[id] < first[id] {
			return measure.Reading{}, fmt.Errorf("zeusd: the energy counter of its GPU %s went backwards", id)
		}
		j := float64(last[id]-first[id]) / 1000
		list = append(list, &j)
	}
	return perGPU("zeusd", list, len(z.ids))
}

// counters are millijoules by the daemon's GPU number.
func (z *zeusd) counters(ctx context.Context) (map[string]uint64, error) {
	var got map[string]struct {
		EnergyMJ *uint64 `json:"energy_mj"`
	}
	if err := z.get(ctx, "/gpu/get_cumulative_energy?gpu_ids="+strings.Join(z.ids, ","), &got); err != nil {
		return nil, err
	}
	out := map[string]uint64{}
	for _, id := range z.ids {
		if got[id].EnergyMJ == nil {
			return nil, fmt.Errorf("zeusd on %s gave no energy for GPU %s", z.socket, id)
		}
		out[id] = *got[id].EnergyMJ
	}
	return out, nil
}

func (z *zeusd) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://zeusd"+path, nil)
	if err != nil {
		return err
	}
	resp, err := z.web.Do(req)
	if err != nil {
		return fmt.Errorf("zeusd on %s does not answer: %w; start it, or name its socket with ZEUSD_SOCK_PATH", z.socket, errors.Unwrap(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("zeusd on %s: %w", z.socket, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("zeusd on %s answered %s to %s: %.200s", z.socket, resp.Status, path, bytes.TrimSpace(body))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("zeusd on %s answered %.80q to %s: %w", z.socket, body, path, err)
	}
	return nil
}

// samePCI compares addresses, whose domain has 8 digits from NVML and 4 from
// others, or is 0 and left out.
func samePCI(a, b string) bool {
	x, ok := pci(a)
	y, too := pci(b)
	return ok && too && x == y
}

// pci is an address's domain, bus, device and function.
func pci(address string) (n [4]uint64, ok bool) {
	parts := strings.FieldsFunc(address, func(r rune) bool { return r == ':' || r == '.' })
	if len(parts) != 3 && len(parts) != 4 {
		return n, false
	}
	for i, part := range parts {
		v, err := strconv.ParseUint(part, 16, 32)
		if err != nil {
			return n, false
		}
		n[i+4-len(parts)] = v
	}
	return n, true
}
