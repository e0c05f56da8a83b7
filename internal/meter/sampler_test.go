//go:build linux && cgo

package meter

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/llenergymeasure/llem/internal/device"
)

const hasAll = device.HasEnergy | device.HasPowerInstant | device.HasPowerAverage |
	device.HasTemperature | device.HasMemory | device.HasUtilisation | device.HasThrottle

// sample reads one GPU once.
func sample(t *testing.T, s *nvmlSampler) device.Sample {
	t.Helper()
	got, err := s.Sample(time.Now(), nil)
	if err != nil || len(got) != 1 {
		t.Fatalf("got %d samples, %v; want one", len(got), err)
	}
	return got[0]
}

func watchFake(t *testing.T, d *fakeDevice, missing ...string) *nvmlSampler {
	t.Helper()
	lib := &fakeLib{gpus: []*fakeDevice{d}, missing: map[string]bool{}}
	for _, symbol := range missing {
		lib.missing[symbol] = true
	}
	return watchAll(t, openFake(t, lib))
}

func TestSampleReadsEverything(t *testing.T) {
	d := newFakeDevice("GPU-a")
	s := watchFake(t, d)
	clear(d.calls)
	epoch := time.Now()
	got, err := s.Sample(epoch, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := got[0]
	if m.At <= 0 || m.At > time.Since(epoch) || m.Took <= 0 || m.Took > 2*m.At {
		t.Errorf("read at %v in %v, %v after the epoch", m.At, m.Took, time.Since(epoch))
	}
	m.At, m.Took = 0, 0
	want := device.Sample{
		Has: hasAll, EnergyMJ: 5_000_000_000_000, EnergyUS: 1_700_000_000_000_000,
		PowerInstMW: 301_000, PowerAvgMW: 299_000, TemperatureC: 55,
		MemUsed: 2 << 30, MemTotal: 80 << 30, SMUtil: 98, Throttle: 0x4,
	}
	if m != want {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
	if d.calls["energy"]+d.calls["usage"]+d.calls["memory"]+d.calls["throttle reasons"] != 0 {
		t.Errorf("older functions were called without need: %v", d.calls)
	}
}

// Bits are passed on as they are, since the numbers of records are the driver's.
func TestThrottleReasonsAreTheDriversBits(t *testing.T) {
	for reason, bit := range map[device.Throttle]uint64{
		device.SoftwarePowerCap: nvml.ClocksEventReasonSwPowerCap, device.HardwareSlowdown: nvml.ClocksThrottleReasonHwSlowdown,
		device.SoftwareThermal: nvml.ClocksEventReasonSwThermalSlowdown, device.HardwareThermal: nvml.ClocksThrottleReasonHwThermalSlowdown,
		device.HardwarePowerBrake: nvml.ClocksThrottleReasonHwPowerBrakeSlowdown,
	} {
		if uint64(reason) != bit {
			t.Errorf("%#x in records is %#x of the driver", reason, bit)
		}
	}
}

func TestSampleFallsBackForEver(t *testing.T) {
	d := newFakeDevice("GPU-a")
	delete(d.fields, nvml.FI_DEV_ENERGY)
	d.fields[nvml.FI_DEV_POWER_INSTANT] = fails(nvml.ERROR_INVALID_ARGUMENT)
	d.code["memory2"] = nvml.ERROR_ARGUMENT_VERSION_MISMATCH
	d.code["event reasons"] = nvml.ERROR_NOT_SUPPORTED
	s := watchFake(t, d)
	_ = sample(t, s)
	m := sample(t, s)
	want := hasAll&^device.HasPowerInstant | device.HasPowerUsage
	if m.Has != want || m.EnergyMJ != 77 || m.PowerUsageMW != 250_000 || m.MemUsed != 3<<30 || m.Throttle != 0x8 {
		t.Errorf("got %+v, want the older functions' readings", m)
	}
	if !slices.Equal(d.asked, []uint32{nvml.FI_DEV_POWER_AVERAGE}) {
		t.Errorf("asked for fields %v, want only the one that answers", d.asked)
	}
	if d.calls["memory2"] != 1 || d.calls["event reasons"] != 1 {
		t.Errorf("asked again what cannot answer: %v", d.calls)
	}
}

func TestSampleLeavesUnsetWhatFailsNow(t *testing.T) {
	d := newFakeDevice("GPU-a")
	s := watchFake(t, d)
	good := d.fields[nvml.FI_DEV_ENERGY]
	d.fields[nvml.FI_DEV_ENERGY] = fails(nvml.ERROR_UNKNOWN)
	d.code["temperature"] = nvml.ERROR_TIMEOUT
	if m := sample(t, s); m.Has != hasAll&^device.HasEnergy&^device.HasTemperature || m.EnergyMJ != 0 {
		t.Errorf("got %+v, want all but energy and temperature", m)
	}
	d.fields[nvml.FI_DEV_ENERGY] = good
	delete(d.code, "temperature")
	if m := sample(t, s); m.Has != hasAll {
		t.Errorf("got %+v, want all again", m)
	}
}

func TestSampleWithoutNewerSymbols(t *testing.T) {
	d := newFakeDevice("GPU-a")
	s := watchFake(t, d, "nvmlDeviceGetFieldValues", "nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetCurrentClocksEventReasons")
	m := sample(t, s)
	want := device.HasEnergy | device.HasPowerUsage | device.HasTemperature | device.HasMemory |
		device.HasUtilisation | device.HasThrottle
	if m.Has != want {
		t.Errorf("got fields %b, want %b", m.Has, want)
	}
	if d.calls["fields"]+d.calls["memory2"]+d.calls["event reasons"] != 0 {
		t.Errorf("a symbol that is not there was called: %v", d.calls)
	}
}

func TestSampleLeavesOutALostGPU(t *testing.T) {
	a, b, c := newFakeDevice("GPU-a"), newFakeDevice("GPU-b"), newFakeDevice("GPU-c")
	s := watchAll(t, openFake(t, &fakeLib{gpus: []*fakeDevice{a, b, c}}))
	b.lost = true
	got, err := s.Sample(time.Now(), nil)
	if err == nil || !strings.Contains(err.Error(), "GPU 1") || !strings.Contains(err.Error(), "LOST") {
		t.Errorf("got %v, want that GPU 1 is lost", err)
	}
	if len(got) != 2 || got[0].GPU != 0 || got[1].GPU != 2 {
		t.Errorf("got %+v, want samples of 0 and 2", got)
	}
}

func TestDecodeHonoursTheValueType(t *testing.T) {
	for name, c := range map[string]struct {
		f    nvml.FieldValue
		want uint64
		ok   bool
	}{
		"double":            {field(nvml.VALUE_TYPE_DOUBLE, math.Float64bits(300_000.7)), 300_000, true},
		"nan":               {field(nvml.VALUE_TYPE_DOUBLE, math.Float64bits(math.NaN())), 0, false},
		"unsigned int":      {field(nvml.VALUE_TYPE_UNSIGNED_INT, 0xdeadbeef_00000007), 7, true},
		"unsigned long":     {field(nvml.VALUE_TYPE_UNSIGNED_LONG, 1<<40), 1 << 40, true},
		"unsigned longlong": {field(nvml.VALUE_TYPE_UNSIGNED_LONG_LONG, 1<<63), 1 << 63, true},
		"unsigned short":    {field(nvml.VALUE_TYPE_UNSIGNED_SHORT, 0xbeef_0009), 9, true},
		"signed int":        {field(nvml.VALUE_TYPE_SIGNED_INT, 8), 8, true},
		"below zero":        {field(nvml.VALUE_TYPE_SIGNED_INT, 0xffffffff), 0, false},
		"signed longlong":   {field(nvml.VALUE_TYPE_SIGNED_LONG_LONG, 1<<33), 1 << 33, true},
		"no known type":     {field(99, 1), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := decode(&c.f)
			if ok != c.ok || (ok && got != c.want) {
				t.Errorf("got %d, %v; want %d, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestSampleAllocatesNothingOfItsOwn(t *testing.T) {
	s := watchAll(t, openFake(t, &fakeLib{gpus: []*fakeDevice{newFakeDevice("GPU-a"), newFakeDevice("GPU-b")}}))
	dst := make([]device.Sample, 0, 2)
	epoch := time.Now()
	if n := testing.AllocsPerRun(100, func() { dst, _ = s.Sample(epoch, dst[:0]) }); n != 0 {
		t.Errorf("a reading of 2 GPUs allocates %v times, want 0", n)
	}
}

func TestPollsWithoutACounter(t *testing.T) {
	d := newFakeDevice("GPU-a")
	delete(d.fields, nvml.FI_DEV_ENERGY)
	d.code["energy"] = nvml.ERROR_NOT_SUPPORTED
	s := watchFake(t, d)
	start := time.Now()
	if got, err := s.PollCounters(t.Context(), start); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v; want none", got, err)
	}
	if took := time.Since(start); took > enoughTime {
		t.Errorf("took %v to find that there is no counter", took)
	}
	if m := sample(t, s); m.Has != hasAll&^device.HasEnergy {
		t.Errorf("got fields %b afterwards, want all but energy", m.Has)
	}
}
