package standin

import (
	"fmt"
	"time"
)

// GPU is how one stand-in GPU begins. The zero value is a GPU of 80 GiB and
// compute capability 8.0 that draws 60 W and refreshes its sensors every 100 ms.
type GPU struct {
	Power       float64       // watts; default 60
	Refresh     time.Duration // default 100 ms
	Phase       time.Duration // of the ticks; they fall on Phase + n × Refresh
	Instant     bool          // usage and average power as instant power, not the mean of 1 s
	Counter     uint64        // millijoules that the energy counter begins at; default 1e9
	Memory      uint64        // bytes; default 80 GiB
	Temperature int           // °C; default 35
	NoPersist   bool          // persistence mode off
	PowerLimit  float64       // watts; default 400
	Name        string        // default "NVIDIA Stand-in"
	Capability  string        // compute capability; default "8.0"; "none": the GPU does not say
	Sensor      Sensor
}

func (g *gpu) begin(i int, from GPU) {
	or := func(v, fallback float64) float64 {
		if v == 0 {
			return fallback
		}
		return v
	}
	name := from.Name
	if name == "" {
		name = "NVIDIA Stand-in"
	}
	copy(g.uuid[:], UUID(i))
	copy(g.name[:], name)
	copy(g.vbios[:], "00.00.00.00.00")
	copy(g.busID[:], fmt.Sprintf("00000000:%02X:00.0", i+1))
	g.memoryTotal = uint64(or(float64(from.Memory), 80<<30))
	g.memoryReserved = 512 << 20
	g.refreshNS = int64(or(float64(from.Refresh), 100e6))
	g.phaseNS = int64(from.Phase)
	if !from.Instant {
		g.averageNS = int64(time.Second)
	}
	g.baseMJ = int64(or(float64(from.Counter), 1e9))
	g.temperature = uint32(or(float64(from.Temperature), 35))
	if !from.NoPersist {
		g.persistence = 1
	}
	g.ccMajor, g.ccMinor, g.architecture = capability(from.Capability)
	g.sensor = from.Sensor.pack()
	g.limitMW = uint32(or(from.PowerLimit, 400) * 1000)
	g.defaultLimitMW = g.limitMW
	g.smMHz, g.smMaxMHz, g.memoryMHz = 1410, 1410, 1593
	g.pcieGen, g.pcieWidth = 4, 16
	g.changes = 1
	g.ring[0] = change{atNS: int64(Now()), powerMW: uint64(or(from.Power, 60) * 1000)}
}

// architectures are NVML's numbers of them, by the major compute capability; 8.9 is
// Ada Lovelace's.
var architectures = map[uint32]uint32{6: 4, 7: 5, 8: 7, 9: 9, 10: 10, 12: 10}

func capability(text string) (major, minor, architecture uint32) {
	if text == "" {
		text = "8.0"
	}
	if n, _ := fmt.Sscanf(text, "%d.%d", &major, &minor); n < 2 {
		return 0, 0, 0xffffffff // NVML_DEVICE_ARCH_UNKNOWN
	}
	switch architecture = architectures[major]; text {
	case "7.5":
		architecture = 6
	case "8.9":
		architecture = 8
	}
	return major, minor, architecture
}

// UUID is the UUID of GPU i.
func UUID(i int) string { return fmt.Sprintf("GPU-57a4d1f0-0000-4000-8000-%012x", i) }
