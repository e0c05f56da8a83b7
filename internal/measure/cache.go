package measure

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// BaselineCache keeps baselines on disk, one file each, so that the second
// experiment of an hour does not wait for the same 30 seconds again. The zero
// value keeps nothing.
type BaselineCache struct {
	Dir   string        // made when first needed
	TTL   time.Duration // how long a baseline is believed; 0: never cached
	Least time.Duration // one that was measured for less is not used
}

// BaselineKey names what a baseline holds for: the GPUs, the driver, the boot,
// their power limits and persistence modes, and how it was read.
func BaselineKey(devices []device.Device, boot, method string) string {
	parts := make([]string, 0, len(devices)+2)
	for _, d := range devices {
		limit, persistence := "?", "?"
		if d.PowerLimitW != nil {
			limit = fmt.Sprintf("%.3f", *d.PowerLimitW)
		}
		if d.Persistence != nil {
			persistence = fmt.Sprint(*d.Persistence)
		}
		parts = append(parts, strings.Join([]string{d.UUID, d.Driver, limit, persistence}, "/"))
	}
	sort.Strings(parts)
	parts = append(parts, boot, method)
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:12])
}

// cached is a baseline on disk.
type cached struct {
	PerGPU     map[string]float64      `json:"per_gpu_w"`                // by UUID
	Components map[string]device.Watts `json:"u_components_w,omitempty"` // none: its uncertainty is unknown
	Method     string                  `json:"method"`
	Duration   float64                 `json:"duration_seconds"`
	MeasuredAt time.Time               `json:"measured_at"`
}

// Load returns the baseline under key if there is one that is young enough and
// was measured for long enough.
func (c BaselineCache) Load(key string, devices []device.Device, now time.Time) (Baseline, bool) {
	if c.TTL <= 0 {
		return Baseline{}, false
	}
	data, err := os.ReadFile(c.path(key))
	if err != nil {
		return Baseline{}, false
	}
	var on cached
	if json.Unmarshal(data, &on) != nil {
		return Baseline{}, false
	}
	age := now.Sub(on.MeasuredAt)
	if age < 0 || age > c.TTL || on.Duration < c.Least.Seconds() {
		return Baseline{}, false
	}
	b := Baseline{
		Method: on.Method, Duration: time.Duration(on.Duration * float64(time.Second)),
		MeasuredAt: on.MeasuredAt,
	}
	for _, d := range devices {
		w, ok := on.PerGPU[d.UUID]
		if !ok {
			return Baseline{}, false
		}
		b.PerGPU = append(b.PerGPU, device.Watts(w))
		b.Power += device.Watts(w)
	}
	if len(on.Components) > 0 {
		b.known(on.Components)
	}
	b.Aged(age)
	return b, true
}

// Store keeps b under key. A contaminated baseline is never kept.
func (c BaselineCache) Store(key string, devices []device.Device, b Baseline) error {
	if c.TTL <= 0 || b.Contaminated || b.Unlisted != nil {
		return nil
	}
	on := cached{PerGPU: map[string]float64{}, Method: b.Method, Duration: b.Duration.Seconds(), MeasuredAt: b.MeasuredAt, Components: b.Components}
	for i, d := range devices {
		on.PerGPU[d.UUID] = float64(b.PerGPU[i])
	}
	data, err := json.Marshal(on)
	if err != nil {
		return fmt.Errorf("encode baseline: %w", err)
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return fmt.Errorf("make baseline cache: %w", err)
	}
	tmp, err := os.CreateTemp(c.Dir, temporary)
	if err != nil {
		return fmt.Errorf("write baseline cache: %w", err)
	}
	_ = lockFile(tmp) // or Sweep may take it for one that was left
	if _, err = tmp.Write(data); err == nil {
		err = os.Rename(tmp.Name(), c.path(key))
	}
	err = errors.Join(err, tmp.Close())
	if err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("write baseline cache: %w", err)
	}
	return nil
}

// temporary names a baseline that is being written.
const temporary = ".baseline-*"

// lockFile takes a lock that ends with the file or the process.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// Sweep removes what was being written when llem was killed.
func (c BaselineCache) Sweep() error {
	files, err := filepath.Glob(filepath.Join(c.Dir, temporary))
	if err != nil {
		return err
	}
	var failed error
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			continue // it has gone
		}
		if lockFile(f) == nil {
			failed = errors.Join(failed, os.Remove(path))
		}
		_ = f.Close()
	}
	return failed
}

// Clear removes every cached baseline and says how many there were.
func (c BaselineCache) Clear() (int, error) {
	files, err := filepath.Glob(filepath.Join(c.Dir, "baseline-*.json"))
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("clear baseline cache: %w", err)
		}
	}
	return len(files), nil
}

func (c BaselineCache) path(key string) string {
	return filepath.Join(c.Dir, "baseline-"+key+".json")
}
