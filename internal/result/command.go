package result

import (
	"bufio"
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// Command is what `llem measure --json` prints.
type Command struct {
	SchemaVersion string       `json:"schema_version"`
	LlemVersion   string       `json:"llem_version"`
	Command       []string     `json:"command"`
	Host          Host         `json:"host"`
	GPUs          []GPU        `json:"gpus"`
	GPUsByDefault bool         `json:"gpus_by_default"` // nothing chose them: they are all of the host
	GPUsLeftOut   []int        `json:"gpus_left_out"`   // indices of those in MIG mode, whose energy is only known of the whole
	NoGPUEnergy   *string      `json:"no_gpu_energy"`   // why no GPU was read, so that every energy of GPUs is null; null: they were read
	Runs          []CommandRun `json:"runs"`
	// EnergyMeanJ and EnergyInterval95J are the mean over the runs and half of
	// its 95 % t-interval, by the spread of the runs alone, without the sensor's gain;
	// null with one run, and where a run has no figure.
	EnergyMeanJ       *float64 `json:"energy_mean_j"`
	EnergyInterval95J *float64 `json:"energy_interval95_j"`
}

// CommandRun is one run of the command.
type CommandRun struct {
	StartedAt           time.Time          `json:"started_at"`
	Seconds             float64            `json:"seconds"`
	ExitCode            int                `json:"exit_code"`
	Valid               bool               `json:"valid"`             // there is an energy figure, and nothing voids it
	Reasons             []string           `json:"reasons"`           // why it is not valid: codes of warnings
	EnergyTotalJ        *float64           `json:"energy_total_j"`    // of the time in which the command ran, of all gpus
	URepeatabilityJ     *float64           `json:"u_repeatability_j"` // of energy_total_j, k = 1: the meter's own, to compare runs on one card; without the sensor's gain and the spread of repeated runs
	UAbsoluteJ          *float64           `json:"u_absolute_j"`      // of energy_total_j, k = 1: with the gain, to compare with other cards and meters; without the spread of repeated runs
	CoverageK           float64            `json:"coverage_k"`        // what is printed after ± is so many u: 2, about 95 %
	Scope               string             `json:"scope"`             // gpu | module; empty where no GPU was read
	Gain                *Gain              `json:"gain"`              // of the sensors, in u_absolute_j; null where no GPU was read
	Components          map[string]float64 `json:"components"`        // of u_repeatability_j, independent, in J
	Method              string             `json:"method"`
	MeanPowerW          *float64           `json:"mean_power_w"`
	PeakPowerW          *float64           `json:"peak_power_w"`
	IdlePowerW          *float64           `json:"idle_power_w"` // right before the command
	MaxTemperatureC     *float64           `json:"max_temperature_c"`
	PerGPU              []GPUEnergy        `json:"per_gpu"`
	Host                *HostEnergy        `json:"host"`
	CrossChecks         []CrossCheck       `json:"cross_checks"`
	MeasurementWarnings []string           `json:"measurement_warnings"`
	WarningSeverities   map[string]string  `json:"warning_severities"`
}

// WriteTimeseries writes rows as Parquet to a path of the user's, as [WriteTo]
// does.
func WriteTimeseries(path string, rows []TimeseriesRow) error {
	return WriteTo(path, func(w io.Writer) error { return encode(w, slices.Values(rows), nil) })
}

// WriteTo writes to a path of the user's: a file whole or not at all, and into
// anything else that is there, such as a pipe.
func WriteTo(path string, write func(io.Writer) error) error {
	// Lstat: what /dev/stdout leads to must not be replaced.
	if st, err := os.Lstat(path); err != nil || st.Mode().IsRegular() {
		return advise(path, replace(path, write))
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return advise(path, err)
	}
	w := bufio.NewWriter(f)
	return advise(path, errors.Join(write(w), w.Flush(), f.Close()))
}
