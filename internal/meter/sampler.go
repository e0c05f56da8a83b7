//go:build linux && cgo

package meter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/llenergymeasure/llem/internal/device"
)

// source is one thing that a GPU can be asked; a set of them is what it cannot.
type source uint16

const (
	energyField source = 1 << iota
	instantField
	averageField
	energyCall
	usageCall
	temperatureCall
	memoryCall
	memoryOldCall
	utilisationCall
	throttleCall
	throttleOldCall
	throttledField // the first of measure.ThrottleTimes
)

// allFields are the sources that are fields.
const allFields = energyField | instantField | averageField | throttledField*(1<<device.ThrottleTimes-1)

// sources name the symbol that each needs.
var sources = map[source]string{
	allFields:       "nvmlDeviceGetFieldValues",
	energyCall:      "nvmlDeviceGetTotalEnergyConsumption",
	usageCall:       "nvmlDeviceGetPowerUsage",
	temperatureCall: "nvmlDeviceGetTemperature",
	memoryCall:      "nvmlDeviceGetMemoryInfo_v2", // tells what the driver reserves from what is used
	memoryOldCall:   "nvmlDeviceGetMemoryInfo",
	utilisationCall: "nvmlDeviceGetUtilizationRates",
	throttleCall:    "nvmlDeviceGetCurrentClocksEventReasons", // since R535
	throttleOldCall: "nvmlDeviceGetCurrentClocksThrottleReasons",
}

// nvmlSampler reads a fixed list of GPUs. It is for one goroutine at a time, except
// that Processes may be called beside it.
//
// A reading allocates nothing of its own. The binding allocates the place of
// each answer, since cgo lets it escape: 4 times and 72 bytes for each GPU, which
// at 10 Hz and 8 GPUs is a garbage collection every ten minutes or so.
type nvmlSampler struct {
	n    *nvmlSession
	gpus []gpu
}

type gpu struct {
	index  int
	dev    nvml.Device
	gone   source // what will never answer
	asked  [maxFields]source
	fields [maxFields]nvml.FieldValue
	count  int // of fields still asked
	last   nvml.Return
}

// maxFields are energy, two powers and the times of throttling.
const maxFields = 3 + device.ThrottleTimes

