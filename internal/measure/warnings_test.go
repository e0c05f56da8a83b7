package measure

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/device"
)

func codes(ws []Warning) string {
	var out []string
	for _, w := range ws {
		out = append(out, w.Code)
	}
	return strings.Join(out, " ")
}

// window makes 20 readings of one GPU, its temperature going from a to b, with
// these throttle bits.
func window(n int, a, b int32, bits device.Throttle) []device.Sample {
	var out []device.Sample
	for i := range n {
		temp := a
		if i == n-1 {
			temp = b
		}
		out = append(out, device.Sample{At: time.Duration(i) * time.Second, Phase: uint8(WindowPhase), Has: device.HasPowerInstant | device.HasTemperature | device.HasThrottle, TemperatureC: temp, Throttle: bits, PowerInstMW: 1000})
	}
	return out
}

func TestGPUWarningsAreRaisedAndNotRaised(t *testing.T) {
	yes, no := true, false
	j := func(v float64) *Joules { x := Joules(v); return &x }
	w := device.Watts(300)
	for _, tc := range []struct {
		name        string
		persistence *bool
		samples     []device.Sample
		energy      DeviceEnergy
		want        string
	}{
		{"quiet", &yes, window(20, 50, 60, 0x1), DeviceEnergy{Samples: 20}, ""},
		{"persistence unknown", nil, window(20, 50, 50, 0), DeviceEnergy{Samples: 20}, ""},
		{"persistence off", &no, window(20, 50, 50, 0), DeviceEnergy{Samples: 20}, "gpu_persistence_mode_off"},
		{"drift up by more than 10", &yes, window(20, 50, 61, 0), DeviceEnergy{Samples: 20}, "thermal_drift_detected"},
		{"drift down by more than 10", &yes, window(20, 61, 50, 0), DeviceEnergy{Samples: 20}, "thermal_drift_detected"},
		{"nine readings", &yes, window(9, 50, 50, 0), DeviceEnergy{Samples: 9}, "nvml_low_sample_count"},
		{"ten readings", &yes, window(10, 50, 50, 0), DeviceEnergy{Samples: 10}, ""},
		{"thermal slowdown", &yes, window(20, 50, 50, 0x40), DeviceEnergy{Samples: 20}, "throttled"},
		{"power cap", &yes, window(20, 50, 50, 0x4), DeviceEnergy{Samples: 20}, "power_capped"},
		{"counter reset", &yes, window(20, 50, 50, 0), DeviceEnergy{Samples: 20, Reset: true}, "counter_reset"},
		{"lost", &yes, window(20, 50, 50, 0), DeviceEnergy{Samples: 20, Lost: true}, "gpu_lost"},
		{"counter stuck", &yes, window(20, 50, 50, 0), DeviceEnergy{Samples: 20, Still: true}, "counter_stuck"},
		{"sensors disagree", &yes, window(20, 50, 50, 0), DeviceEnergy{Samples: 20, Counter: j(187), Integral: j(327), Mean: &w}, "sensor_disagreement"},
		{"sensors agree", &yes, window(20, 50, 50, 0), DeviceEnergy{Samples: 20, Counter: j(3000), Integral: j(3060), Mean: &w}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := GPUWarnings(GPUFacts{
				Devices: []device.Device{{Persistence: tc.persistence}}, Samples: tc.samples,
				Energies: []DeviceEnergy{tc.energy}, DriftThreshold: 10,
			})
			if codes(got) != tc.want {
				t.Errorf("got %q, want %q", codes(got), tc.want)
			}
		})
	}
}

func TestThrottleIsSeenOnEveryGPU(t *testing.T) {
	s := window(20, 50, 50, 0x80)
	for i := range s {
		s[i].GPU = 1
	}
	got := GPUWarnings(GPUFacts{Devices: make([]device.Device, 2), Samples: s, Energies: []DeviceEnergy{{Samples: 20}, {Samples: 20}}, DriftThreshold: 10})
	if codes(got) != "throttled" || !strings.Contains(got[0].Message, "power brake") {
		t.Errorf("got %v, want throttled by the power brake", got)
	}
}

func TestShortWindow(t *testing.T) {
	if _, ok := ShortWindow(10 * time.Second); ok {
		t.Error("10 s warned")
	}
	if w, ok := ShortWindow(9990 * time.Millisecond); !ok || w.Code != "short_measurement_duration" {
		t.Error("9.99 s did not warn")
	}
}

