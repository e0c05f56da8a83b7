package meter

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/measure"
)

// zone makes one zone of a powercap folder; a field that is empty has no file.
func zone(t *testing.T, dir, id, name, uj, limit string) string {
	t.Helper()
	d := filepath.Join(dir, id)
	if err := os.MkdirAll(d, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"name": name, "energy_uj": uj, "max_energy_range_uj": limit} {
		if text != "" {
			if err := os.WriteFile(filepath.Join(d, file), []byte(text+"\n"), 0o444); err != nil {
				t.Fatal(err)
			}
		}
	}
	return d
}

// Packages and their memory are read. psys has the packages in it, core and
// uncore are in the packages, and the mmio zones are the packages once more.
func TestRAPLReadsNoJouleTwice(t *testing.T) {
	dir := t.TempDir()
	zone(t, dir, "intel-rapl:0", "package-0", "1000", "262143328850")
	zone(t, dir, "intel-rapl:0:0", "core", "1", "262143328850")
	zone(t, dir, "intel-rapl:0:1", "uncore", "2", "262143328850")
	zone(t, dir, "intel-rapl:0:2", "dram", "30", "65712999613")
	zone(t, dir, "intel-rapl:1", "package-1", "2000", "262143328850")
	zone(t, dir, "intel-rapl:1:0", "dram", "40", "")
	zone(t, dir, "intel-rapl:2", "psys", "9000", "262143328850")
	zone(t, dir, "intel-rapl-mmio:0", "package-0", "1000", "262143328850")
	r, err := OpenRAPL(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []measure.HostDomain{{Name: "package-0", MaxUJ: 262143328850}, {Name: "dram-0", MaxUJ: 65712999613}, {Name: "package-1", MaxUJ: 262143328850}, {Name: "dram-1"}}
	if got := r.Domains(); !slices.Equal(got, want) {
		t.Errorf("domains %v, want %v", got, want)
	}
	if got, err := r.Read(); err != nil || !slices.Equal(got, []uint64{1000, 30, 2000, 40}) {
		t.Errorf("read %v, %v", got, err)
	}
	if err := os.Remove(filepath.Join(dir, "intel-rapl:1:0", "energy_uj")); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Read(); err == nil {
		t.Errorf("a domain that is gone reads %v", got)
	}
}

func TestHostsWithoutRAPL(t *testing.T) {
	for name, dir := range map[string]string{"no folder": filepath.Join(t.TempDir(), "none"), "an empty one": t.TempDir()} {
		if r, err := OpenRAPL(dir); !errors.Is(err, errNoRAPL) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	dir := t.TempDir()
	zone(t, dir, "intel-rapl:0", "psys", "1", "2")
	if _, err := OpenRAPL(dir); !errors.Is(err, errNoRAPL) {
		t.Errorf("psys alone: %v", err)
	}
	zone(t, dir, "intel-rapl:1", "package-0", "many", "2")
	if _, err := OpenRAPL(dir); err == nil || !strings.Contains(err.Error(), "intel-rapl:1/energy_uj") {
		t.Errorf("a counter that is no number: %v", err)
	}
}

// Since Linux 5.10 only root may read the counters: the error names the file and
// the command that changes this.
func TestRAPLThatMayNotBeRead(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything; cmd/llem tests this as another user")
	}
	dir := t.TempDir()
	file := filepath.Join(zone(t, dir, "intel-rapl:0", "package-0", "1", "2"), "energy_uj")
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRAPL(dir); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "sudo chmod a+r "+dir) {
		t.Errorf("%v", err)
	}
}
