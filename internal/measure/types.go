package measure

// Units. No bare float64 of these kinds crosses a package.
type (
	// Joules of energy.
	Joules float64
	// Celsius of temperature.
	Celsius float64
)

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

// Severity of a warning.
type Severity string

// Severities, protocol section 6.
const (
	Note    Severity = "note"
	Doubt   Severity = "doubt"
	Invalid Severity = "invalid"
)

// Warning is a reason to doubt a number. It never stops a run.
type Warning struct {
	Code     string
	Severity Severity
	Message  string // what was seen; what to do
}

func (w Warning) String() string { return w.Code + ": " + w.Message }
