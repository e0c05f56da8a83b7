package standin

import "unsafe"

// The shared file as lib/standin.h describes it, in the same order.

const (
	magic       = 0x324e5453454d4c4c // "LLEMSTN2"
	maxGPUs     = 8
	ringSize    = 8192
	maxProcs    = 32
	maxFailures = 64
)

type change struct {
	atNS     int64
	powerMW  uint64
	energyNJ uint64
}

type process struct {
	pid      uint32
	graphics uint32
	memory   uint64
}

type failure struct {
	name [56]byte
	gpu  int32
	code int32
}

type sensor struct {
	powerRefreshNS, powerPhaseNS   int64
	lookPPM, lookAtPPM, shared     int64
	counterDelayNS, powerDelayNS   int64
	jitterNS                       int64
	wanderNS, wanderPeriodNS       int64
	lagNS, stuckMW                 int64
	stepMJ, gainPPM, stamp         int64
	latencyNS, latencyRandomNS     int64
	fault, faultAtNS, faultUntilNS int64
	faultMJ, absent, seed          int64
}

type gpu struct {
	uuid, name     [96]byte
	vbios, busID   [32]byte
	memoryTotal    uint64
	memoryReserved uint64
	memoryUsed     uint64
	throttle       uint64
	refreshNS      int64
	phaseNS        int64
	averageNS      int64
	baseMJ         int64
	temperature    uint32
	persistence    uint32
	utilisation    uint32
	mig            uint32
	ccMajor        uint32
	ccMinor        uint32
	architecture   uint32
	limitMW        uint32
	defaultLimitMW uint32
	smMHz          uint32
	smMaxMHz       uint32
	memoryMHz      uint32
	pcieGen        uint32
	pcieWidth      uint32
	processes      uint32
	lockedMHz      uint32
	process        [maxProcs]process
	throttleNS     [5]uint64
	throttleSince  int64
	sensor         sensor
	seq            uint64
	changes        uint64
	oldest         uint64
	ring           [ringSize]change
}

type file struct {
	magic   uint64
	gpus    uint32
	cuda    uint32
	driver  [80]byte
	stillNS int64
	failure [maxFailures]failure
	gpu     [maxGPUs]gpu
}

// The compiler refuses these where the layout is not that of lib/standin.h.
var (
	_ [64]struct{}      = [unsafe.Sizeof(failure{})]struct{}{}
	_ [184]struct{}     = [unsafe.Sizeof(sensor{})]struct{}{}
	_ [384]struct{}     = [unsafe.Offsetof(gpu{}.process)]struct{}{}
	_ [1152]struct{}    = [unsafe.Offsetof(gpu{}.ring)]struct{}{}
	_ [197760]struct{}  = [unsafe.Sizeof(gpu{})]struct{}{}
	_ [1586280]struct{} = [unsafe.Sizeof(file{})]struct{}{}
)
