//go:build linux && cgo

package meter

import (
	"encoding/binary"
	"errors"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// fakeLib is a driver's library with the given GPUs. What it does not define
// ends the test, as a symbol that is not there ends the process.
type fakeLib struct {
	nvml.Interface
	gpus    []*fakeDevice
	missing map[string]bool // symbols
	initial nvml.Return
	closed  bool
}

func (l *fakeLib) Init() nvml.Return                                 { return l.initial }
func (l *fakeLib) Shutdown() nvml.Return                             { l.closed = true; return nvml.SUCCESS }
func (l *fakeLib) Extensions() nvml.ExtendedInterface                { return l }
func (l *fakeLib) ErrorString(r nvml.Return) string                  { return r.Error() }
func (l *fakeLib) SystemGetDriverVersion() (string, nvml.Return)     { return "550.1", nvml.SUCCESS }
func (l *fakeLib) SystemGetCudaDriverVersion_v2() (int, nvml.Return) { return 12080, nvml.SUCCESS }
func (l *fakeLib) SystemGetCudaDriverVersion() (int, nvml.Return)    { return 11020, nvml.SUCCESS }
func (l *fakeLib) DeviceGetCount() (int, nvml.Return)                { return len(l.gpus), nvml.SUCCESS }
func (l *fakeLib) DeviceGetHandleByIndex(i int) (nvml.Device, nvml.Return) {
	if l.gpus[i].lost {
		return nil, nvml.ERROR_GPU_IS_LOST
	}
	return l.gpus[i], nvml.SUCCESS
}

func (l *fakeLib) LookupSymbol(name string) error {
	if l.missing[name] {
		return errors.New("undefined symbol: " + name)
	}
	return nil
}

// fakeDevice is a GPU of fixed readings.
type fakeDevice struct {
	nvml.Device
	uuid    string
	lost    bool
	mig     int
	migCode nvml.Return
	fields  map[uint32]nvml.FieldValue // by id; one that is not there is not supported
	asked   []uint32                   // fields of the last call
	code    map[string]nvml.Return     // of calls that fail
	calls   map[string]int
	procs   map[string][]nvml.ProcessInfo
}

func newFakeDevice(uuid string) *fakeDevice {
	return &fakeDevice{
		uuid: uuid, code: map[string]nvml.Return{}, calls: map[string]int{},
		migCode: nvml.ERROR_NOT_SUPPORTED,
		fields: map[uint32]nvml.FieldValue{
			nvml.FI_DEV_ENERGY:        field(nvml.VALUE_TYPE_UNSIGNED_LONG_LONG, 5_000_000_000_000),
			nvml.FI_DEV_POWER_INSTANT: field(nvml.VALUE_TYPE_UNSIGNED_INT, 301_000),
			nvml.FI_DEV_POWER_AVERAGE: field(nvml.VALUE_TYPE_UNSIGNED_INT, 299_000),
		},
	}
}

func field(t nvml.ValueType, v uint64) nvml.FieldValue {
	f := nvml.FieldValue{ValueType: uint32(t), Timestamp: 1_700_000_000_000_000}
	binary.LittleEndian.PutUint64(f.Value[:], v)
	return f
}

func fails(r nvml.Return) nvml.FieldValue { return nvml.FieldValue{NvmlReturn: uint32(r)} }

// does counts a call and says how it ends.
func (d *fakeDevice) does(call string) nvml.Return {
	d.calls[call]++
	if d.lost {
		return nvml.ERROR_GPU_IS_LOST
	}
	return d.code[call]
}

func (d *fakeDevice) GetFieldValues(values []nvml.FieldValue) nvml.Return {
	d.asked = d.asked[:0]
	if ret := d.does("fields"); ret != nvml.SUCCESS {
		return ret
	}
	for i := range values {
		id := values[i].FieldId
		d.asked = append(d.asked, id)
		f, ok := d.fields[id]
		if !ok {
			f = fails(nvml.ERROR_NOT_SUPPORTED)
		}
		f.FieldId = id
		values[i] = f
	}
	return nvml.SUCCESS
}

func (d *fakeDevice) GetUUID() (string, nvml.Return) { return d.uuid, d.does("uuid") }
func (d *fakeDevice) GetName() (string, nvml.Return) { return "Fake", nvml.SUCCESS }
func (d *fakeDevice) GetTotalEnergyConsumption() (uint64, nvml.Return) {
	return 77, d.does("energy")
}
func (d *fakeDevice) GetPowerUsage() (uint32, nvml.Return) { return 250_000, d.does("usage") }
func (d *fakeDevice) GetTemperature(nvml.TemperatureSensors) (uint32, nvml.Return) {
	return 55, d.does("temperature")
}
func (d *fakeDevice) GetMemoryInfo_v2() (nvml.Memory_v2, nvml.Return) {
	return nvml.Memory_v2{Total: 80 << 30, Reserved: 1 << 30, Used: 2 << 30}, d.does("memory2")
}
func (d *fakeDevice) GetMemoryInfo() (nvml.Memory, nvml.Return) {
	return nvml.Memory{Total: 80 << 30, Used: 3 << 30}, d.does("memory")
}
func (d *fakeDevice) GetUtilizationRates() (nvml.Utilization, nvml.Return) {
	return nvml.Utilization{Gpu: 98, Memory: 12}, d.does("utilisation")
}
func (d *fakeDevice) GetCurrentClocksEventReasons() (uint64, nvml.Return) {
	return 0x4, d.does("event reasons")
}
func (d *fakeDevice) GetCurrentClocksThrottleReasons() (uint64, nvml.Return) {
	return 0x8, d.does("throttle reasons")
}
func (d *fakeDevice) GetVbiosVersion() (string, nvml.Return) { return "92.00", d.does("vbios") }
func (d *fakeDevice) GetCudaComputeCapability() (int, int, nvml.Return) {
	return 9, 0, nvml.SUCCESS
}
func (d *fakeDevice) GetPciInfo() (nvml.PciInfo, nvml.Return) {
	p := nvml.PciInfo{}
	for i, c := range []byte("00000000:17:00.0") {
		p.BusId[i] = int8(c)
	}
	return p, nvml.SUCCESS
}
func (d *fakeDevice) GetMaxPcieLinkGeneration() (int, nvml.Return) { return 5, d.does("pcie") }
func (d *fakeDevice) GetMaxPcieLinkWidth() (int, nvml.Return)      { return 16, d.does("pcie") }
func (d *fakeDevice) GetEnforcedPowerLimit() (uint32, nvml.Return) {
	return 350_000, d.does("enforced limit")
}
func (d *fakeDevice) GetPowerManagementLimit() (uint32, nvml.Return) { return 360_000, nvml.SUCCESS }
func (d *fakeDevice) GetPowerManagementDefaultLimit() (uint32, nvml.Return) {
	return 400_000, nvml.SUCCESS
}
func (d *fakeDevice) GetPowerManagementLimitConstraints() (uint32, uint32, nvml.Return) {
	return 100_000, 400_000, d.does("constraints")
}
func (d *fakeDevice) GetClockInfo(nvml.ClockType) (uint32, nvml.Return) {
	return 1410, d.does("clock")
}
func (d *fakeDevice) GetMaxClockInfo(nvml.ClockType) (uint32, nvml.Return) {
	return 1980, d.does("clock")
}
func (d *fakeDevice) GetPersistenceMode() (nvml.EnableState, nvml.Return) {
	return nvml.FEATURE_ENABLED, d.does("persistence")
}
func (d *fakeDevice) GetMigMode() (int, int, nvml.Return) { return d.mig, d.mig, d.migCode }
func (d *fakeDevice) GetComputeRunningProcesses() ([]nvml.ProcessInfo, nvml.Return) {
	return d.procs["compute"], d.does("compute")
}
func (d *fakeDevice) GetGraphicsRunningProcesses() ([]nvml.ProcessInfo, nvml.Return) {
	return d.procs["graphics"], d.does("graphics")
}
func (d *fakeDevice) GetMPSComputeRunningProcesses() ([]nvml.ProcessInfo, nvml.Return) {
	return d.procs["mps"], d.does("mps")
}
