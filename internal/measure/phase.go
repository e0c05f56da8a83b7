package measure

// Phase of an experiment, in protocol order.
type Phase uint8

// The phases of an experiment, protocol section 1.
const (
	Preflight Phase = iota
	Gap             // of a study, where no container is started
	BaselinePhase
	Launch
	WarmupPhase
	ThermalFloorPhase
	WindowPhase
	Record
	After
)

var phaseNames = [...]string{"preflight", "gap", "baseline", "launch", "warmup", "thermal_floor", "window", "record", "after"}

func (p Phase) String() string { return phaseNames[p] }