func TestBaselineWarnings(t *testing.T) {
	minus, plus := Joules(-1), Joules(1)
	for _, tc := range []struct {
		name     string
		b        *Baseline
		adjusted *Joules
		want     string
	}{
		{"none", nil, nil, ""},
		{"clean", &Baseline{}, &plus, ""},
		{"negative", &Baseline{}, &minus, "negative_adjusted_energy"},
		{"contaminated", &Baseline{Contaminated: true, Processes: []device.Process{{PID: 1}}}, &plus, "baseline_contaminated"},
		{"unwatched", &Baseline{Unlisted: errors.New("no list")}, &plus, "exclusivity_unknown"},
		{"fresh from the cache", &Baseline{Cached: true, Age: time.Minute}, &plus, ""},
		{"old from the cache", &Baseline{Cached: true, Age: 2 * time.Hour}, &plus, "baseline_stale"},
	} {
		if got := codes(BaselineWarnings(tc.b, tc.adjusted)); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestBaselineDrift(t *testing.T) {
	u := device.Watts(0.5)
	for after, want := range map[device.Watts]bool{60: false, 61: false, 62: true, 58: true} {
		w, ok := BaselineDrift(Baseline{Power: 60, U: &u}, Baseline{Power: after})
		if ok != want || ok && w.Code != "baseline_drift" {
			t.Errorf("60 W and then %g W: %v", float64(after), w)
		}
	}
	if _, ok := BaselineDrift(Baseline{Power: 60, U: &u}, Baseline{Power: 61.5, U: &u}); ok {
		t.Error("1.5 W are within three times what both are known to")
	}
}

func TestCountMismatch(t *testing.T) {
	for _, tc := range []struct {
		ours, theirs int64
		want         bool
	}{{1000, 1000, false}, {1000, 1010, false}, {1000, 1011, true}, {1000, 0, true}, {0, 0, false}} {
		if _, got := CountMismatch("output", tc.ours, tc.theirs); got != tc.want {
			t.Errorf("CountMismatch(%d, %d) = %v, want %v", tc.ours, tc.theirs, got, tc.want)
		}
	}
}

// warningTable is the table of docs/results.md.
func warningTable() string {
	var b strings.Builder
	b.WriteString("| code | severity | what to do |\n|---|---|---|\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "| `%s` | %s%s | %s |\n", k.Code, k.Severity, k.Otherwise, k.Remedy)
	}
	return b.String()
}

// docs/results.md lists the warnings as the table has them.
func TestEveryWarningSaysWhatToDoAndIsDocumented(t *testing.T) {
	for _, k := range Kinds() {
		if first, _ := KindOf(k.Code); first != k || k.Remedy == "" || k.Severity != Note && k.Severity != Doubt && k.Severity != Invalid {
			t.Errorf("%s: severity %q, remedy %q, or its code is there twice", k.Code, k.Severity, k.Remedy)
		}
	}
	const path = "../../docs/results.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(page), "| code | severity | what to do |")
	if !found {
		t.Fatalf("%s has no table of warnings", path)
	}
	for strings.HasPrefix(rest, "\n|") {
		_, rest, _ = strings.Cut(rest[1:], "\n")
		rest = "\n" + rest
	}
	want := head + strings.TrimSuffix(warningTable(), "\n") + rest
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("%s (go test ./internal/measure -update rewrites it): -want +got:\n%s", path, diff)
	}
}

func TestBaselineCache(t *testing.T) {
	limit, on := 300.0, true
	devices := []device.Device{{UUID: "GPU-b", Driver: "580", PowerLimitW: &limit, Persistence: &on}, {UUID: "GPU-a", Driver: "580"}}
	c := BaselineCache{Dir: t.TempDir() + "/made", TTL: time.Hour}
	now := time.Now().UTC()
	b := Baseline{PerGPU: []device.Watts{60, 40}, Power: 100, Method: MethodCounter, Duration: 30 * time.Second, MeasuredAt: now}
	key := BaselineKey(devices, "boot", MethodCounter)
	if err := c.Store(key, devices, b); err != nil {
		t.Fatal(err)
	}
	swapped := []device.Device{devices[1], devices[0]}
	got, ok := c.Load(BaselineKey(swapped, "boot", MethodCounter), swapped, now.Add(10*time.Minute))
	if !ok || !got.Cached || got.Age != 10*time.Minute || got.Power != 100 || got.PerGPU[0] != 40 {
		t.Errorf("hit = %v, %+v; want 40 and 60 W in the order asked for", ok, got)
	}
	if _, ok := c.Load(key, devices, now.Add(61*time.Minute)); ok {
		t.Error("an expired baseline was used")
	}
	longer := c
	for least, want := range map[time.Duration]bool{5 * time.Second: true, 30 * time.Second: true, 31 * time.Second: false} {
		longer.Least = least
		if _, ok := longer.Load(key, devices, now); ok != want {
			t.Errorf("a baseline of 30 s where %s are asked for: hit = %v, want %v", least, ok, want)
		}
	}
	if _, ok := c.Load(key, devices, now.Add(-time.Minute)); ok {
		t.Error("a baseline from the future was used")
	}
	lower := 250.0
	for what, other := range map[string]string{
		"boot":        BaselineKey(devices, "other", MethodCounter),
		"power limit": BaselineKey([]device.Device{{UUID: "GPU-b", Driver: "580", PowerLimitW: &lower, Persistence: &on}, devices[1]}, "boot", MethodCounter),
		"driver":      BaselineKey([]device.Device{{UUID: "GPU-b", Driver: "590", PowerLimitW: &limit, Persistence: &on}, devices[1]}, "boot", MethodCounter),
		"persistence": BaselineKey([]device.Device{{UUID: "GPU-b", Driver: "580", PowerLimitW: &limit}, devices[1]}, "boot", MethodCounter),
		"GPU set":     BaselineKey(devices[:1], "boot", MethodCounter),
	} {
		if other == key {
			t.Errorf("the key does not depend on the %s", what)
		}
	}
	dirty, unseen := b, b
	dirty.Contaminated, unseen.Unlisted = true, errors.New("no list")
	for name, b := range map[string]Baseline{"contaminated": dirty, "unwatched": unseen} {
		if err := c.Store(name, devices, b); err != nil {
			t.Fatal(err)
		}
		if _, ok := c.Load(name, devices, now); ok {
			t.Errorf("a baseline that is %s was cached", name)
		}
	}
	if _, ok := (BaselineCache{Dir: c.Dir}).Load(key, devices, now); ok {
		t.Error("a cache without a TTL gave a baseline")
	}
	if n, err := c.Clear(); n != 1 || err != nil {
		t.Errorf("Clear = %d, %v; want 1", n, err)
	}
}
