package standin

import "sync/atomic"

// Process runs on a stand-in GPU.
type Process struct {
	PID      int
	Graphics bool
	Memory   uint64 // bytes
}

// SetTemperature sets the temperature, in °C.
func (c *Control) SetTemperature(i, celsius int) {
	c.shared.change(i, func(g *gpu) { g.temperature = uint32(celsius) })
}

// throttleReasons are the bits whose time fields 74, 75, 269, 270 and 271 count.
var throttleReasons = [...]uint64{0x4, 0x60, 0x20, 0x40, 0x80}

// SetThrottle sets the clock event reasons, as NVML's bits. The time that each
// holds is counted as the driver counts it.
func (c *Control) SetThrottle(i int, reasons uint64) {
	c.shared.change(i, func(g *gpu) {
		now := int64(Now())
		for k, bits := range throttleReasons {
			if g.throttle&bits != 0 {
				g.throttleNS[k] += uint64(now - g.throttleSince)
			}
		}
		g.throttle, g.throttleSince = reasons, now
	})
}

// Settings are what NVML's callers may have changed: the power limit in watts,
// and the SM clock in MHz that is locked, 0 for none.
func (c *Control) Settings(i int) (limitW float64, lockedMHz int) {
	c.shared.change(i, func(g *gpu) { limitW, lockedMHz = float64(g.limitMW)/1000, int(g.lockedMHz) })
	return limitW, lockedMHz
}

// SetPersistence switches persistence mode.
func (c *Control) SetPersistence(i int, on bool) {
	c.shared.change(i, func(g *gpu) { g.persistence = flag(on) })
}

// SetMIG switches MIG mode.
func (c *Control) SetMIG(i int, on bool) { c.shared.change(i, func(g *gpu) { g.mig = flag(on) }) }

// SetUtilisation sets utilisation, in percent.
func (c *Control) SetUtilisation(i, percent int) {
	c.shared.change(i, func(g *gpu) { g.utilisation = uint32(percent) })
}

// SetMemoryUsed sets the memory in use, in bytes.
func (c *Control) SetMemoryUsed(i int, bytes uint64) {
	c.shared.change(i, func(g *gpu) { g.memoryUsed = bytes })
}

// SetProcesses replaces what runs on the GPU: at most 32 processes.
func (c *Control) SetProcesses(i int, list ...Process) {
	c.shared.change(i, func(g *gpu) {
		for n, p := range list {
			g.process[n] = process{uint32(p.PID), flag(p.Graphics), p.Memory}
		}
		g.processes = uint32(len(list))
	})
}

// ResetCounter sets the energy counter to zero, as reloading the driver does.
func (c *Control) ResetCounter(i int) {
	c.shared.change(i, func(g *gpu) {
		now := int64(Now())
		last, _ := g.lastAt(now)
		g.baseMJ = -int64(last.energyAt(now) / 1e6)
	})
}

// Fail makes a call fail with an NVML return code from now on; code 0 lets it
// succeed again. call is an NVML function as the library exports it
// ("nvmlDeviceGetPowerUsage"), a field ("field:186"), or "*" for all calls on
// GPU i. GPU -1 stands for the calls that belong to no GPU ("nvmlInit_v2").
func (c *Control) Fail(i int, call string, code int) {
	c.shared.lock()
	defer c.shared.unlock()
	free := -1
	for n := range c.shared.file.failure {
		row := &c.shared.file.failure[n]
		if row.gpu == int32(i) && text(row.name[:]) == call {
			atomic.StoreInt32(&row.code, int32(code))
			return
		}
		if free < 0 && row.name[0] == 0 {
			free = n
		}
	}
	if free < 0 || len(call) >= len(failure{}.name) {
		panic("standin: no room for failure of " + call)
	}
	row := &c.shared.file.failure[free]
	row.gpu = int32(i)
	copy(row.name[:], call)
	atomic.StoreInt32(&row.code, int32(code)) // last: it makes the row count
}

func flag(on bool) uint32 {
	if on {
		return 1
	}
	return 0
}

func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
