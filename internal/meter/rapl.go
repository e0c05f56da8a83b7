package meter

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/measure"
)

// Powercap is where Linux shows the energy counters of CPUs and memory.
const Powercap = "/sys/class/powercap"

// errNoRAPL: this host has no counter of CPU energy.
var errNoRAPL = errors.New("no RAPL energy counter on this host")

var _ measure.HostReader = (*RAPL)(nil)

// RAPL reads the energy counters of CPU packages and of their memory. The zero
// value reads nothing.
type RAPL struct{ zones []raplZone }

type raplZone struct {
	measure.HostDomain
	file string
}

// OpenRAPL finds the domains below dir, [Powercap] on a real host: packages and
// the DRAM of each. psys is the whole machine with the packages in it, core and
// uncore are parts of a package: none of them is read. The error is ErrNoRAPL, or
// names a file that may not be read and the command that allows it.
func OpenRAPL(dir string) (*RAPL, error) {
	names, err := filepath.Glob(filepath.Join(dir, "intel-rapl:*"))
	if err != nil {
		return nil, err
	}
	r := &RAPL{}
	for _, zone := range names {
		name := line(filepath.Join(zone, "name"))
		if !strings.HasPrefix(name, "package") && name != "dram" {
			continue
		}
		z := raplZone{file: filepath.Join(zone, "energy_uj")}
		z.Name = name
		if name == "dram" { // of the package that it stands below: intel-rapl:0:2 of intel-rapl:0
			z.Name = "dram-" + strings.Split(filepath.Base(zone), ":")[1]
		}
		// An unknown maximum is 0: a counter that wraps at an unknown place is void.
		z.MaxUJ, _ = strconv.ParseUint(line(filepath.Join(zone, "max_energy_range_uj")), 10, 64)
		if _, err := z.read(); errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("%w; sudo chmod a+r %s allows it until the next boot", err, filepath.Join(dir, "intel-rapl:*/energy_uj"))
		} else if err != nil {
			return nil, fmt.Errorf("read RAPL: %w", err)
		}
		r.zones = append(r.zones, z)
	}
	if len(r.zones) == 0 {
		return nil, fmt.Errorf("%w: %s shows none", errNoRAPL, dir)
	}
	return r, nil
}

// Domains are what Read reads, in its order.
func (r *RAPL) Domains() []measure.HostDomain {
	out := make([]measure.HostDomain, len(r.zones))
	for i, z := range r.zones {
		out[i] = z.HostDomain
	}
	return out
}

// Read reads every domain's counter, in microjoules.
func (r *RAPL) Read() ([]uint64, error) {
	out := make([]uint64, len(r.zones))
	for i, z := range r.zones {
		v, err := z.read()
		if err != nil {
			return nil, fmt.Errorf("read RAPL: %w", err)
		}
		out[i] = v
	}
	return out, nil
}

func (z raplZone) read() (uint64, error) {
	data, err := os.ReadFile(z.file)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", z.file, err)
	}
	return v, nil
}

func line(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
