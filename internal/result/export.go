package result

import (
	"slices"
	"strings"
	"time"
)

// ExportRow is one result as `llem export` writes it: one flat row, null where
// unknown. Behind these columns come those of the configuration in which the
// results differ, each named config. and its key in the experiment file.
type ExportRow struct {
	Result         string    `parquet:"result"` // its directory
	ExperimentID   string    `parquet:"experiment_id"`
	Name           string    `parquet:"name"`
	Status         string    `parquet:"status"`       // completed | failed | interrupted
	RecordState    string    `parquet:"record_state"` // whole | altered | unfinished | unchecked, which an older llem wrote without a checksum
	Error          string    `parquet:"error"`
	StartedAt      time.Time `parquet:"started_at,timestamp(microsecond)"` // UTC
	StudyID        *string   `parquet:"study_id,optional"`
	StudyRun       *int64    `parquet:"run,optional"`     // place in the study's order, from 1
	StudyCycle     *int64    `parquet:"cycle,optional"`   // from 1
	StudyPoint     *string   `parquet:"point,optional"`   // its name
	StudyAttempt   *int64    `parquet:"attempt,optional"` // from 1; earlier ones were cut off
	LlemVersion    string    `parquet:"llem_version"`
	ConfigHash     string    `parquet:"config_hash"`
	WorkloadHash   string    `parquet:"workload_hash"`
	PromptChecksum string    `parquet:"prompt_checksum"`

	Engine        string  `parquet:"engine"`
	EngineVersion *string `parquet:"engine_version,optional"`
	Image         string  `parquet:"image"`
	ImageDigest   *string `parquet:"image_digest,optional"`
	ImageID       string  `parquet:"image_id"`
	Endpoint      *string `parquet:"endpoint,optional"`
	Model         string  `parquet:"model"`
	ModelRevision *string `parquet:"model_revision,optional"`
	DType         string  `parquet:"dtype"` // of the weights

	Hostname       string   `parquet:"hostname"`
	GPUs           int64    `parquet:"gpus"`      // how many the container was given
	GPUNames       string   `parquet:"gpu_names"` // separated by ", ", as are UUIDs
	GPUUUIDs       string   `parquet:"gpu_uuids"`
	Driver         *string  `parquet:"driver,optional"`
	GPUPowerLimitW *float64 `parquet:"gpu_power_limit_w,optional"` // of each GPU; null where they differ

	EnergyValid              bool     `parquet:"energy_valid"` // false: not to be ranked
	EnergyScope              string   `parquet:"energy_scope"` // gpu | module | host
	EnergyBackend            string   `parquet:"energy_backend"`
	EnergyMethod             string   `parquet:"energy_method"`
	EnergyTotalJ             *float64 `parquet:"energy_total_j,optional"`
	URepeatabilityJ          *float64 `parquet:"u_repeatability_j,optional"` // of energy_total_j, k = 1: the meter's own; without the sensor's gain and the spread of repeated runs
	UAbsoluteJ               *float64 `parquet:"u_absolute_j,optional"`      // of energy_total_j, k = 1: with the gain of the sensor; without the spread of repeated runs
	EnergyAdjustedJ          *float64 `parquet:"energy_adjusted_j,optional"` // less the bare-idle baseline
	UAdjustedJ               *float64 `parquet:"u_adjusted_j,optional"`      // k = 1, without the gain
	EnergyPerOutputTokenJ    *float64 `parquet:"energy_per_output_token_j,optional"`
	UPerOutputTokenJ         *float64 `parquet:"u_per_output_token_j,optional"`          // k = 1: the meter's own; without the gain and the spread of repeated runs
	UPerOutputTokenAbsoluteJ *float64 `parquet:"u_per_output_token_absolute_j,optional"` // k = 1: with the gain; without the spread of repeated runs
	SensorGain               *float64 `parquet:"sensor_gain,optional"`                   // half-width of its limit, as a share of the energy; null: not said
	SensorGainStanding       *string  `parquet:"sensor_gain_standing,optional"`          // measured by others | extrapolated | uncharacterised
	EnergyPerTotalTokenJ     *float64 `parquet:"energy_per_total_token_j,optional"`
	EnergyPerRequestJ        *float64 `parquet:"energy_per_request_j,optional"`
	BaselinePowerW           *float64 `parquet:"baseline_power_w,optional"`
	EngineIdlePowerW         *float64 `parquet:"engine_idle_power_w,optional"`
	MeanPowerW               *float64 `parquet:"mean_power_w,optional"`
	PeakPowerW               *float64 `parquet:"peak_power_w,optional"`
	StartupEnergyJ           *float64 `parquet:"startup_energy_j,optional"` // in no total

	WindowS           *float64 `parquet:"window_s,optional"`
	StartupS          *float64 `parquet:"startup_s,optional"`
	RequestsCompleted int64    `parquet:"requests_completed"`
	RequestsFailed    int64    `parquet:"requests_failed"`
	InputTokens       *int64   `parquet:"input_tokens,optional"`
	OutputTokens      *int64   `parquet:"output_tokens,optional"`
	TokensPerSecond   *float64 `parquet:"output_tokens_per_second,optional"`
	// Of requests within the limits of slo; null without.
	RequestsGood         *int64   `parquet:"requests_good,optional"`
	OutputTokensGood     *int64   `parquet:"output_tokens_good,optional"`
	EnergyPerGoodTokenJ  *float64 `parquet:"energy_per_good_token_j,optional"`
	UEnergyPerGoodTokenJ *float64 `parquet:"u_energy_per_good_token_j,optional"` // k = 1, without the gain
	TTFTP50MS            *float64 `parquet:"ttft_p50_ms,optional"`
	TTFTP99MS            *float64 `parquet:"ttft_p99_ms,optional"`
	TPOTP50MS            *float64 `parquet:"tpot_p50_ms,optional"`
	TPOTP99MS            *float64 `parquet:"tpot_p99_ms,optional"`
	E2EP50MS             *float64 `parquet:"e2e_p50_ms,optional"`
	E2EP99MS             *float64 `parquet:"e2e_p99_ms,optional"`
	FLOPs                *float64 `parquet:"flops,optional"`
	FLOPsPerJoule        *float64 `parquet:"flops_per_joule,optional"`

	Warnings string `parquet:"warnings"` // codes, separated by ", "
}

