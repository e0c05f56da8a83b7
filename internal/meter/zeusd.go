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

	"github.com/llenergymeasure/llem/internal/measure"
)

// ZeusdSocket is where Zeus's daemon listens unless ZEUSD_SOCK_PATH says
// otherwise.
const ZeusdSocket = "/run/zeusd/zeusd.sock"

// zeusdTimeout bounds one answer of the daemon.
const zeusdTimeout = 5 * time.Second

// zeusd speaks to Zeus's daemon over its socket.
type zeusd struct {
	web    *http.Client
	socket string
	ids    string // of the GPUs, comma-separated
	first  map[string]uint64
}

type zeusdGPU struct {
	ID         int
	Name       string
	PCIAddress string `json:"pci_address"` // 0.5.0 does not tell
}

// OpenZeusd finds the daemon on socket and the GPUs in its list, by NVML index,
// and by PCI address where the daemon tells it.
func OpenZeusd(ctx context.Context, socket string, gpus []measure.Device) (*Instrument, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	z := &zeusd{socket: socket, web: &http.Client{Timeout: zeusdTimeout, Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 1}}}
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
		return nil, fmt.Errorf("zeusd on %s wants a token, which llem has none of: serve it without", socket)
	case found.Groups != nil && !slices.Contains(found.Groups, "gpu-read"):
		return nil, fmt.Errorf("zeusd on %s does not serve GPU readings: start it with --enable gpu-read", socket)
	}
	var ids []string
	for _, d := range gpus {
		at := slices.IndexFunc(found.GPUs, func(g zeusdGPU) bool {
			if g.PCIAddress != "" && d.PCIBusID != "" {
				return samePCI(g.PCIAddress, d.PCIBusID)
			}
			return g.ID == d.Index && (g.Name == "" || d.Name == "" || g.Name == d.Name)
		})
		if at < 0 {
			return nil, fmt.Errorf("zeusd on %s does not list GPU %d (%s): restart it", socket, d.Index, d.Name)
		}
		ids = append(ids, strconv.Itoa(found.GPUs[at].ID))
	}
	z.ids = strings.Join(ids, ",")
	if _, err := z.counters(ctx); err != nil { // before Volta there is no counter: 400
		return nil, err
	}
	return &Instrument{
		name: "zeusd", versions: map[string]string{},
		begin: func(ctx context.Context) (err error) {
			z.first, err = z.counters(ctx)
			return err
		},
		end:   func(ctx context.Context) (measure.Reading, error) { return z.end(ctx, ids) },
		close: func() error { z.web.CloseIdleConnections(); return nil },
	}, nil
}

func (z *zeusd) end(ctx context.Context, ids []string) (measure.Reading, error) {
	last, err := z.counters(ctx)
	if err != nil {
		return measure.Reading{}, err
	}
	var list []*float64
	for _, id := range ids {
		if last[id] < z.first[id] {
			return measure.Reading{}, errors.New("zeusd: an energy counter went backwards")
		}
		j := float64(last[id]-z.first[id]) / 1000
		list = append(list, &j)
	}
	return perGPU(list, len(ids))
}

// counters are millijoules by the daemon's GPU number.
func (z *zeusd) counters(ctx context.Context) (map[string]uint64, error) {
	var got map[string]struct {
		EnergyMJ *uint64 `json:"energy_mj"`
	}
	if err := z.get(ctx, "/gpu/get_cumulative_energy?gpu_ids="+z.ids, &got); err != nil {
		return nil, err
	}
	out := map[string]uint64{}
	for _, id := range strings.Split(z.ids, ",") {
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
		return fmt.Errorf("zeusd on %s does not answer: %w", z.socket, errors.Unwrap(err))
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

// samePCI compares addresses by their tail: NVML's domain has 8 digits, others' 4.
func samePCI(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if len(a) < len(b) {
		a, b = b, a
	}
	return strings.HasSuffix(a, b)
}