// Watch prepares to read devices, which Devices or Select returned, in that order.
func (n *nvmlSession) Watch(devices []device.Device) (device.Watcher, error) {
	s, err := n.watch(devices)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (n *nvmlSession) watch(devices []device.Device) (*nvmlSampler, error) {
	var missing source
	for set, symbol := range sources {
		if !n.has(symbol) {
			missing |= set
		}
	}
	s := &nvmlSampler{n: n, gpus: make([]gpu, len(devices))}
	for i, d := range devices {
		dev, ret := n.lib.DeviceGetHandleByIndex(d.Index)
		if ret != nvml.SUCCESS {
			return nil, fmt.Errorf("open GPU %d: %s", d.Index, n.lib.ErrorString(ret))
		}
		s.gpus[i] = gpu{index: d.Index, dev: dev, gone: missing}
		s.gpus[i].chooseFields()
	}
	return s, nil
}

// lacks says whether none of the sources will ever answer.
func (g *gpu) lacks(all source) bool { return g.gone&all == all }

// throttleFields count the time of each reason, in nanoseconds. The thermal one is older
// than the two that tell apart what it counts.
var throttleFields = [device.ThrottleTimes]uint32{
	device.PowerCapTime:        nvml.FI_DEV_PERF_POLICY_POWER,
	device.ThermalTime:         nvml.FI_DEV_PERF_POLICY_THERMAL,
	device.SoftwareThermalTime: nvml.FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN,
	device.HardwareThermalTime: nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN,
	device.PowerBrakeTime:      nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN,
}

// chooseFields lists the fields that may answer, energy first.
func (g *gpu) chooseFields() {
	g.count = 0
	add := func(from source, id uint32) {
		if !g.lacks(from) {
			g.asked[g.count] = from
			// The scope is that of powers; it is 0, which is none to the others.
			g.fields[g.count] = nvml.FieldValue{FieldId: id, ScopeId: nvml.POWER_SCOPE_GPU}
			g.count++
		}
	}
	add(energyField, nvml.FI_DEV_ENERGY)
	add(instantField, nvml.FI_DEV_POWER_INSTANT)
	add(averageField, nvml.FI_DEV_POWER_AVERAGE)
	for k, id := range throttleFields {
		add(throttledField<<k, id)
	}
}

// Sample reads every GPU once and appends a sample for each that gave anything
// at all. At is the middle of the energy and power reading, Took its length.
// The error, if any, names the GPUs that gave nothing.
func (s *nvmlSampler) Sample(epoch time.Time, dst []device.Sample) ([]device.Sample, error) {
	return s.sample(epoch, dst, true)
}

// SampleEnergy is Sample of energy and power alone.
func (s *nvmlSampler) SampleEnergy(epoch time.Time, dst []device.Sample) ([]device.Sample, error) {
	return s.sample(epoch, dst, false)
}

func (s *nvmlSampler) sample(epoch time.Time, dst []device.Sample, all bool) ([]device.Sample, error) {
	var failed error
	for i := range s.gpus {
		g := &s.gpus[i]
		m := device.Sample{GPU: int32(i)}
		start := time.Since(epoch)
		g.readFields(&m, g.count)
		g.readEnergy(&m)
		g.readUsage(&m)
		m.Took = time.Since(epoch) - start
		m.At = start + m.Took/2
		if all {
			g.readState(&m)
		}
		if m.Has == 0 {
			failed = errors.Join(failed, fmt.Errorf("GPU %d gave no reading: %s", g.index, s.n.lib.ErrorString(g.last)))
			continue
		}
		dst = append(dst, m)
	}
	return dst, failed
}

// readFields takes the first n fields in one call: energy, instantaneous and
// average power, times of throttling, as far as the GPU has them.
func (g *gpu) readFields(m *device.Sample, n int) {
	if n == 0 {
		return
	}
	fields, before := g.fields[:n], g.gone
	for i := range fields {
		fields[i].Value = [8]byte{}
	}
	if g.answered(allFields, g.dev.GetFieldValues(fields)) {
		for i := range fields {
			if g.answered(g.asked[i], nvml.Return(fields[i].NvmlReturn)) {
				set(m, g.asked[i], &fields[i])
			}
		}
	}
	if g.gone != before {
		g.chooseFields()
	}
}

func set(m *device.Sample, from source, f *nvml.FieldValue) {
	v, ok := decode(f)
	switch {
	case !ok:
	case from == energyField:
		m.EnergyMJ, m.EnergyUS = v, f.Timestamp
		m.Has |= device.HasEnergy
	case from >= throttledField:
		k := bits.TrailingZeros16(uint16(from / throttledField))
		m.Throttled[k] = time.Duration(v)
		m.Has |= device.HasThrottled << k
	case v > math.MaxUint32:
	case from == instantField:
		m.PowerInstMW = uint32(v)
		m.Has |= device.HasPowerInstant
	case from == averageField:
		m.PowerAvgMW = uint32(v)
		m.Has |= device.HasPowerAverage
	}
}

// readEnergy asks the older function for what the field will never tell.
func (g *gpu) readEnergy(m *device.Sample) {
	if !g.lacks(energyField) || g.lacks(energyCall) {
		return
	}
	if v, ret := g.dev.GetTotalEnergyConsumption(); g.answered(energyCall, ret) {
		m.EnergyMJ = v
		m.Has |= device.HasEnergy
	}
}

// readUsage does so for power.
func (g *gpu) readUsage(m *device.Sample) {
	if !g.lacks(instantField) || g.lacks(usageCall) {
		return
	}
	if v, ret := g.dev.GetPowerUsage(); g.answered(usageCall, ret) {
		m.PowerUsageMW = v
		m.Has |= device.HasPowerUsage
	}
}

// readState reads what is not energy or power.
func (g *gpu) readState(m *device.Sample) {
	if !g.lacks(temperatureCall) {
		if v, ret := g.dev.GetTemperature(nvml.TEMPERATURE_GPU); g.answered(temperatureCall, ret) {
			m.TemperatureC = int32(v)
			m.Has |= device.HasTemperature
		}
	}
	if !g.lacks(memoryCall) {
		if v, ret := g.dev.GetMemoryInfo_v2(); g.answered(memoryCall, ret) {
			m.MemUsed, m.MemTotal = v.Used, v.Total
			m.Has |= device.HasMemory
		}
	} else if !g.lacks(memoryOldCall) {
		if v, ret := g.dev.GetMemoryInfo(); g.answered(memoryOldCall, ret) {
			m.MemUsed, m.MemTotal = v.Used, v.Total
			m.Has |= device.HasMemory
		}
	}
	if !g.lacks(utilisationCall) {
		if v, ret := g.dev.GetUtilizationRates(); g.answered(utilisationCall, ret) {
			m.SMUtil = v.Gpu
			m.Has |= device.HasUtilisation
		}
	}
	g.readThrottle(m)
}

func (g *gpu) readThrottle(m *device.Sample) {
	var v uint64
	var ret nvml.Return
	from := throttleCall
	switch {
	case !g.lacks(throttleCall):
		v, ret = g.dev.GetCurrentClocksEventReasons()
	case !g.lacks(throttleOldCall):
		from = throttleOldCall
		v, ret = g.dev.GetCurrentClocksThrottleReasons()
	default:
		return
	}
	if g.answered(from, ret) {
		m.Throttle = device.Throttle(v) // the numbers of records are those of nvml.h
		m.Has |= device.HasThrottle
	}
}

// answered says whether ret is an answer, and remembers what can never be one.
func (g *gpu) answered(from source, ret nvml.Return) bool {
	switch ret {
	case nvml.SUCCESS:
		return true
	case nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_INVALID_ARGUMENT, nvml.ERROR_FUNCTION_NOT_FOUND,
		nvml.ERROR_ARGUMENT_VERSION_MISMATCH, nvml.ERROR_DEPRECATED, nvml.ERROR_NO_PERMISSION:
		g.gone |= from
	}
	g.last = ret
	return false
}

// decode reads a field's value by its type, as a whole number that is not below
// zero; ok is false where it is none. NVML and every host it runs on are
// little-endian.
func decode(f *nvml.FieldValue) (v uint64, ok bool) {
	b := f.Value[:]
	switch nvml.ValueType(f.ValueType) {
	case nvml.VALUE_TYPE_UNSIGNED_INT:
		return uint64(binary.LittleEndian.Uint32(b)), true
	case nvml.VALUE_TYPE_UNSIGNED_LONG, nvml.VALUE_TYPE_UNSIGNED_LONG_LONG:
		return binary.LittleEndian.Uint64(b), true
	case nvml.VALUE_TYPE_UNSIGNED_SHORT:
		return uint64(binary.LittleEndian.Uint16(b)), true
	case nvml.VALUE_TYPE_SIGNED_INT:
		i := int32(binary.LittleEndian.Uint32(b))
		return uint64(i), i >= 0
	case nvml.VALUE_TYPE_SIGNED_LONG_LONG:
		i := int64(binary.LittleEndian.Uint64(b))
		return uint64(i), i >= 0
	case nvml.VALUE_TYPE_DOUBLE:
		d := math.Float64frombits(binary.LittleEndian.Uint64(b))
		return uint64(d), d >= 0 && d < 1<<63
	}
	return 0, false
}

// PollCounters reads the energy counters until it is known how often they move.
func (s *nvmlSampler) PollCounters(ctx context.Context, epoch time.Time) ([]device.Sample, error) {
	return pollCounters(ctx, len(s.gpus), func(i int) (device.Sample, bool) {
		m := s.gpus[i].counter(epoch)
		return m, !s.gpus[i].lacks(energyField | energyCall)
	})
}

// counter reads the energy counter alone; the sample has nothing where it gave none.
func (g *gpu) counter(epoch time.Time) (m device.Sample) {
	start := time.Since(epoch)
	if !g.lacks(energyField) {
		g.readFields(&m, 1) // energy is the first
	}
	g.readEnergy(&m)
	m.Took = time.Since(epoch) - start
	m.At = start + m.Took/2
	return m
}