// exportRow flattens r, which lies in dir.
func exportRow(r *Record, dir string) ExportRow {
	e, l := r.Energy, r.Latency
	row := ExportRow{
		Result: dir, ExperimentID: r.ExperimentID, Name: r.Name, Status: r.Status, RecordState: string(r.State), Error: r.Error, StartedAt: r.StartedAt.UTC(),
		LlemVersion: r.LlemVersion, ConfigHash: r.ConfigHash, WorkloadHash: r.WorkloadHash, PromptChecksum: r.Requests.PromptChecksum,
		Engine: r.Engine.Name, EngineVersion: r.Engine.Version, Image: r.Engine.Image, ImageDigest: r.Engine.ImageDigest,
		ImageID: r.Engine.ImageID, Endpoint: r.Engine.Endpoint,
		Model: r.Model.ID, ModelRevision: r.Model.Revision, DType: r.Model.DType, Hostname: r.Environment.Host.Hostname,
		EnergyValid: e.Valid, EnergyScope: e.Scope, EnergyBackend: e.Backend, EnergyMethod: e.Method,
		EnergyTotalJ: r.EnergyTotalJ, URepeatabilityJ: e.URepeatabilityJ, UAbsoluteJ: e.UAbsoluteJ,
		EnergyAdjustedJ: r.EnergyAdjustedJ, UAdjustedJ: e.UAdjustedJ, EnergyPerOutputTokenJ: r.EnergyPerOutputToken, UPerOutputTokenJ: e.UPerOutputTokenJ, UPerOutputTokenAbsoluteJ: e.UPerOutputTokenAbsoluteJ,
		EnergyPerTotalTokenJ: e.PerTotalTokenJ, EnergyPerRequestJ: e.PerRequestJ, BaselinePowerW: r.BaselinePowerW, EngineIdlePowerW: e.EngineIdlePowerW,
		MeanPowerW: e.MeanPowerW, PeakPowerW: e.PeakPowerW, StartupEnergyJ: r.Engine.StartupEnergyJ,
		WindowS: r.WindowSeconds, StartupS: r.Engine.StartupSeconds,
		RequestsCompleted: int64(r.Requests.Completed), RequestsFailed: int64(r.Requests.Failed),
		InputTokens: r.Tokens.Input, OutputTokens: r.Tokens.Output, TokensPerSecond: r.TokensPerSecond, Warnings: codes(r),
	}
	if e.Gain != nil {
		row.SensorGain, row.SensorGainStanding = &e.Gain.HalfWidth, &e.Gain.Standing
	}
	row.TTFTP50MS, row.TTFTP99MS = ends(l.TTFT)
	row.TPOTP50MS, row.TPOTP99MS = ends(l.TPOT)
	row.E2EP50MS, row.E2EP99MS = ends(l.E2E)
	if s := r.SLO; s != nil {
		if s.RequestsGood != nil {
			n := int64(*s.RequestsGood)
			row.RequestsGood = &n
		}
		row.OutputTokensGood, row.EnergyPerGoodTokenJ, row.UEnergyPerGoodTokenJ = s.OutputTokensGood, s.EnergyPerGoodTokenJ, s.UEnergyPerGoodTokenJ
	}
	if f := r.FLOPs; f != nil {
		row.FLOPs, row.FLOPsPerJoule = f.Value, f.FLOPsPerJoule
	}
	if s := r.Study; s != nil {
		run, cycle, attempt := int64(s.Run), int64(s.Cycle), int64(s.Attempt)
		row.StudyID, row.StudyRun, row.StudyCycle, row.StudyPoint, row.StudyAttempt = &s.ID, &run, &cycle, &s.Point, &attempt
	}
	row.gpus(r.Environment.GPUs)
	return row
}

func (row *ExportRow) gpus(list []GPU) {
	row.GPUs = int64(len(list))
	var names, uuids []string
	for _, g := range list {
		names, uuids = append(names, g.Name), append(uuids, g.UUID)
	}
	row.GPUNames, row.GPUUUIDs = strings.Join(names, ", "), strings.Join(uuids, ", ")
	if len(list) == 0 {
		return
	}
	row.Driver = &list[0].Driver
	if first := list[0].PowerLimitW; first != nil && !slices.ContainsFunc(list, func(g GPU) bool { return g.PowerLimitW == nil || *g.PowerLimitW != *first }) {
		row.GPUPowerLimitW = first
	}
}

func ends(s *Summary) (p50, p99 *float64) {
	if s == nil {
		return nil, nil
	}
	return &s.P50, &s.P99
}

// codes are those of the record's warnings.
func codes(r *Record) string {
	var out []string
	for _, w := range r.MeasurementWarnings {
		code, _, _ := strings.Cut(w, ":")
		out = append(out, code)
	}
	return strings.Join(out, ", ")
}
